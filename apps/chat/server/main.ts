/** `npm start`: the whole system in one process, told about line by line. */

import { type Chat, type ChatEvents, startChat } from './chat.js'
import { readLanguage, readSettings, type Settings, withoutPassword } from './settings.js'
import { explain } from './start-failure.js'
import { TEXTS, Terminal } from './terminal.js'

const texts = TEXTS[readLanguage(process.env)]
const terminal = new Terminal(process.stdout)
let settings: Settings | undefined
let chat: Chat | undefined
let stopping = false

try {
  settings = readSettings(process.env)
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  chat = await startChat(settings, eventsFor(settings))
  if (stopping) await end(chat)
  else announce(chat)
} catch (error) {
  fail(error)
}

function announce({ url, respPort }: Chat): void {
  const { addresses } = texts
  const rows = [
    [addresses.chat, `${url}/`],
    [addresses.console, `${url}/console`],
    [addresses.metrics, `${url}/metrics`],
    [addresses.health, `${url}/healthz`],
    ...(respPort === undefined ? [] : [[addresses.redis, `redis-cli -p ${respPort}`]]),
  ]
  terminal.line('')
  terminal.line(texts.serving)
  for (const [name, address] of rows) terminal.line(`  ${pad(name, 18)}${address}`)
  terminal.line(`  ${texts.howToStop}`)
  terminal.line('')
}

function eventsFor({ database }: Settings): ChatEvents {
  let opening = 0
  let shown = -1
  return {
    loadingLog({ bytes, total }) {
      const percent = total === 0 ? 100 : Math.floor((bytes / total) * 100)
      if (percent !== shown) terminal.progress(texts.loadingLog(percent))
      shown = percent
    },
    logOpened(address, durability) {
      terminal.line(texts.logOpened(address, durability))
    },
    openingDatabase() {
      opening = Date.now()
      if ('url' in database) terminal.line(texts.openingServer(withoutPassword(database.url)))
      else terminal.step((seconds) => texts.openingEmbedded(seconds))
    },
    databaseReady({ kind, version, trigrams }) {
      terminal.settled()
      const name = kind === 'pglite' ? `PGlite (PostgreSQL ${version})` : `PostgreSQL ${version}`
      terminal.line(texts.databaseReady(name, ((Date.now() - opening) / 1000).toFixed(1)))
      if (!trigrams) terminal.line(texts.warning(texts.noTrigrams))
    },
    failed: fail,
    trouble(where, error) {
      terminal.line(texts.trouble(where, error instanceof Error ? error.message : String(error)))
    },
    warning(text) {
      terminal.line(texts.warning(text))
    },
  }
}

/** The first signal ends in order, the second at once. */
function stop(): void {
  if (stopping) process.exit(130)
  stopping = true
  terminal.settled()
  terminal.line(texts.stopping)
  if (chat) void end(chat)
}

async function end(running: Chat): Promise<void> {
  try {
    await running.close()
    terminal.line(texts.stopped)
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}

function fail(error: unknown): void {
  if (stopping && chat === undefined) process.exit(0)
  terminal.settled()
  process.stderr.write(`${explain(error, settings, texts)}\n`)
  process.exit(1)
}

/** To a width in columns; Hangul takes two. */
function pad(text: string, columns: number): string {
  const width = [...text].reduce(
    (sum, character) => sum + (/[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]/.test(character) ? 2 : 1),
    0,
  )
  return text + ' '.repeat(Math.max(1, columns - width))
}
