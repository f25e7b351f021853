import type { Clock, Timer } from './clock.js'

/** A clock that stands still until it is told to move. Turns end as those of the real event loop do. */
export class ManualClock implements Clock {
  #now: number
  #elapsed = 0
  #timers: { due: number; callback: () => void }[] = []

  /** `now` in milliseconds since the epoch. */
  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(milliseconds: number, callback: () => void): Timer {
    const timer = { due: this.#elapsed + milliseconds, callback }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback)
  }

  /** Milliseconds until the next timer; undefined when none is armed. */
  get nextTimer(): number | undefined {
    if (this.#timers.length === 0) return undefined
    return Math.max(0, Math.min(...this.#timers.map((timer) => timer.due)) - this.#elapsed)
  }

  /** Moves both clocks and runs the timers that came due, in the order of their time. */
  advance(milliseconds: number): void {
    const target = this.#elapsed + milliseconds
    for (;;) {
      const next = this.#timers.filter((timer) => timer.due <= target).sort((a, b) => a.due - b.due)[0]
      if (next === undefined) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#step(next.due)
      next.callback()
    }
    this.#step(target)
  }

  #step(elapsed: number): void {
    if (elapsed <= this.#elapsed) return
    this.#now += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }
}
