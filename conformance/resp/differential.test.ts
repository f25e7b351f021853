import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { Engine, Request } from '../../packages/yeoul/src/engine/index.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { comparable } from './differences.js'
import { finalState, keyspaceSequence, streamSequence } from './random-commands.js'
import { decode, RawClient, show, type Value } from './resp.js'

/** Sequences a suite; more by DIFFERENTIAL_RUNS. A failure prints its seed: DIFFERENTIAL_SEED replays it. */
const runs = Number(process.env.DIFFERENTIAL_RUNS ?? 150)
const seed = process.env.DIFFERENTIAL_SEED === undefined ? undefined : Number(process.env.DIFFERENTIAL_SEED)

async function onEngine(commands: readonly string[][], protocol: '2' | '3'): Promise<Value[]> {
  const engine = await Engine.open()
  const session = engine.createSession()
  const replies: Value[] = []
  for (const command of [['HELLO', protocol], ...commands]) {
    engine.execute(session, Request.fromBuffers(command.map((word) => Buffer.from(word, 'latin1'))))
    const bytes = session.output.take()
    const decoded = decode(bytes, 0)
    if (decoded === undefined || decoded.end !== bytes.length) {
      throw new Error(`${JSON.stringify(command)} answered ${JSON.stringify(bytes.toString('latin1'))}`)
    }
    replies.push(decoded.value)
  }
  await engine.close()
  return replies.slice(1)
}

/** Makes what may differ equal; the replies of EXEC are those of the commands queued before it. */
function normalise(commands: readonly string[][], replies: readonly Value[]): Value[] {
  let queued: string[][] = []
  return commands.map((command, i) => {
    const reply = replies[i]
    const name = command[0].toUpperCase()
    if (reply.type === '+' && reply.text === 'QUEUED') {
      queued.push(command)
      return reply
    }
    if (name === 'EXEC' && 'items' in reply) {
      const run = queued
      queued = []
      return { ...reply, items: reply.items.map((item, k) => comparable(item, run[k])) }
    }
    if (name === 'EXEC' || name === 'DISCARD') queued = []
    return comparable(reply, command)
  })
}

describe.runIf(hasRedis())('E1 the engine answers as redis-server 7.0 does', () => {
  let redis: RunningServer
  let client: RawClient

  beforeAll(async () => {
    redis = await startRedis()
    client = await RawClient.open(redis.port)
  })

  afterAll(async () => {
    client?.close()
    await redis?.stop()
  })

  for (const [what, sequence] of [
    ['streams', streamSequence],
    ['keys, strings, hashes and sorted sets', keyspaceSequence],
  ] as const) {
    for (const protocol of ['2', '3'] as const) {
      it(`random commands on ${what}, RESP${protocol}`, { timeout: 600_000 }, async () => {
        await fc.assert(
          fc.asyncProperty(sequence, async (commands) => {
            const all = [...commands, ...finalState]
            const reset = [
              ['RESET'],
              ['HELLO', protocol],
              ['FLUSHALL'],
              ['CONFIG', 'SET', 'stream-node-max-entries', '100'],
              ['CONFIG', 'SET', 'stream-node-max-bytes', '4096'],
            ]
            const theirs = (await client.pipeline([...reset, ...all])).slice(reset.length)
            const ours = await onEngine(all, protocol)
            const wanted = normalise(all, theirs)
            const got = normalise(all, ours)
            for (let i = 0; i < all.length; i++) {
              const [one, other] = [show(wanted[i]), show(got[i])]
              if (one !== other) {
                throw new Error(
                  `${JSON.stringify(all[i])} after ${JSON.stringify(all.slice(0, i))}\n  redis:  ${one}\n  engine: ${other}`,
                )
              }
            }
          }),
          { numRuns: runs, seed, endOnFailure: false },
        )
      })
    }
  }
})
