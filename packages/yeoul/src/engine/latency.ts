export interface LatencySpike {
  /** Seconds since the epoch. */
  at: number
  ms: number
}

const HISTORY = 160

/** LATENCY LATEST / HISTORY: commands at or above latency-monitor-threshold, one sample a second and event at most. */
export class Latency {
  readonly #events = new Map<string, { samples: LatencySpike[]; max: number }>()

  /** `now` in ms since the epoch. */
  record(event: string, ms: number, now: number): void {
    const at = Math.floor(now / 1000)
    let history = this.#events.get(event)
    if (history === undefined) this.#events.set(event, (history = { samples: [], max: 0 }))
    history.max = Math.max(history.max, ms)
    const last = history.samples.at(-1)
    if (last !== undefined && last.at === at) {
      last.ms = Math.max(last.ms, ms)
      return
    }
    history.samples.push({ at, ms })
    if (history.samples.length > HISTORY) history.samples.shift()
  }

  latest(): { event: string; last: LatencySpike; max: number }[] {
    return [...this.#events].map(([event, { samples, max }]) => ({ event, last: samples.at(-1)!, max }))
  }

  history(event: string): readonly LatencySpike[] {
    return this.#events.get(event)?.samples ?? []
  }

  /** Forgets the named events, or all; the number forgotten. */
  reset(events: readonly string[]): number {
    if (events.length === 0) {
      const size = this.#events.size
      this.#events.clear()
      return size
    }
    return events.filter((event) => this.#events.delete(event)).length
  }
}
