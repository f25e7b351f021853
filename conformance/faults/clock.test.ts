/**
 * R13, R14: the wall clock jumps both ways under the embedded engine and the runtime over it. (A redis-server reads the machine's
 * clock, which a test must not set.)
 */
import { describe, expect, it } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { type Clock as EngineClock, systemClock as engineClock } from '../../packages/yeoul/src/engine/io/clock.js'
import { connect } from '../../packages/yeoul/src/index.js'
import { type Clock, systemClock } from '../../packages/yeoul/src/runtime/clock.js'
import { Ledger } from './ledger.js'
import { type Observed, observe, record } from './observation.js'

const HOUR = 3_600_000

/** The real clock, whose wall can be set; what measures durations goes on as ever. */
function settable(): { clock: Clock & EngineClock; jump(ms: number): void } {
  let ahead = 0
  return {
    clock: { ...systemClock, ...engineClock, now: () => Date.now() + ahead },
    jump: (ms) => void (ahead += ms),
  }
}

describe('the wall clock jumps', () => {
  const jumps: (Observed & { name: string; by: number })[] = [
    { name: 'clock an hour ahead (embedded)', by: HOUR, lasts: 0 },
    { name: 'clock an hour back (embedded)', by: -HOUR, lasts: 0 },
  ]

  it.for(jumps)('R13 $name', async (fault, { expect }) => {
    const { clock, jump } = settable()
    const engine = await Engine.open({ clock })
    try {
      const ledger = await Ledger.start({ engine }, 'jobs', { clock })
      try {
        const measured = await observe(
          fault,
          ledger,
          () => {
            jump(fault.by)
            return () => {}
          },
          expect,
        )
        await record(fault.name, measured)
        const ids = [...ledger.accepted].sort(([a], [b]) => a - b).map(([, id]) => id.split('-').map(Number))
        for (let i = 1; i < ids.length; i++) {
          const [[ms, n], [nextMs, nextN]] = [ids[i - 1], ids[i]]
          expect(nextMs > ms || (nextMs === ms && nextN > n)).toBe(true)
        }
      } finally {
        await ledger.close()
      }
    } finally {
      await engine.close()
    }
  })

  // Idle times are told by the wall clock, as Redis tells them: after a jump back they begin when the clock has caught up.
  it('R3 what a dead worker held is taken over after a jump ahead, the attempt counted', async () => {
    const { clock, jump } = settable()
    const engine = await Engine.open({ clock })
    const yeoul = await connect({ engine }, { clock })
    try {
      const topic = yeoul.topic<{ n: number }>('jobs')
      await topic.ensureGroup('g')
      await topic.publish({ n: 1 })
      await yeoul.store.readGroup(['jobs'], 'g', 'dead', { count: 1 })
      jump(HOUR)
      const attempts: number[] = []
      const worker = topic.worker('g', ({ attempt }) => attempts.push(attempt))
      await worker.start()
      await expect.poll(() => attempts, { timeout: 10_000 }).toEqual([2])
    } finally {
      await yeoul.close()
      await engine.close()
    }
  })

  it.each([HOUR, -HOUR])('R4 a retry comes after its delay, the clock having jumped by %i ms meanwhile', async (by) => {
    const { clock, jump } = settable()
    const engine = await Engine.open({ clock })
    const yeoul = await connect({ engine }, { clock })
    yeoul.on('error', () => {})
    try {
      const topic = yeoul.topic<{ n: number }>('jobs')
      const attempts: number[] = []
      const worker = topic.worker(
        'g',
        ({ attempt }) => {
          attempts.push(attempt)
          if (attempt > 1) return
          jump(by)
          throw new Error('once more')
        },
        { backoff: { type: 'fixed', base: 50, jitter: 0 } },
      )
      await worker.start()
      await topic.publish({ n: 1 })
      await expect.poll(() => attempts, { timeout: 10_000 }).toEqual([1, 2])
    } finally {
      await yeoul.close()
      await engine.close()
    }
  })
})
