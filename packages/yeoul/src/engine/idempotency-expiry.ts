import type { Clock, Timer } from './io/clock.js'
import type { IdempotencyRecords } from './stream/idempotency.js'

/** ms between two looks at what has expired, while there is something to expire. */
const PERIOD = 1000

/** Forgets records of idempotent producers when their time is over: one timer for all streams. */
export class IdempotencyExpiry {
  readonly #clock: Clock
  /** Of streams that are gone, too: their records expire as all others, and with them they leave. */
  readonly #watched = new Set<IdempotencyRecords>()
  #timer: Timer | undefined
  #running = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The log has been replayed: from now on records expire. */
  start(): void {
    this.#running = true
    this.#arm()
  }

  /** There are records. */
  watch(records: IdempotencyRecords): void {
    this.#watched.add(records)
    this.#arm()
  }

  close(): void {
    this.#running = false
    this.#timer?.cancel()
  }

  #arm(): void {
    if (!this.#running || this.#timer !== undefined || this.#watched.size === 0) return
    this.#timer = this.#clock.after(PERIOD, () => {
      this.#timer = undefined
      const now = this.#clock.now()
      for (const records of this.#watched) {
        records.expire(now)
        if (records.producers === 0) this.#watched.delete(records)
      }
      this.#arm()
    })
  }
}
