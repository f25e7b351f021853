import { describe, expect, it } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { ManualClock } from '../../packages/yeoul/src/engine/io/manual-clock.js'
import { MemoryStorage } from '../../packages/yeoul/src/engine/io/memory-storage.js'
import { linesOfEngine } from './state.js'

const LOG = '/data/appendonlydir'
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('automatic compaction', () => {
  it('E6 keeps the directory within a bound of the data, however much is written', async () => {
    const storage = new MemoryStorage()
    const clock = new ManualClock()
    const config = { 'auto-aof-rewrite-min-size': '50000', 'auto-aof-rewrite-percentage': '100' }
    const engine = await Engine.open({ directory: '/data', storage, clock, appendfsync: 'everysec', config })
    engine.streams.createGroup('s', 'g', '0', { makeStream: true })
    let written = 0
    let largest = 0
    for (let i = 0; i < 4000; i++) {
      const id = engine.streams.append('s', ['data', 'x'.repeat(200)], { trim: { maxLength: 100 } }) as string
      const [read] = engine.streams.readGroup(['s'], 'g', 'c')
      if (i % 50 > 0) engine.streams.acknowledge('s', 'g', [id])
      expect(read.entries).toHaveLength(1)
      await turns(1)
      written = engine.log!.written
      const names = await storage.list(LOG)
      largest = Math.max(
        largest,
        names.reduce((sum, name) => sum + storage.contents(`${LOG}/${name}`).length, 0),
      )
    }
    const before = linesOfEngine(engine, 0)
    await engine.close()
    // 100 entries and 80 pending ones take about 35 kB; twice that, the minimum, and what is written during a compaction.
    expect(written).toBeGreaterThan(1_500_000)
    expect(largest).toBeLessThan(250_000)
    const again = await Engine.open({ directory: '/data', storage, clock })
    expect(linesOfEngine(again, 0)).toEqual(before)
    await again.close()
  })

  it('E6 backs off while it fails, and works when it can again', async () => {
    const storage = new MemoryStorage()
    const clock = new ManualClock()
    const failures: number[] = []
    const engine = await Engine.open({
      directory: '/data',
      storage,
      clock,
      config: { 'auto-aof-rewrite-min-size': '1000' },
      onError: (error) => {
        expect(error.message).toContain('ENOSPC')
        failures.push(clock.monotonic())
      },
    })
    // No temporary base fits on the disk.
    storage.before = (operation, path) => {
      if (operation === 'open' && path.includes('temp-appendonly.aof.1.base')) {
        throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      }
    }
    for (let second = 0; second < 70; second++) {
      engine.streams.append('s', ['data', 'x'.repeat(100)])
      await engine.committed()
      await turns(10)
      clock.advance(1000)
    }
    const pauses = failures.slice(1).map((at, i) => at - failures[i])
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000])
    expect(engine.log!.baseSize).toBe(0)
    storage.before = undefined
    for (let second = 0; second < 70; second++) {
      clock.advance(1000)
      engine.streams.append('s', ['data', 'x'])
      await engine.committed()
      await turns(10)
    }
    expect(engine.log!.baseSize).toBeGreaterThan(0)
    // Each attempt that failed had begun an increment; none of them is left.
    expect((await storage.list(LOG)).filter((name) => name.includes('.incr.'))).toHaveLength(1)
    const before = linesOfEngine(engine, 0)
    await engine.close()
    const again = await Engine.open({ directory: '/data', storage, clock })
    expect(linesOfEngine(again, 0)).toEqual(before)
    await again.close()
  })
})
