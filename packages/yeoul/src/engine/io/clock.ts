/**
 * PORT: time. The engine reads no other clock, so that a test or a simulation can own every tick.
 *
 * Callbacks run one at a time on the event loop, never inside the call that armed them.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. It may jump in both directions. */
  now(): number
  /** Milliseconds since some fixed moment, fractions included; never goes back. For measuring, not for storing. */
  monotonic(): number
  /** Calls back once, no earlier than `milliseconds` from now. A pending timer does not keep the process alive. */
  after(milliseconds: number, callback: () => void): Timer
  /** Calls back when the input and output of the current turn of the event loop has been served. */
  endOfTurn(callback: () => void): void
}

export interface Timer {
  /** After this the callback will not run. Harmless when it already did. */
  cancel(): void
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timeout = setTimeout(callback, milliseconds)
    timeout.unref()
    return { cancel: () => clearTimeout(timeout) }
  },
  endOfTurn: (callback) => void setImmediate(callback),
}
