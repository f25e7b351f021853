import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { listen, type RespServer } from '../../packages/yeoul/src/server/server.js'
import { linesOfEngine } from '../durability/state.js'
import { decode, RawClient, show } from '../resp/resp.js'
import { Dice, encode, HostilePeer } from './random-bytes.js'

/**
 * Bytes sent in all; HOSTILE_BYTES=1e8 runs for long. A failure names the seed of its batch: HOSTILE_SEED=n runs that
 * batch alone.
 */
const bytes = Number(process.env.HOSTILE_BYTES ?? 3e6)
const given = process.env.HOSTILE_SEED === undefined ? undefined : Number(process.env.HOSTILE_SEED)

/** Connections of one batch, and about how much each of them sends. */
const PEERS = 40
const SENDS = 12_000

/** The replies must be RESP to the last byte, and none of them may tell of a defect. */
class Replies {
  #held: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    let at = 0
    while (at < this.#held.length) {
      const next = decode(this.#held, at)
      if (next === undefined) break
      const { value } = next
      if (value.type === '-' && value.text.includes('internal error')) throw new Error(show(value))
      at = next.end
    }
    this.#held = this.#held.subarray(at)
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** A reset is a close like others here, while `once` would reject. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** One batch: hostile peers beside one another, on one engine; resolves with what was sent and run. */
async function batch(seed: number, directory?: string): Promise<{ bytes: number; commands: number }> {
  const failures: unknown[] = []
  const options = { directory, appendfsync: 'no' as const, onError: (error: Error) => void failures.push(error) }
  const engine = await Engine.open(options)
  const server = await listen(engine, {
    port: 0,
    onError: (error) => failures.push(error),
    onShutdown: () => {},
  })
  let sent = 0
  try {
    const good = await RawClient.open(server.port)
    const one = async (number: number) => {
      const dice = new Dice(seed * 1000 + number)
      const peer = new HostilePeer(dice, engine.table)
      const replies = new Replies()
      const socket = await open(server.port)
      const closed = gone(socket)
      socket.on('data', (chunk) => {
        try {
          replies.take(chunk)
        } catch (error) {
          failures.push(error)
          socket.destroy()
        }
      })
      for (let left = SENDS; left > 0 && !socket.destroyed && socket.writable; ) {
        let text = ''
        for (let i = dice.below(20); i >= 0; i--) text += peer.message()
        // Cut anywhere: what belongs together may come in two reads.
        const at = dice.below(text.length + 1)
        for (const part of [text.slice(0, at), text.slice(at)]) {
          if (part === '') continue
          socket.write(part, 'latin1')
          sent += part.length
          await turn()
        }
        left -= text.length
      }
      // Some peers say goodbye, others vanish.
      if (dice.chance(0.5)) socket.end()
      else socket.destroy()
      await closed
    }
    // Ten at a time, so that they act on one another's keys, channels and transactions.
    for (let from = 0; from < PEERS; from += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => one(from + i)))
      const [pong] = await good.pipeline([['PING']])
      expect(show(pong)).toBe('+"PONG"')
    }
    while (server.connections > 1) await turn()
    expect(failures).toEqual([])
    expect([engine.sessions.size, engine.blocked.count, engine.monitors.size]).toEqual([1, 0, 0])
    expect([engine.pubsub.channelCount, engine.pubsub.patternCount, engine.pubsub.shardChannelCount]).toEqual([0, 0, 0])
    good.close()
    if (directory !== undefined) {
      // What expires while this runs is left to expire.
      const until = Date.now() + 60_000
      const kept = linesOfEngine(engine, until)
      await engine.close()
      const again = await Engine.open(options)
      expect(linesOfEngine(again, until)).toEqual(kept)
      await again.close()
      expect(failures).toEqual([])
    }
  } finally {
    await server.close()
    await engine.close()
  }
  return { bytes: sent, commands: engine.stats.commands }
}

test('E9 hostile bytes end in replies or refusals, never in a crash, a hang or a leak', {
  timeout: 3_600_000,
}, async () => {
  const first = given ?? Math.floor(Math.random() * 1e6)
  console.log(`HOSTILE_SEED=${first}`)
  let sent = 0
  let commands = 0
  let settled = 0
  for (let seed = first; sent < bytes; seed++) {
    try {
      const done = await batch(seed)
      sent += done.bytes
      commands += done.commands
    } catch (error) {
      throw new Error(`HOSTILE_SEED=${seed}`, { cause: error })
    }
    if (given !== undefined) break
    const { rss } = process.memoryUsage()
    if (settled === 0 && sent > bytes / 4) settled = rss
    // What batches leave behind would add up: a long run must not be larger than its first quarter.
    if (settled > 0) expect(rss).toBeLessThan(settled + 300 * 1024 * 1024)
  }
  console.log(`${sent} bytes, ${commands} commands run`)
})

test('E3 what hostile peers left behind is in the log and loads again', { timeout: 600_000 }, async () => {
  const first = given ?? Math.floor(Math.random() * 1e6)
  console.log(`HOSTILE_SEED=${first}`)
  const rounds = given === undefined ? Math.max(3, Math.round(bytes / 1e7)) : 1
  for (let seed = first; seed < first + rounds; seed++) {
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-hostile-'))
    try {
      await batch(seed, directory)
    } catch (error) {
      throw new Error(`HOSTILE_SEED=${seed}`, { cause: error })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
})

/** Sends text in two parts, the second once the server has received the first; resolves with all replies. */
async function inTwo(server: RespServer, text: string, at: number): Promise<string> {
  const { stats } = server.engine
  const socket = await open(server.port)
  let replies = ''
  socket.on('data', (chunk) => {
    replies += chunk.toString('latin1')
  })
  const before = stats.netInput
  if (at > 0) socket.write(text.slice(0, at), 'latin1')
  while (stats.netInput < before + at) await turn()
  socket.end(text.slice(at), 'latin1')
  await gone(socket)
  return replies
}

test('E9 a conversation is answered alike wherever its bytes are split', async () => {
  const engine = await Engine.open()
  const server = await listen(engine, { port: 0 })
  try {
    const text =
      encode(['FLUSHALL']) +
      encode(['XADD', 's', '1-1', 'f', '\r\n$5\r\n*1\r\n']) +
      'XLEN s\r\n' +
      encode(['XADD', 's', '1-1', 'f', '']) +
      encode(['XGROUP', 'CREATE', 's', 'g', '0']) +
      '\r\n*0\r\n*-1\r\n' +
      encode(['MULTI']) +
      encode(['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>']) +
      encode(['EXEC']) +
      encode(['HELLO', '3']).replace('HELLO', 'hello') +
      encode(['XREAD', 'STREAMS', 's', '0']) +
      'echo "a \\x00 b"\n' +
      encode(['nosuch', 'a\0b']) +
      '*1\r\n$x\r\n'
    const normal = (replies: string) => replies.replace(/id\r\n:\d+/, 'id')
    const whole = normal(await inTwo(server, text, 0))
    expect(whole.endsWith('-ERR Protocol error: invalid bulk length\r\n')).toBe(true)
    for (let at = 1; at < text.length; at++) {
      expect(normal(await inTwo(server, text, at)), `split at ${at}`).toBe(whole)
    }
  } finally {
    await server.close()
    await engine.close()
  }
})
