import { type Duration, milliseconds } from './duration.js'
import { YeoulError } from './errors.js'
import { RetryAfter } from './verdict.js'

/** How long to wait before the next attempt. A function gets the attempt that failed (1 = the first) and its error. */
export type Backoff =
  | {
      /** Exponential, the default, doubles per attempt. */
      type?: 'exponential' | 'fixed'
      /** Delay after the first attempt; default 1s. */
      base?: Duration
      /** Longest delay, before jitter; default 5m. */
      max?: Duration
      /** Share of the delay that is random, 0 to 1: 0.2 = ±20 %, the default. */
      jitter?: number
    }
  | ((attempt: number, error: unknown) => Duration)

/** Delay in ms before the attempt after `attempt`. `RetryAfter` overrules what was chosen. */
export type BackoffDelay = (attempt: number, error: unknown) => number

export function backoffDelay(backoff: Backoff = {}): BackoffDelay {
  const chosen = typeof backoff === 'function' ? backoff : computed(backoff)
  return (attempt, error) => {
    if (error instanceof RetryAfter) return milliseconds(error.delay, 'RetryAfter')
    return milliseconds(chosen(attempt, error), 'backoff')
  }
}

function computed(backoff: Exclude<Backoff, (...args: never) => unknown>): (attempt: number) => number {
  const type = backoff.type ?? 'exponential'
  if (type !== 'exponential' && type !== 'fixed') {
    throw new YeoulError('INVALID_OPTION', `backoff.type: ${JSON.stringify(type)} is unknown`, {
      advice: "Choose 'exponential' or 'fixed', or give a function (attempt, error) => Duration.",
    })
  }
  const base = milliseconds(backoff.base ?? '1s', 'backoff.base')
  const max = milliseconds(backoff.max ?? '5m', 'backoff.max')
  const jitter = backoff.jitter ?? 0.2
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new YeoulError('INVALID_OPTION', `backoff.jitter: ${jitter} is no share`, {
      advice: 'Give a number from 0 (none) to 1: 0.2 spreads a delay by ±20 %.',
    })
  }
  return (attempt) => {
    const delay = Math.min(type === 'fixed' ? base : base * 2 ** (attempt - 1), max)
    return delay * (1 + jitter * (2 * Math.random() - 1))
  }
}
