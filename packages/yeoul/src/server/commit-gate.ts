import type { WriteFailed } from '../engine/aof/errors.js'

/** What the gate needs of the log of effects. */
export interface Committing {
  readonly written: number
  readonly durable: number
  readonly failure: WriteFailed | undefined
  onDurable(listener: (durable: number) => void): void
}

/** A connection as the gate sees it. */
export interface Gated {
  /** Bytes kept here. */
  waiting: number
  cork(): void
  release(bytes: Buffer | string): void
  /** Called after the last `release` of a commit. */
  released(): void
  destroy(): void
}

interface KeptReply {
  readonly to: Gated
  readonly bytes: Buffer | string
  readonly position: number
  /** Monotonic ms. */
  readonly since: number
}

/**
 * Durability before reply: what answers a turn leaves when the log has everything that was written up to the end of
 * that turn, so that no peer sees an acknowledgement, or another peer's entry, that a crash could take back.
 *
 * Positions only rise, so replies wait in one queue for all connections and leave in the order they were made.
 */
export class CommitGate {
  readonly #log: Committing | undefined
  #queue: KeptReply[] = []

  constructor(log: Committing | undefined) {
    this.#log = log
    log?.onDurable((durable) => this.#open(durable))
  }

  get written(): number {
    return this.#log === undefined ? 0 : this.#log.written
  }

  /**
   * May replies leave at once? Otherwise they are to be kept. `wrote`: the turn that they answer wrote to the log.
   * While the disk refuses, turns that only read are answered though earlier effects are not on it.
   */
  pass(to: Gated, wrote: boolean): boolean {
    const log = this.#log
    if (log === undefined) return true
    return to.waiting === 0 && (log.durable >= log.written || (log.failure !== undefined && !wrote))
  }

  /** Keeps what may not pass; the bytes must not change meanwhile. */
  keep(to: Gated, bytes: Buffer | string): void {
    const position = this.written
    // Replies of one position are a moment's: they share a look at the clock.
    const last = this.#queue.at(-1)
    const since = last?.position === position ? last.since : performance.now()
    to.waiting += bytes.length
    this.#queue.push({ to, bytes, position, since })
  }

  /** Ends connections whose acknowledgement a failing disk has kept back since before `time` (monotonic ms). */
  expire(time: number): void {
    if (this.#log?.failure === undefined) return
    for (const { to, since } of this.#queue) {
      if (since > time) return
      to.destroy()
    }
  }

  #open(durable: number): void {
    const queue = this.#queue
    let count = 0
    while (count < queue.length && queue[count].position <= durable) count++
    if (count === 0) return
    this.#queue = queue.slice(count)
    const touched = new Set<Gated>()
    for (let i = 0; i < count; i++) {
      const { to, bytes } = queue[i]
      if (!touched.has(to)) {
        touched.add(to)
        // One reply for a peer is one write as it is.
        if (to.waiting > bytes.length) to.cork()
      }
      to.waiting -= bytes.length
      to.release(bytes)
    }
    for (const to of touched) to.released()
  }
}
