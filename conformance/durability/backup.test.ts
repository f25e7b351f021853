import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { ManualClock } from '../../packages/yeoul/src/engine/io/manual-clock.js'
import { MemoryStorage } from '../../packages/yeoul/src/engine/io/memory-storage.js'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { hasYeoul, startYeoul } from '../servers.js'
import { nextCommand } from './history.js'
import { Model } from './model.js'
import { random } from './random.js'
import { linesOfEngine, linesOfModel } from './state.js'

const run = promisify(execFile)
const command = fileURLToPath(new URL('../../packages/yeoul/bin/yeoul.js', import.meta.url))
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a copy made while commands go on', () => {
  it('E3 is the state of one moment since it was asked for, compactions or not (80 seeds)', async () => {
    let compacted = 0
    for (let seed = 1; seed <= 80; seed++) {
      const below = random(seed)
      const storage = new MemoryStorage()
      const clock = new ManualClock()
      const policy = (['always', 'everysec', 'no'] as const)[below(3)]
      const config = { 'stream-node-max-entries': '3' }
      const engine = await Engine.open({ directory: '/data', storage, clock, appendfsync: policy, config })
      const model = new Model()
      const session = engine.createSession()
      const states: string[] = []
      const step = () => {
        const words = nextCommand(below, model, 0, clock.now(), { expiring: false, newer: true })
        engine.execute(session, Request.fromBuffers(words.map((word) => Buffer.from(word, 'latin1'))))
        session.output.take()
        model.run(0, words, clock.now())
        states.push(linesOfModel(model, clock.now()).join('\n'))
        clock.advance(below(20))
      }
      for (let i = 0; i < 40; i++) step()
      // Every operation of the disk takes a while, so that the copy meets commands and compactions.
      storage.before = async () => {
        for (let i = below(3); i > 0; i--) await turn()
      }
      const asked = states.length - 1
      let done = false
      const copying = engine.backup('/copy').finally(() => {
        done = true
      })
      while (!done) {
        step()
        if (below(6) === 0) {
          engine.rewriteLog().then(
            () => compacted++,
            (error) => expect(error.name).toBe('RewriteAbandoned'),
          )
        }
        await turn()
      }
      const { effects } = await copying
      storage.before = undefined
      const copy = await Engine.open({ directory: '/copy', storage, clock: new ManualClock(), config })
      const found = states.lastIndexOf(linesOfEngine(copy, clock.now()).join('\n'))
      expect(found, `seed ${seed}`).toBeGreaterThanOrEqual(asked)
      expect(copy.log?.replayed, `seed ${seed}`).toBe(effects)
      await copy.close()
      await engine.close()
    }
    expect(compacted).toBeGreaterThan(20)
  })

  it('refuses a target in use, and what holds no log; a source that is damaged is not passed on', async () => {
    const storage = new MemoryStorage()
    const engine = await Engine.open({ directory: '/data', storage, clock: new ManualClock() })
    engine.streams.append('s', ['f', 'v'])
    await engine.backup('/copy')
    await expect(engine.backup('/copy')).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
    await expect(engine.backup('/data')).rejects.toMatchObject({ code: 'BACKUP_REFUSED' })
    engine.streams.append('s', ['f', 'v'])
    engine.streams.append('s', ['f', 'w'])
    await engine.committed()
    engine.streams.append('s', ['f', 'x'])
    await engine.committed()
    const increment = '/data/appendonlydir/appendonly.aof.1.incr.aof'
    const bytes = storage.contents(increment)
    bytes[100] ^= 1
    storage.plant(increment, bytes)
    await expect(engine.backup('/other')).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
    await expect(Engine.open({ directory: '/other', storage, clock: new ManualClock() })).rejects.toMatchObject({
      code: 'CORRUPT_LOG',
    })
    await engine.close()
    await expect((await Engine.open()).backup('/third')).rejects.toThrow('in memory')
  })
})

describe.skipIf(!hasYeoul())('yeoul backup', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'yeoul-backup-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('E3 copies the directory of a server under traffic: nothing acknowledged before it is missing', {
    timeout: 60_000,
  }, async () => {
    const server = await startYeoul()
    try {
      const client = createClient({ url: server.url })
      await client.connect()
      let acknowledged = 0
      let stopped = false
      const traffic = (async () => {
        while (!stopped) {
          await Promise.all(
            Array.from({ length: 20 }, () => client.xAdd('s', '*', { n: 'x'.repeat(200) }).then(() => acknowledged++)),
          )
        }
      })()
      for (let copy = 0; copy < 4; copy++) {
        if (copy % 2 === 1) await client.sendCommand(['BGREWRITEAOF'])
        const before = acknowledged
        const target = path.join(directory, `copy-${copy}`)
        const { stdout } = await run(process.execPath, [command, 'backup', server.directory, '--to', target])
        expect(stdout).toMatch(/^copied .* files, .* bytes, .* effects; sound\n$/)
        const engine = await Engine.open({ directory: target })
        const length = engine.streams.length('s')
        expect(length).toBeGreaterThanOrEqual(before)
        expect(length).toBeLessThanOrEqual(acknowledged + 20)
        expect(engine.log?.cuts).toEqual([])
        await engine.close()
      }
      stopped = true
      await traffic
      client.destroy()
      await expect(
        run(process.execPath, [command, 'backup', server.directory, '--to', path.join(directory, 'copy-0')]),
      ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('holds files already') })
      await expect(
        run(process.execPath, [command, 'backup', directory, '--to', path.join(directory, 'none')]),
      ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('holds no appendonlydir') })
      expect(await readdir(path.join(directory, 'copy-0', 'appendonlydir'))).toContain('appendonly.aof.manifest')
    } finally {
      await server.stop()
    }
  })
})
