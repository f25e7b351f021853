import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualClock } from '../testing/virtual-clock.js'
import { type Deadline, Deadlines } from './deadlines.js'

it('expires in order of due time, one timer for all, cancelled ones never', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ delay: fc.integer({ min: 0, max: 1_000 }), cancel: fc.boolean() }), { maxLength: 60 }),
      async (plan) => {
        const clock = new VirtualClock()
        const deadlines = new Deadlines(clock)
        const expired: number[] = []
        const all: Deadline[] = plan.map(({ delay }) => deadlines.add(delay, () => expired.push(delay)))
        plan.forEach(({ cancel }, i) => {
          if (cancel) deadlines.cancel(all[i])
        })
        expect(clock.pending).toBeLessThanOrEqual(1)
        await clock.advance(1_000)
        const kept = plan.filter(({ cancel }) => !cancel).map(({ delay }) => delay)
        expect(expired).toEqual(kept.sort((a, b) => a - b))
        expect(deadlines.size).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})

it('sleeps longer than one timer can', async () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock)
  let expiredAt = 0
  deadlines.add(30 * 86_400_000, () => {
    expiredAt = clock.monotonic()
  })
  await clock.advance(31 * 86_400_000)
  expect(expiredAt).toBe(30 * 86_400_000)
})

it('a deadline set while others expire is kept', async () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock)
  const expired: string[] = []
  deadlines.add(10, () => {
    expired.push('first')
    deadlines.add(10, () => expired.push('second'))
  })
  await clock.advance(20)
  expect(expired).toEqual(['first', 'second'])
})
