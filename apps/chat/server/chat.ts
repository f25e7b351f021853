import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { getRequestListener } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { Worker } from 'yeoul'
import { Operations } from 'yeoul/ops'
import { type Database, openDatabase } from './database/database.js'
import { bindToLog } from './database/origin.js'
import { Gateway, type GatewayOptions } from './gateway/gateway.js'
import { publishHint } from './hints.js'
import { History } from './history.js'
import { createHttp } from './http.js'
import { Later } from './later.js'
import { ChatLog } from './log.js'
import { type LoadProgress, openLog } from './log-source.js'
import { ChatMetrics } from './metrics.js'
import { RoomDirectory } from './rooms.js'
import type { Settings } from './settings.js'
import { createWorkers } from './workers/workers.js'

/** What happens while the chat starts, runs and stops, for whoever shows it. */
export interface ChatEvents {
  loadingLog(progress: LoadProgress): void
  logOpened(address: string, durability: string): void
  openingDatabase(): void
  databaseReady(database: Pick<Database, 'kind' | 'version' | 'trigrams'>): void
  /** It cannot go on; nothing else is told after this. */
  failed(error: unknown): void
  /** Something did not work that will be tried again. */
  trouble(where: string, error: unknown): void
  warning(text: string): void
}

export interface Chat {
  url: string
  respPort: number | undefined
  metrics: ChatMetrics
  /** Settles when the database can be used and the workers run. */
  ready: Promise<void>
  /** Ends in order: browsers, workers, log, database. What was acknowledged is where it was promised to be. */
  close(): Promise<void>
}

/** The database holds rows of another log: its numbers and those of this one would be mixed up. */
export class ForeignDatabase extends Error {
  override readonly name = 'ForeignDatabase'
}

/** A topic for the HTTP producer, open to anybody's first program: kept short, since nothing of the chat reads it. */
const OPEN_TOPIC = 'user-stream'
const OPEN_TOPIC_LENGTH = 100_000
const WEB_DIRECTORY = fileURLToPath(new URL('../../dist/web', import.meta.url))
/** A frame holds a text of 4000 characters of up to four bytes, escaped or not, and little else. */
const MAX_FRAME = 64 * 1024

/** Starts everything. Resolves when browsers are served; the embedded database may still be on its way (`ready`). */
export async function startChat(settings: Settings, events: ChatEvents, options: GatewayOptions = {}): Promise<Chat> {
  const closers: (() => Promise<void>)[] = []
  let closing = false
  const close = async () => {
    closing = true
    for (let closer = closers.pop(); closer; closer = closers.pop()) await closer()
  }
  try {
    // The port first: when it is taken, that is known before anything is opened.
    const server = createServer()
    await listening(server, settings)
    closers.push(() => closed(server))

    const source = await openLog(settings.log, settings.host, (progress) => events.loadingLog(progress))
    closers.push(() => source.close())
    const { yeoul } = source
    yeoul.on('error', ({ where, error }) => events.trouble(where, error))
    yeoul.on('warning', ({ text }) => events.warning(text))
    events.logOpened(yeoul.facts.address, yeoul.facts.durability)

    const log = new ChatLog(yeoul)
    const identity = await log.identity(randomUUID())
    events.openingDatabase()
    const database = new Later(openFor(identity, settings))
    closers.push(async () => (await database.ready.catch(() => undefined))?.close())
    // A server answers soon or is not there; the embedded one is set up while people already talk.
    if ('url' in settings.database) await database.ready

    const operations = new Operations(yeoul, {
      publish: [yeoul.topic<never>(OPEN_TOPIC, { bound: { maxLength: OPEN_TOPIC_LENGTH, onFull: 'trim' } })],
      checks: { database: () => (database.current ? undefined : 'the database is still being opened') },
    })
    const metrics = new ChatMetrics(operations.registry)
    closers.push(async () => metrics.close())
    const rooms = new RoomDirectory(log)
    const history = new History(log, database)
    const { channels, facts } = yeoul
    const gateway = new Gateway(
      {
        log,
        history,
        rooms,
        channels,
        database,
        metrics,
        facts: { durability: facts.durability, server: `${facts.kind} ${facts.version}`, log: identity },
        onError: (where, error) => events.trouble(where, error),
      },
      { send: { rate: settings.sendRate, burst: settings.sendRate * 3 }, ...options },
    )
    closers.push(() => gateway.stop())
    await gateway.start()
    await rooms.load()

    const workers: Worker[] = []
    closers.push(async () => {
      await Promise.all(workers.map((worker) => worker.stop()))
    })
    const ready = database.ready.then(async (opened) => {
      if (closing) return
      await rooms.complete(opened)
      events.databaseReady(opened)
      workers.push(
        ...createWorkers({
          log,
          database: opened,
          channels,
          metrics,
          people: (room) => rooms.get(room)?.reads.keys() ?? [],
          onError: (where, error) => events.trouble(where, error),
        }),
      )
      await Promise.all(workers.map((worker) => worker.start()))
    })
    ready.catch((error) => {
      if (!closing) events.failed(error)
    })

    const http = createHttp({
      rooms,
      history,
      database,
      metrics,
      operations: (request) => operations.handle(request),
      roomOpened: (room) => void publishHint(channels, { type: 'room', room }).catch(() => undefined),
      onError: (where, error) => events.trouble(where, error),
      webDirectory: WEB_DIRECTORY,
    })
    server.removeAllListeners('request')
    server.on('request', getRequestListener(http.fetch))
    acceptSockets(server, gateway)
    return { url: addressOf(server, settings), respPort: source.respPort, metrics, ready, close }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

async function openFor(log: string, settings: Settings): Promise<Database> {
  const database = await openDatabase(settings.database)
  const bound = await bindToLog(database, log)
  if (bound === log) return database
  await database.close()
  throw new ForeignDatabase(`the database was written from log ${bound}, this is log ${log}`)
}

function listening(server: Server, { host, port }: Settings): Promise<void> {
  server.on('request', (_, response) => {
    response.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' }).end('starting\n')
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** WebSockets at `/ws`, for pages of this very origin: another site's page must not speak in its visitor's name. */
function acceptSockets(server: Server, gateway: Gateway): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME, perMessageDeflate: false })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const { origin, host } = request.headers
    if (request.url?.split('?')[0] !== '/ws') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
    } else if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
    } else {
      sockets.handleUpgrade(request, socket, head, (opened) => gateway.accept(opened, socket))
    }
  })
}

function addressOf(server: Server, { host }: Settings): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
