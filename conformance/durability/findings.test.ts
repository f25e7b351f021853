import { describe, expect, it } from 'vitest'
import { Engine, type EngineOptions } from '../../packages/yeoul/src/engine/engine.js'
import { ManualClock } from '../../packages/yeoul/src/engine/io/manual-clock.js'
import { MemoryStorage } from '../../packages/yeoul/src/engine/io/memory-storage.js'
import { Request } from '../../packages/yeoul/src/engine/resp/request.js'
import { linesOfEngine } from './state.js'

/** What the simulation found, each as a case of its own. */

const LOG = '/data/appendonlydir'

function open(storage: MemoryStorage, options: EngineOptions = {}): Promise<Engine> {
  return Engine.open({ directory: '/data', storage, clock: new ManualClock(), ...options })
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('compaction', () => {
  it('E6 lists a base only when the effects it already shows are synced: no transaction is seen half', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage, { appendfsync: 'no' })
    const session = engine.createSession()
    const send = (...words: string[]) => engine.execute(session, Request.of(...words))
    for (let i = 0; i < 6000; i++) send('HSET', 'big', `f${i}`, 'v'.repeat(100))
    await engine.committed()
    // Both change while the base is being written: the hash is written as found, the string as it was.
    let changed = false
    let image: MemoryStorage | undefined
    storage.before = (operation, path) => {
      if (!changed && operation === 'write' && path.includes('.base.')) {
        changed = true
        for (const words of ['MULTI', 'HSET big f5999 changed', 'SET string changed', 'EXEC']) send(...words.split(' '))
      }
      // The new base is listed, the old increment is about to go.
      if (operation === 'unlink' && path.includes('.incr.')) image ??= storage.clone()
    }
    await engine.rewriteLog()
    expect(changed).toBe(true)
    storage.before = undefined
    await engine.close()
    const disk = image as unknown as MemoryStorage
    disk.crash({ keep: 0, names: () => true })
    const again = await open(disk)
    const check = again.createSession()
    again.execute(check, Request.of('HGET', 'big', 'f5999'))
    again.execute(check, Request.of('GET', 'string'))
    expect(check.output.take().toString()).toBe('$7\r\nchanged\r\n$7\r\nchanged\r\n')
    await again.close()
  })

  it('E6 leaves no file behind that a failed compaction made, not even across further ones', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage)
    engine.streams.append('s', ['f', 'v'])
    await engine.committed()
    // The directory cannot be synced once the base has its name.
    let seen = false
    storage.before = (operation, path) => {
      if (operation === 'rename' && path.includes('base')) seen = true
      else if (seen && operation === 'syncDirectory') {
        seen = false
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
    }
    await expect(engine.rewriteLog()).rejects.toThrow('EIO')
    storage.before = undefined
    await engine.rewriteLog()
    const names = await storage.list(LOG)
    expect(names.filter((name) => name.includes('.base.'))).toHaveLength(1)
    await engine.close()
  })
})

describe('what a process before us left', () => {
  it('E3 a manifest whose name was not durable yet is made so before anything is acknowledged', async () => {
    const storage = new MemoryStorage()
    storage.before = (operation, path) => {
      if (operation === 'syncDirectory' && path === '/data') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await expect(open(storage)).rejects.toThrow('EIO')
    storage.before = undefined
    const engine = await open(storage)
    engine.streams.append('s', ['f', 'v'])
    await engine.committed()
    const disk = storage.clone()
    await engine.close()
    disk.crash({ keep: 0, names: () => false })
    const again = await open(disk)
    expect(again.streams.length('s')).toBe(1)
    await again.close()
  })

  it('E3 records of which a sync failed are written again before later ones call them synced', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage, { appendfsync: 'everysec' })
    engine.streams.append('s', ['f', 'v'.repeat(2000)])
    await engine.committed()
    storage.failNext('datasync', 'EIO', { times: 100 })
    await expect(engine.log?.sync()).rejects.toThrow('EIO')
    // The process ends here; what it wrote is in memory of the system, but no longer on its way to the medium.
    storage.crash()
    const second = await open(storage)
    second.streams.append('s', ['f', 'second'])
    await second.committed()
    const disks = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => {
      const disk = storage.clone()
      let state = seed
      disk.crash({ random: (below) => (state = (state * 7 + 3) % 101) % below })
      return disk
    })
    await second.close()
    for (const disk of disks) {
      const third = await open(disk)
      expect(third.streams.length('s')).toBe(2)
      expect(third.log?.cuts).toEqual([])
      await third.close()
    }
  })

  it('E3 a clean end spares the next one to open a long log writing it all again', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage, { appendfsync: 'no' })
    for (let i = 0; i < 30; i++) {
      engine.streams.append('s', ['f', 'v'.repeat(50_000)])
      await engine.committed()
    }
    await engine.close()
    let writes = 0
    storage.before = (operation) => {
      if (operation === 'write') writes++
    }
    const again = await open(storage)
    expect(again.streams.length('s')).toBe(30)
    // One for the last record, of 35 bytes.
    expect(writes).toBe(1)
    await again.close()
  })
})

describe('a failing disk', () => {
  it('E5 closing succeeds when the disk works again, though a sync had failed before', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage, { appendfsync: 'everysec' })
    engine.streams.append('s', ['f', 'v'])
    await engine.committed()
    storage.failNext('datasync', 'EIO')
    engine.log?.sync().catch(() => {})
    await turns(3)
    expect(engine.failure).toBeDefined()
    engine.log?.effect(0, 'DEL', 'expired')
    await engine.close()
    const again = await open(storage)
    expect(again.streams.length('s')).toBe(1)
    expect(again.log?.replayed).toBe(2)
    await again.close()
  })
})

describe('replay', () => {
  it('E3 the effects of one command share a record, however large they are', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage)
    const session = engine.createSession()
    const send = (...words: string[]) => engine.execute(session, Request.of(...words))
    for (let i = 1; i <= 60_000; i++) engine.streams.append('s', ['f', 'v'])
    send('XGROUP', 'CREATE', 's', 'g', '0')
    await engine.committed()
    await turns(3)
    let image: MemoryStorage | undefined
    let writes = 0
    storage.before = (operation) => {
      if (operation === 'write' && writes++ === 1) image = storage.clone()
    }
    // An XCLAIM of more than a megabyte, then where the group stands.
    send('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
    await engine.committed()
    storage.before = undefined
    const before = linesOfEngine(engine, 0)
    await engine.close()
    // Before the second write, if there is one.
    const disk = image ?? storage
    disk.crash()
    const again = await open(disk)
    expect(linesOfEngine(again, 0)).toEqual(before)
    await again.close()
  })

  it('E3 what was given back is nobody’s after a restart, also when its entry is gone', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage)
    const session = engine.createSession()
    const send = (words: string) => engine.execute(session, Request.of(...words.split(' ')))
    for (const id of ['1-1', '2-1']) send(`XADD s ${id} f v`)
    send('XGROUP CREATE s g 0')
    send('XREADGROUP GROUP g c STREAMS s >')
    send('XDEL s 1-1')
    send('XNACK s g FAIL IDS 2 1-1 2-1')
    const before = linesOfEngine(engine, 0)
    await engine.close()
    const again = await open(storage)
    expect(linesOfEngine(again, 0)).toEqual(before)
    await again.close()
  })

  it('E3 an entry claimed twice by one command has its last delivery count after a restart', async () => {
    const storage = new MemoryStorage()
    const engine = await open(storage)
    const session = engine.createSession()
    const send = (...words: string[]) => engine.execute(session, Request.of(...words))
    send('XADD', 's', '1-1', 'f', 'v')
    send('XADD', 's', '2-1', 'f', 'v')
    send('XGROUP', 'CREATE', 's', 'g', '0')
    send('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
    send('XCLAIM', 's', 'g', 'c', '0', '1-1')
    send('XCLAIM', 's', 'g', 'd', '0', '1-1', '2-1', '2-1')
    const before = linesOfEngine(engine, 0)
    await engine.close()
    const again = await open(storage)
    expect(linesOfEngine(again, 0)).toEqual(before)
    await again.close()
  })
})

describe('reading', () => {
  it('E1 an ID reads from there: what is pending for the consumer, or above it', async () => {
    const engine = await Engine.open()
    const session = engine.createSession()
    const send = (words: string) => {
      engine.execute(session, Request.of(...words.split(' ')))
      return session.output.take().toString().replaceAll('\r\n', '|')
    }
    send('XADD s 1-1 f v')
    send('XGROUP CREATE s g 0')
    expect(send('XREADGROUP GROUP g c STREAMS s 0')).toBe('*1|*2|$1|s|*0|')
    expect(send('XREAD STREAMS s 1-1')).toBe('*-1|')
    expect(send('XPENDING s g')).toMatch(/^\*4\|:0\|/)
    await engine.close()
  })
})
