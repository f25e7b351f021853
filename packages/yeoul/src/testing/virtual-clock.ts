import type { Clock, Timer } from '../runtime/clock.js'

interface Waiting {
  at: number
  order: number
  callback: () => void
}

/** Turns of the event loop given to promises and setImmediate between two timers. */
const TURNS = 12

/**
 * Time that passes only when a test says so. `advance` fires the timers in order of their due times and, after each, lets the
 * event loop come to rest, so that what a timer began has reached its next timer before the next one fires.
 */
export class VirtualClock implements Clock {
  private readonly timers = new Set<Waiting>()
  private elapsed = 0
  private count = 0
  /** Wall clock against monotonic time, in ms: `jump` changes it. */
  private offset: number

  constructor(start = Date.UTC(2030, 0, 1)) {
    this.offset = start
  }

  now(): number {
    return Math.floor(this.offset + this.elapsed)
  }

  monotonic(): number {
    return this.elapsed
  }

  setTimer(delay: number, callback: () => void): Timer {
    const waiting: Waiting = { at: this.elapsed + Math.max(0, delay), order: this.count++, callback }
    this.timers.add(waiting)
    return { cancel: () => this.timers.delete(waiting) }
  }

  /** Timers that wait now. */
  get pending(): number {
    return this.timers.size
  }

  /** Sets the wall clock forward or back; monotonic time and timers stay. */
  jump(ms: number): void {
    this.offset += ms
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const until = this.elapsed + ms
    await rest()
    for (;;) {
      const next = this.next()
      if (!next || next.at > until) break
      this.timers.delete(next)
      this.elapsed = Math.max(this.elapsed, next.at)
      next.callback()
      await rest()
    }
    this.elapsed = until
    await rest()
  }

  /** Lets time pass, timer by timer, until the condition holds; throws when it does not within `ms`. */
  async until(condition: () => boolean, ms = 3_600_000): Promise<void> {
    const deadline = this.elapsed + ms
    await rest()
    while (!condition()) {
      const next = this.next()
      if (!next || next.at > deadline) throw new Error(`not reached within ${ms} ms of virtual time`)
      await this.advance(next.at - this.elapsed)
    }
  }

  private next(): Waiting | undefined {
    let next: Waiting | undefined
    for (const waiting of this.timers) {
      if (!next || waiting.at < next.at || (waiting.at === next.at && waiting.order < next.order)) next = waiting
    }
    return next
  }
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}
