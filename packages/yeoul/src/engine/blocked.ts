import type { Clock, Timer } from './io/clock.js'
import { Deadlines } from './keyspace/deadlines.js'
import type { Parked, Session } from './session.js'

/** What waits: a read that found nothing and may find something later. */
export interface Waiting {
  /** Number of the database. */
  readonly database: number
  readonly keys: readonly string[]
  /** XREADGROUP: the group. Of the readers of one group the first takes what there is. */
  readonly group: string | undefined
  /** ms from now, Infinity = for ever. */
  readonly timeout: number
  /** Undefined for a reader of this process. */
  readonly session: Session | undefined
  /** Tries again; true when it was answered. Called outside any command, `now` in ms since the epoch, `key` the one that was written. */
  attempt(now: number, key?: string): boolean
  /** ms from now until an attempt can succeed though nothing was written (a claim becoming due); Infinity = never. */
  retryIn?(now: number): number
  /** Its time is over. */
  expire(): void
  /** CLIENT UNBLOCK … ERROR, or the engine is being closed. */
  refuse(reason: string): void
}

export interface WaitingReader {
  /** Leaves every queue; harmless when it already has. */
  end(): void
}

const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK'

/**
 * Readers that wait, by key, first come first served. Waiting costs a few words in the queues and one item in a heap:
 * there is one timer for all of them, set to the nearest deadline.
 *
 *     key → readers without a group, in order of arrival: all are tried when the key is written
 *         → group → its readers, in order of arrival: tried until one finds nothing
 */
export class BlockedReaders {
  readonly #clock: Clock
  /** By number of the database. */
  readonly #queues: Map<string, Queue>[] = []
  readonly #all = new Set<Reader>()
  readonly #deadlines = new Deadlines<Reader>()
  /** Written keys that somebody waits for, in the order they were written. */
  #ready: { database: number; key: string }[] = []
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(
    clock: Clock,
    /** Runs attempts as the engine runs a command: effects, then what follows from them. */
    readonly around: (serve: () => void) => void,
  ) {
    this.#clock = clock
  }

  get count(): number {
    return this.#all.size
  }

  /** True when keys were written that somebody waits for. */
  get due(): boolean {
    return this.#ready.length > 0
  }

  park(waiting: Waiting): WaitingReader {
    const now = this.#clock.monotonic()
    const reader = new Reader(this, waiting, now + waiting.timeout)
    this.#all.add(reader)
    for (const key of waiting.keys) this.#queue(waiting.database, key).add(reader)
    if (waiting.session !== undefined) waiting.session.parked = reader
    this.#arm(reader, now)
    return reader
  }

  /** A key was written, deleted, or replaced, or one of its groups is gone: `serve` will try its readers. */
  signal(database: number, key: string): void {
    if (this.#all.size === 0) return
    if (this.#queues[database]?.has(key)) this.#ready.push({ database, key })
  }

  /** All keys of a database may have changed. */
  signalAll(database: number): void {
    for (const key of this.#queues[database]?.keys() ?? []) this.#ready.push({ database, key })
  }

  /** Tries the readers of written keys. Call at the end of each command, and never inside a transaction. */
  serve(): void {
    while (this.#ready.length > 0) {
      const ready = this.#ready
      this.#ready = []
      for (const { database, key } of ready) {
        const queue = this.#queues[database]?.get(key)
        if (queue === undefined) continue
        for (const reader of queue.readers ?? []) this.#attempt(reader, key)
        for (const group of queue.groups?.values() ?? []) {
          for (const reader of group) if (!this.#attempt(reader, key)) break
        }
      }
    }
  }

  /** CLIENT UNBLOCK; false when the session does not wait. */
  unblock(session: Session, how: 'timeout' | 'error'): boolean {
    const reader = session.parked
    if (!(reader instanceof Reader)) return false
    reader.end()
    if (how === 'timeout') reader.waiting.expire()
    else reader.waiting.refuse(UNBLOCKED)
    return true
  }

  /** Ends all of them; readers of this process find nothing, sessions are told `reason`. */
  close(reason: string): void {
    for (const reader of [...this.#all]) {
      reader.end()
      reader.waiting.refuse(reason)
    }
    this.#timer?.cancel()
  }

  /** Called by the reader itself. */
  leave(reader: Reader): void {
    const { database, keys, session } = reader.waiting
    this.#all.delete(reader)
    const queues = this.#queues[database]
    for (const key of keys) {
      const queue = queues.get(key)
      if (queue?.delete(reader)) queues.delete(key)
    }
    if (session?.parked === reader) session.parked = undefined
    if (this.#deadlines.size > 64 && this.#deadlines.size > this.#all.size * 2) {
      this.#deadlines.filter((time, item) => item.wakeAt === time)
    }
  }

  #queue(database: number, key: string): Queue {
    let queues = this.#queues[database]
    if (queues === undefined) queues = this.#queues[database] = new Map()
    let queue = queues.get(key)
    if (queue === undefined) queues.set(key, (queue = new Queue()))
    return queue
  }

  #attempt(reader: Reader, key?: string): boolean {
    if (reader.ended) return true
    if (!reader.waiting.attempt(this.#clock.now(), key)) return false
    reader.end()
    return true
  }

  /** Notes when the reader has to be looked at though nothing was written. */
  #arm(reader: Reader, now: number): void {
    const retry = reader.waiting.retryIn?.(this.#clock.now()) ?? Number.POSITIVE_INFINITY
    reader.wakeAt = Math.min(reader.deadline, now + retry)
    if (reader.wakeAt === Number.POSITIVE_INFINITY) return
    this.#deadlines.push(reader.wakeAt, reader)
    this.#setTimer(now)
  }

  #setTimer(now: number): void {
    const { next } = this.#deadlines
    if (next >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = next
    // setTimeout takes at most 2^31 - 1 ms.
    this.#timer = this.#clock.after(Math.min(Math.max(Math.ceil(next - now), 0), 0x7fffffff), () => this.#expire())
  }

  #expire(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#timer = undefined
    const now = this.#clock.monotonic()
    this.around(() => {
      while (this.#deadlines.next <= now) {
        const time = this.#deadlines.next
        const reader = this.#deadlines.pop() as Reader
        if (reader.ended || reader.wakeAt !== time) continue
        if (reader.deadline <= now) {
          reader.end()
          reader.waiting.expire()
        } else if (!this.#attempt(reader)) this.#arm(reader, now)
      }
    })
    if (this.#deadlines.size > 0) this.#setTimer(now)
  }
}

class Reader implements Parked {
  ended = false
  wakeAt = Number.POSITIVE_INFINITY

  constructor(
    readonly owner: BlockedReaders,
    readonly waiting: Waiting,
    readonly deadline: number,
  ) {}

  get session(): Session {
    return this.waiting.session as Session
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    this.wakeAt = Number.NaN
    this.owner.leave(this)
  }
}

/** Who waits on a key. Most keys have one kind of reader, and many one reader only, so sets are made when needed. */
class Queue {
  readers: Set<Reader> | undefined
  groups: Map<string, Set<Reader>> | undefined

  add(reader: Reader): void {
    const { group } = reader.waiting
    if (group === undefined) {
      this.readers ??= new Set()
      this.readers.add(reader)
      return
    }
    this.groups ??= new Map()
    const readers = this.groups.get(group)
    if (readers === undefined) this.groups.set(group, new Set([reader]))
    else readers.add(reader)
  }

  /** True when nobody is left. */
  delete(reader: Reader): boolean {
    const { group } = reader.waiting
    if (group === undefined) this.readers?.delete(reader)
    else {
      const readers = this.groups?.get(group)
      readers?.delete(reader)
      if (readers?.size === 0) this.groups?.delete(group)
    }
    return !this.readers?.size && !this.groups?.size
  }
}
