import { performance } from 'node:perf_hooks'

/**
 * PORT: time. The runtime reads no clock and sets no timer but through this, so that a test can play a month in a moment.
 */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For due times, ages, records. */
  now(): number
  /** Milliseconds since some start; never jumps. For deadlines and durations. */
  monotonic(): number
  /** Calls back once, after at least `delay` ms (at most 2^31 − 1). */
  setTimer(delay: number, callback: () => void): Timer
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  now: Date.now,
  /** The global `performance` is a getter; asked thrice per message it would show. */
  monotonic: () => performance.now(),
  setTimer(delay, callback) {
    const timer = setTimeout(callback, delay)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** Resolves after `delay` ms, or at once when the signal aborts. Never rejects. */
export function pause(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(delay, end)
    signal?.addEventListener('abort', end)
  })
}
