import { expect, test } from 'vitest'
import { reconnectDelay } from './backoff.js'

test('doubles, is spread over the upper half, and has a ceiling', () => {
  expect([0, 1, 2, 3].map((attempt) => reconnectDelay(attempt, 0))).toEqual([250, 500, 1000, 2000])
  expect([0, 1, 2, 3].map((attempt) => reconnectDelay(attempt, 0.999999))).toEqual([500, 1000, 2000, 4000])
  expect(reconnectDelay(50, 0.5)).toBeLessThanOrEqual(15_000)
  expect(reconnectDelay(50, 0)).toBeGreaterThanOrEqual(7_500)
})
