import { describe, expect, it } from 'vitest'
import { backoffDelay } from './backoff.js'
import { milliseconds } from './duration.js'
import { RetryAfter } from './verdict.js'

describe('R4 backoff', () => {
  it('doubles up to the maximum', () => {
    const delay = backoffDelay({ base: '1s', max: '5m', jitter: 0 })
    expect([1, 2, 3, 9, 10, 60].map((attempt) => delay(attempt, undefined))).toEqual([
      1_000, 2_000, 4_000, 256_000, 300_000, 300_000,
    ])
  })

  it('stays within its jitter and varies', () => {
    const delay = backoffDelay({ type: 'fixed', base: 1_000, jitter: 0.2 })
    const delays = Array.from({ length: 200 }, () => delay(1, undefined))
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(800)
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_200)
    expect(new Set(delays).size).toBeGreaterThan(1)
  })

  it('a function chooses by attempt and error, RetryAfter overrules', () => {
    const delay = backoffDelay((attempt, error) => (error instanceof TypeError ? '1h' : attempt * 10))
    expect(delay(3, new Error())).toBe(30)
    expect(delay(3, new TypeError())).toBe(3_600_000)
    expect(delay(3, new RetryAfter('250ms'))).toBe(250)
  })
})

describe('durations', () => {
  it.each([
    [0, 0],
    [1_500, 1_500],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
  ] as const)('%s is %d ms', (duration, expected) => {
    expect(milliseconds(duration, 'delay')).toBe(expected)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '5', '5 m', 'm', '', '-5m', '1h30m'])(
    '%s is refused, with what to do',
    (wrong) => {
      expect(() => milliseconds(wrong as never, 'delay')).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('delay:') }),
      )
    },
  )
})
