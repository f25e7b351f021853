import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TokenBucket } from './rate-limit.js'

it('lets a burst through, then the rate, and says how long to wait', () => {
  const bucket = new TokenBucket({ rate: 10, burst: 3 }, 0)
  expect([0, 0, 0, 0].map((now) => bucket.take(now))).toEqual([0, 0, 0, 100])
  expect(bucket.take(50)).toBe(50)
  expect(bucket.take(100)).toBe(0)
})

it('never takes more than burst + rate × time, whatever the moments', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }), (pauses) => {
      const bucket = new TokenBucket({ rate: 10, burst: 5 }, 0)
      let now = 0
      let taken = 0
      for (const pause of pauses) {
        now += pause
        if (bucket.take(now) === 0) taken++
      }
      expect(taken).toBeLessThanOrEqual(5 + (10 * now) / 1000)
    }),
  )
})
