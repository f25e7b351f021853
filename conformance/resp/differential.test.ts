import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { Engine, Request } from '../../packages/yeoul/src/engine/index.js'
import { type RunningServer, startRedis } from '../servers.js'
import { normalise } from './differences.js'
import { peers } from './peers.js'
import { finalState, keyspaceSequence, streamSequence } from './random-commands.js'
import { decode, RawClient, show, type Value } from './resp.js'

/** Sequences a suite; more by DIFFERENTIAL_RUNS. A failure prints its seed: DIFFERENTIAL_SEED replays it. */
const runs = Number(process.env.DIFFERENTIAL_RUNS ?? 40)
/** The short run is always the same; a long one looks at other sequences each time and prints its seed when it fails. */
const seed =
  process.env.DIFFERENTIAL_SEED !== undefined
    ? Number(process.env.DIFFERENTIAL_SEED)
    : process.env.DIFFERENTIAL_RUNS === undefined
      ? 20_261_122
      : undefined

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

for (const { name: peer, program } of peers()) {
  describe.runIf(program !== undefined)(`E1 the engine answers as ${peer} does`, () => {
    let server: RunningServer
    let client: RawClient
    let compared = 0

    beforeAll(async () => {
      server = await startRedis([], { program })
      client = await RawClient.open(server.port)
    })

    afterAll(async () => {
      client?.close()
      console.log(`${peer}: ${compared} commands compared, and the state after each sequence`)
      await server?.stop()
    })

    for (const [what, sequence] of [
      ['streams', streamSequence(peer)],
      ['keys, strings, hashes and sorted sets', keyspaceSequence(peer)],
    ] as const) {
      for (const protocol of ['2', '3'] as const) {
        it(`random commands on ${what}, RESP${protocol}`, { timeout: 3_600_000 }, async () => {
          await fc.assert(
            fc.asyncProperty(sequence, async (commands) => {
              const all = [...commands, ...finalState]
              compared += commands.length
              const reset = [
                ['RESET'],
                ['HELLO', protocol],
                ['FLUSHALL'],
                ['CONFIG', 'SET', 'stream-node-max-entries', '100'],
                ['CONFIG', 'SET', 'stream-node-max-bytes', '4096'],
              ]
              const theirs = (await client.pipeline([...reset, ...all])).slice(reset.length)
              const ours = await onEngine(all, protocol)
              const wanted = normalise(peer, all, theirs)
              const got = normalise(peer, all, ours)
              for (let i = 0; i < all.length; i++) {
                const [one, other] = [show(wanted[i]), show(got[i])]
                if (one !== other) {
                  throw new Error(
                    `${JSON.stringify(all[i])} after ${JSON.stringify(all.slice(0, i))}\n  ${peer}: ${one}\n  engine: ${other}`,
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
}
