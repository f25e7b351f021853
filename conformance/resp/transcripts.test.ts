import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine, Request, type Session } from '../../packages/yeoul/src/engine/index.js'
import { type RunningServer, startRedis } from '../servers.js'
import { type PeerName, peers } from './peers.js'
import { decode, RawClient, show } from './resp.js'

/*
 * A transcript is a text of cases. Each begins with an empty server:
 *
 *     ## what it shows [since 8.2] [not valkey 9.1: why] [RESP3]
 *     > XADD s 1-1 f ""          a command of the first client; a word in quotes is JSON
 *     $"1-1"                     its reply, as resp.ts shows values
 *     2> XREAD BLOCK 0 …         a command of the second client; no reply: it waits
 *     2< *[…]                    what it is given later
 *
 * TRANSCRIPTS=write puts the engine's replies in; the servers are the judges of what is there.
 */

interface Case {
  readonly title: string
  readonly since: number
  readonly not: string[]
  readonly protocol: '2' | '3'
  readonly lines: string[]
}

const SPEAKS: Record<PeerName, number> = { 'redis 7.0': 7.0, 'redis 8.2': 8.2, 'valkey 9.1': 7.2 }

const folder = fileURLToPath(new URL('./transcripts/', import.meta.url))
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'))

function parse(text: string): Case[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [title, ...lines] = part.trimEnd().split('\n')
      return {
        title: title.replace(/ \[.*$/, ''),
        since: Number(/\[since ([0-9.]+)\]/.exec(title)?.[1] ?? 0),
        not: [...title.matchAll(/\[not ([^:\]]+): [^\]]+\]/g)].map((match) => match[1]),
        protocol: title.includes('[RESP3]') ? '3' : '2',
        lines: lines.filter((line) => line !== ''),
      }
    })
}

function wordsOf(line: string): string[] {
  const words = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  return words.map((word) => (word.startsWith('"') ? (JSON.parse(word) as string) : word))
}

const COMMAND = /^([2-9]?)> (.*)$/

/** Plays the commands of a case; answers the whole of it with the replies as they came. */
async function play(
  lines: readonly string[],
  run: (client: number, words: string[]) => Promise<string[][]>,
): Promise<string[]> {
  const played: string[] = []
  for (const line of lines) {
    const command = COMMAND.exec(line)
    if (command === null) continue
    const client = command[1] === '' ? 0 : Number(command[1]) - 1
    played.push(line)
    for (const [i, replies] of (await run(client, wordsOf(command[2]))).entries()) {
      for (const reply of replies) played.push(i === client ? reply : `${i === 0 ? '' : i + 1}< ${reply}`)
    }
  }
  return played
}

const CLIENTS = 4

async function onEngine({ lines, protocol }: Case): Promise<string[]> {
  const engine = await Engine.open()
  const sessions: Session[] = Array.from({ length: CLIENTS }, () => engine.createSession())
  const send = (client: number, words: string[]): string[][] => {
    engine.execute(sessions[client], Request.fromBuffers(words.map((word) => Buffer.from(word, 'latin1'))))
    return sessions.map((session) => {
      const bytes = session.output.take()
      const replies: string[] = []
      for (let at = 0; at < bytes.length; ) {
        const decoded = decode(bytes, at)
        if (decoded === undefined) throw new Error('half a reply')
        replies.push(show(decoded.value))
        at = decoded.end
      }
      return replies
    })
  }
  for (let client = 0; client < CLIENTS; client++) send(client, ['HELLO', protocol])
  const played = await play(lines, async (client, words) => send(client, words))
  await engine.close()
  return played
}

/** Which replies to wait for is told by the transcript: those that stand behind the command. */
async function onServer(port: number, { lines, protocol }: Case): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.open(port)))
  await clients[0].pipeline([['FLUSHALL'], ['CONFIG', 'SET', 'stream-node-max-entries', '100']])
  for (const client of clients) await client.pipeline([['HELLO', protocol]])
  let at = 0
  const played = await play(lines, async (client, words) => {
    const counts = new Array<number>(CLIENTS).fill(0)
    for (at++; at < lines.length && !COMMAND.test(lines[at]); at++) {
      const other = /^([2-9]?)< /.exec(lines[at])
      counts[other === null ? client : other[1] === '' ? 0 : Number(other[1]) - 1]++
    }
    clients[client].send(words)
    const taken: string[][] = []
    for (const [i, one] of clients.entries()) taken.push((await one.take(counts[i], 2000)).map(show))
    return taken
  })
  for (const client of clients) client.close()
  return played
}

if (process.env.TRANSCRIPTS === 'write') {
  for (const file of files) {
    const text = readFileSync(folder + file, 'utf8')
    const [head, ...parts] = text.split(/^(?=## )/m)
    const written = await Promise.all(
      parts.map(async (part) => `${part.split('\n', 1)[0]}\n${(await onEngine(parse(part)[0])).join('\n')}\n`),
    )
    writeFileSync(folder + file, `${head.trimEnd()}\n\n${written.join('\n')}`.trimStart())
  }
}

const cases = files.flatMap((file) =>
  parse(readFileSync(folder + file, 'utf8')).map((each) => ({
    ...each,
    name: `${file.replace('.txt', '')}: ${each.title}`,
  })),
)

describe('E1 the engine answers what the transcripts say', () => {
  it.each(cases)('$name', async (each) => {
    expect(await onEngine(each)).toEqual(each.lines)
  })
})

for (const { name: peer, program } of peers()) {
  describe.runIf(program !== undefined)(`E1 and so does ${peer}`, () => {
    let server: RunningServer

    beforeAll(async () => {
      server = await startRedis([], { program })
    })

    afterAll(async () => {
      await server?.stop()
    })

    const known = cases.filter(({ since, not }) => since <= SPEAKS[peer] && !not.includes(peer))
    it.each(known)('$name', async (each) => {
      expect(await onServer(server.port, each)).toEqual(each.lines)
    })
  })
}
