import { describe, expect, it } from 'vitest'
import { ManualClock } from '../io/manual-clock.js'
import { MemoryStorage } from '../io/memory-storage.js'
import { DirectoryLocked } from '../io/storage.js'
import type { Request } from '../resp/request.js'
import { WriteFailed } from './errors.js'
import { type AppendFsync, AppendOnlyFile } from './log.js'

const INCREMENT = '/data/appendonlydir/appendonly.aof.1.incr.aof'

function words(request: Request, database: number): string {
  const list = [`db${database}`]
  for (let i = 0; i < request.count; i++) list.push(request.string(i))
  return list.join(' ')
}

async function openLog(
  storage: MemoryStorage,
  clock = new ManualClock(),
  appendfsync: AppendFsync = 'always',
): Promise<{ log: AppendOnlyFile; effects: string[]; clock: ManualClock }> {
  const effects: string[] = []
  const log = await AppendOnlyFile.open({
    directory: '/data',
    storage,
    clock,
    appendfsync,
    apply: (request, database) => effects.push(words(request, database)),
  })
  return { log, effects, clock }
}

async function replay(storage: MemoryStorage): Promise<string[]> {
  const { log, effects } = await openLog(storage)
  await log.close()
  return effects
}

/** Lets the log's pending steps run until nothing moves on this turn any more. */
async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('effects', () => {
  it('come back as they were written, in their databases', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    const binary = Buffer.from([0, 13, 10, 255, 35])
    const wire = Buffer.from('xx$1\r\nf\r\n$2\r\nvv\r\nyy')
    log.begin(0, 3)
    log.bulk('SET')
    log.bytes(binary, 1, 5)
    log.number(18446744073709551615n)
    log.begin(3, 5)
    log.bulk('XADD')
    log.bulk('a-name-that-is-longer-than-twenty-three-characters')
    log.bulk('1-1')
    log.raw(wire, 2, wire.length - 2)
    log.effect(3, 'DEL', 7, Buffer.from('é'))
    await log.committed()
    await log.close()
    expect(await replay(storage)).toEqual([
      'db0 SET \r\n\xff# 18446744073709551615',
      'db3 XADD a-name-that-is-longer-than-twenty-three-characters 1-1 f vv',
      'db3 DEL 7 \xc3\xa9',
    ])
  })

  it('of one turn share one write and one sync', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    const operations: string[] = []
    storage.before = (operation) => operations.push(operation)
    for (let i = 0; i < 100; i++) log.effect(0, 'SET', 'k', i)
    await log.committed()
    expect(operations).toEqual(['write', 'datasync'])
    await log.close()
  })

  it('of a transaction are framed by MULTI and EXEC only when there are several', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    log.openTransaction()
    log.effect(0, 'SET', 'a', 1)
    log.closeTransaction()
    log.openTransaction()
    log.effect(0, 'SET', 'b', 1)
    log.openTransaction()
    log.effect(0, 'SET', 'c', 1)
    log.closeTransaction()
    log.closeTransaction()
    log.openTransaction()
    log.closeTransaction()
    await log.committed()
    const text = storage.contents(INCREMENT).toString('latin1')
    expect(text.match(/SELECT|MULTI|EXEC|[abc]\r\n\$1\r\n1/g)).toEqual([
      'SELECT',
      'a\r\n$1\r\n1',
      'MULTI',
      'b\r\n$1\r\n1',
      'c\r\n$1\r\n1',
      'EXEC',
    ])
    await log.close()
  })
})

describe('durability', () => {
  it('E3 always: durable only after the sync', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    expect(log.committed()).toBeUndefined()
    const seen: number[] = []
    log.onDurable((durable) => seen.push(durable))
    log.effect(0, 'SET', 'k', 1)
    const written = log.written
    expect(log.durable).toBe(0)
    let synced = -1
    storage.before = (operation) => {
      if (operation === 'datasync') synced = log.durable
    }
    await log.committed()
    expect(synced).toBe(0)
    expect(log.durable).toBe(written)
    expect(log.synced).toBe(written)
    expect(seen).toEqual([written])
    await log.close()
  })

  it('E3 everysec: durable after the write, synced by the timer', async () => {
    const storage = new MemoryStorage()
    const { log, clock } = await openLog(storage, new ManualClock(), 'everysec')
    log.effect(0, 'SET', 'k', 1)
    await log.committed()
    expect(log.durable).toBe(log.written)
    expect(log.synced).toBe(0)
    clock.advance(1000)
    await turns(2)
    expect(log.synced).toBe(log.written)
    expect(storage.syncedLength(INCREMENT)).toBe(storage.contents(INCREMENT).length)
    log.effect(0, 'SET', 'k', 2)
    await log.sync()
    expect(log.synced).toBe(log.written)
    await log.close()
  })

  it.each([
    ['write', 'ENOSPC'],
    ['datasync', 'EIO'],
  ] as const)('E5 a failed %s (%s) is not acknowledged, tried again, and recovers', async (operation, code) => {
    const storage = new MemoryStorage()
    const { log, clock } = await openLog(storage)
    log.effect(0, 'SET', 'k', 1)
    await log.committed()
    const before = log.durable
    const failures: WriteFailed[] = []
    log.onFailure((failure) => failures.push(failure))
    storage.failNext(operation, code, { times: 3, taken: 20 })
    log.effect(0, 'SET', 'k', 2)
    const error = await log.committed()!.catch((reason) => reason)
    expect(error).toBeInstanceOf(WriteFailed)
    expect(error.code).toBe(code)
    expect(log.failure).toBe(error)
    expect(log.durable).toBe(before)
    log.effect(0, 'SET', 'k', 3)
    await expect(log.committed()).rejects.toBe(error)
    for (let i = 0; i < 3; i++) {
      clock.advance(clock.nextTimer ?? 0)
      await turns()
    }
    expect(log.failure).toBeUndefined()
    expect(failures).toHaveLength(1)
    expect(log.durable).toBe(log.written)
    await log.close()
    expect(await replay(storage)).toEqual(['db0 SET k 1', 'db0 SET k 2', 'db0 SET k 3'])
  })

  it('E5 what a failed everysec sync may have lost is written again', async () => {
    const storage = new MemoryStorage()
    const { log, clock } = await openLog(storage, new ManualClock(), 'everysec')
    log.effect(0, 'SET', 'k', 1)
    await log.committed()
    log.effect(0, 'SET', 'k', 2)
    await log.committed()
    storage.failNext('datasync', 'EIO', { times: 2 })
    clock.advance(1000)
    await turns()
    expect(log.failure?.code).toBe('EIO')
    const writes: number[] = []
    storage.before = (operation) => {
      if (operation === 'write') writes.push(1)
    }
    clock.advance(clock.nextTimer ?? 0)
    await turns()
    expect(writes).toHaveLength(2)
    expect(log.failure).toBeUndefined()
    expect(log.synced).toBe(log.written)
    await log.close()
    expect(await replay(storage)).toEqual(['db0 SET k 1', 'db0 SET k 2'])
  })

  it('E5 closing on a broken disk says so, and lets the directory go', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    storage.failNext('write', 'EIO', { times: 1000, taken: 30 })
    log.effect(0, 'SET', 'k', 1)
    await expect(log.committed()).rejects.toBeInstanceOf(WriteFailed)
    await expect(log.close()).rejects.toBeInstanceOf(WriteFailed)
    storage.heal()
    const again = await openLog(storage)
    expect(again.effects).toEqual([])
    expect(again.log.cuts).toEqual([])
    await again.log.close()
  })

  it('E8 a second log of the directory is refused', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    await expect(openLog(storage)).rejects.toBeInstanceOf(DirectoryLocked)
    await log.close()
    await replay(storage)
  })
})

describe('compaction', () => {
  it('E6 replaces what was written by the snapshot, and keeps what came after it', async () => {
    const storage = new MemoryStorage()
    const { log } = await openLog(storage)
    const state = new Map<string, number>()
    const set = (key: string, value: number): void => {
      state.set(key, value)
      log.effect(1, 'SET', key, value)
    }
    for (let round = 1; round <= 3; round++) {
      for (let i = 0; i < 50; i++) set(`k${i % 5}`, round * 1000 + i)
      const rewriting = log.rewrite((sink) => {
        const fixed = [...state]
        return (function* () {
          for (const [key, value] of fixed) {
            sink.effect(1, 'SET', key, value)
            set(`late-${key}`, value)
            yield
          }
        })()
      })
      set('between', round)
      await rewriting
      expect(log.rewriting).toBe(false)
    }
    await log.committed()
    const size = log.size
    await log.close()
    expect((await storage.list('/data/appendonlydir')).sort()).toEqual([
      'appendonly.aof.3.base.aof',
      'appendonly.aof.4.incr.aof',
      'appendonly.aof.manifest',
    ])
    const replayed = new Map<string, number>()
    const effects = await replay(storage)
    for (const effect of effects) {
      const [, , key, value] = effect.split(' ')
      replayed.set(key, Number(value))
    }
    expect(replayed).toEqual(state)
    expect(size).toBe(
      storage.contents('/data/appendonlydir/appendonly.aof.3.base.aof').length +
        storage.contents('/data/appendonlydir/appendonly.aof.4.incr.aof').length,
    )
  })

  it('E6 interrupted by a crash or a fault at any step it leaves what was there', async () => {
    let operations = 0
    for (const way of ['crash', 'fault'] as const) {
      for (let step = 0; ; step++) {
        const storage = new MemoryStorage()
        const { log, clock } = await openLog(storage)
        for (let i = 0; i < 5; i++) log.effect(0, 'SET', `k${i}`, i)
        await log.committed()
        let count = 0
        let image: MemoryStorage | undefined
        storage.before = (operation, path) => {
          if (count++ !== step) return
          if (way === 'crash') image = storage.clone()
          else throw Object.assign(new Error(`${operation} ${path}`), { code: 'EIO' })
        }
        const outcome = log
          .rewrite((sink) => {
            const steps = [0, 1, 2, 3, 4]
            return (function* () {
              for (const i of steps) {
                sink.effect(0, 'SET', `k${i}`, i)
                yield
              }
            })()
          })
          .catch((error) => error)
        await turns()
        while (clock.nextTimer !== undefined) {
          clock.advance(clock.nextTimer)
          await turns()
        }
        await outcome
        storage.before = undefined
        log.effect(0, 'SET', 'k5', 5)
        await log.committed()
        const expected = ['k0', 'k1', 'k2', 'k3', 'k4']
        if (image !== undefined) {
          image.crash({ keep: 0 })
          const keys = (await replay(image)).map((effect) => effect.split(' ')[2])
          expect(keys, `crash before operation ${step}`).toEqual(expected)
        }
        await log.close()
        const keys = (await replay(storage)).map((effect) => effect.split(' ')[2])
        expect(keys, `${way} at operation ${step}`).toEqual([...expected, 'k5'])
        if (count <= step) {
          operations = step
          break
        }
      }
    }
    expect(operations).toBeGreaterThan(15)
  })
})
