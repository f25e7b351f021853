import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { ManualClock } from '../../packages/yeoul/src/engine/io/manual-clock.js'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { nextCommand } from '../durability/history.js'
import { Model } from '../durability/model.js'
import { type Random, random } from '../durability/random.js'
import { linesOfEngine, linesOfModel } from '../durability/state.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { modelOfServer } from './redis-state.js'

const run = promisify(execFile)
const seeds = Number(process.env.SEEDS ?? 4)
const first = Number(process.env.SEED ?? 1)
const server = process.env.REDIS_SERVER ?? 'redis-server'
/** What is due within so many ms is not compared: it may go while it is read. */
const SOON = 60_000
/** What every server knows. What newer commands leave for older servers is in docs/decisions/newer-effects.md. */
const OLD = { expiring: true, newer: false }
const each = Array.from({ length: seeds }, (_, i) => first + i)

/** Random histories of all kinds of commands, through the whole engine on one side and a real server on the other. */
describe.skipIf(!hasRedis())('one directory, two engines', () => {
  let directory: string
  let running: RunningServer | undefined
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'yeoul-histories-'))
  })
  afterEach(async () => {
    await running?.stop()
    running = undefined
    await rm(directory, { recursive: true, force: true })
  })

  const start = async () => {
    const options = ['--appendonly', 'yes', '--aof-use-rdb-preamble', 'no']
    running = await startRedis(options, { directory, program: server })
    return running.url
  }
  const stop = async () => {
    await running?.stop()
    running = undefined
  }

  it.each(each)(
    'E7 redis-server shows what yeoul wrote: entries, groups, deliveries, counters, expiries (seed %i)',
    async (seed) => {
      const below = random(seed)
      const model = new Model()
      await onEngine(directory, below, model, 500)
      const { stdout } = await run('redis-check-aof', [
        path.join(directory, 'appendonlydir', 'appendonly.aof.manifest'),
      ])
      expect(stdout).toContain('is valid')
      const now = Date.now() + SOON
      const lines = linesOfModel(model, now)
      expect(lines.length).toBeGreaterThan(3)
      expect(linesOfModel(await modelOfServer(await start()), now)).toEqual(lines)
    },
  )

  it.each(each)(
    'E7 yeoul shows what redis-server wrote, and goes on where it ended, and back (seed %i)',
    async (seed) => {
      const below = random(seed)
      await onServer(await start(), below, 500)
      await stop()
      // Redis does not log how many entries a group has read: what it knows itself after a restart is what counts.
      const model = await modelOfServer(await start())
      await stop()
      // What expires from here on does so on both sides.
      await onEngine(directory, below, model, 200)
      const now = Date.now() + SOON
      const url = await start()
      expect(linesOfModel(await modelOfServer(url), now)).toEqual(linesOfModel(model, now))
    },
  )

  /** Goes on from the model with random commands; the directory and the model say the same before and after. */
  async function onEngine(directory: string, below: Random, model: Model, commands: number): Promise<void> {
    const clock = new ManualClock(Date.now())
    const engine = await Engine.open({
      directory,
      clock,
      appendfsync: 'no',
      config: { 'stream-node-max-entries': '5' },
    })
    expect(linesOfEngine(engine, Date.now() + SOON)).toEqual(linesOfModel(model, Date.now() + SOON))
    const sessions = [engine.createSession(), engine.createSession()]
    sessions[1].database = 1
    const send = (database: number, words: string[]) => {
      const buffers = words.map((word) => Buffer.from(word, 'latin1'))
      engine.execute(sessions[database], Request.fromBuffers(buffers))
      sessions[database].output.take()
      model.run(database, words, clock.now())
    }
    for (let i = 0; i < commands; i++) {
      const database = below(4) === 0 ? 1 : 0
      send(database, nextCommand(below, model, database, clock.now(), OLD))
      clock.advance(Math.max(0, Date.now() - clock.now()))
      if (i === 300) await engine.rewriteLog()
      if (below(8) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const name of ['s', 't', 'hash', 'zset', 'str']) send(0, ['PEXPIRE', name, '3600000'])
    expect(linesOfEngine(engine, clock.now())).toEqual(linesOfModel(model, clock.now()))
    await engine.close()
  }

  /** Random commands on a server. The functions are not there: they are left out. */
  async function onServer(url: string, below: Random, commands: number): Promise<void> {
    const client = createClient({ url, RESP: 2 })
    await client.connect()
    // It only helps to name what is there: the server's clock is not the model's.
    let guide = new Model()
    for (let i = 0; i < commands; i++) {
      const words = nextCommand(below, guide, 0, Date.now(), OLD)
      if (words[0] === 'FCALL') continue
      await client.sendCommand(words.map((word) => Buffer.from(word, 'latin1'))).catch(() => {})
      if (i === 300) await client.sendCommand(['BGREWRITEAOF'])
      if (i % 25 === 0) guide = await modelOfServer(url)
    }
    for (const name of ['s', 't', 'hash', 'zset']) await client.sendCommand(['PEXPIRE', name, '3600000'])
    const idle = /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/
    await expect.poll(() => client.info('persistence')).toMatch(idle)
    client.destroy()
  }
})
