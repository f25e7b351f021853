import { Deadlines } from './deadlines.js'
import { Table } from './table.js'

/**
 * One numbered database: names to values, their expiry, and the versions of watched names. It does not look into
 * values: a string is a latin1 string, everything else an object of its own class.
 *
 * Names are latin1 strings (one character a byte). Times are ms since the epoch.
 */
export class Database<V extends NonNullable<unknown> = NonNullable<unknown>> {
  #keys = new Table<V>()
  #expires = new Map<string, number>()
  /** When what may expire; an item is stale when `#expires` says otherwise. */
  #due = new Deadlines<string>()
  readonly #watched = new Map<string, Watched>()
  #version = 0

  /**
   * `onExpired` is called after a key has expired and was removed. Nothing expires while `frozen` is set: replay
   * follows the log, where an expiry stands as a deletion.
   */
  constructor(
    readonly index: number,
    readonly onExpired: (database: Database<V>, key: string) => void = () => {},
  ) {}

  frozen = false
  /** Changes since the engine was opened. */
  changes = 0

  get size(): number {
    return this.#keys.size
  }

  /** Keys that have an expiry. */
  get expiring(): number {
    return this.#expires.size
  }

  /** When the next key may expire; Infinity when none will. */
  get nextExpiry(): number {
    return this.#due.next
  }

  /** The value, unless it has expired by `now`: then it is removed first. */
  get(key: string, now: number): V | undefined {
    const value = this.#keys.get(key)
    if (value === undefined || this.#expires.size === 0) return value
    return this.#expired(key, now) ? undefined : value
  }

  has(key: string, now: number): boolean {
    return this.get(key, now) !== undefined
  }

  /** Puts a value in; an expiry that the key had stays. Call `touch` after every change. */
  set(key: string, value: V): void {
    this.#keys.set(key, value)
  }

  delete(key: string): boolean {
    if (this.#expires.size > 0) this.#expires.delete(key)
    return this.#keys.delete(key)
  }

  /** ms since the epoch; undefined when the key does not expire. */
  expiry(key: string): number | undefined {
    return this.#expires.size === 0 ? undefined : this.#expires.get(key)
  }

  expireAt(key: string, time: number): void {
    this.#expires.set(key, time)
    this.#due.push(time, key)
    if (this.#due.size > 64 && this.#due.size > this.#expires.size * 2) {
      this.#due.filter((at, name) => this.#expires.get(name) === at)
    }
  }

  persist(key: string): boolean {
    return this.#expires.delete(key)
  }

  /** Removes at most `limit` keys whose time has come; true when more are due. */
  expireDue(now: number, limit: number): boolean {
    if (this.frozen) return false
    for (let seen = 0; this.#due.next <= now; seen++) {
      if (seen === limit) return true
      const time = this.#due.next
      const key = this.#due.pop() as string
      if (this.#expires.get(key) === time) this.#expired(key, now)
    }
    return false
  }

  /** Says that a key has changed: transactions that watch it will not run. */
  touch(key: string): void {
    this.changes++
    if (this.#watched.size === 0) return
    const watched = this.#watched.get(key)
    if (watched !== undefined) watched.version = ++this.#version
  }

  /** Begins to watch: the version to compare with at the end. */
  watch(key: string): number {
    const watched = this.#watched.get(key)
    if (watched !== undefined) {
      watched.watchers++
      return watched.version
    }
    this.#watched.set(key, { watchers: 1, version: ++this.#version })
    return this.#version
  }

  unwatch(key: string): void {
    const watched = this.#watched.get(key)
    if (watched !== undefined && --watched.watchers === 0) this.#watched.delete(key)
  }

  /** The version of a watched key, after expiry has been looked at. */
  version(key: string, now: number): number {
    this.get(key, now)
    return this.#watched.get(key)?.version ?? 0
  }

  /** Every key once; some may have expired. */
  get keys(): readonly string[] {
    return this.#keys.keys
  }

  /** Values in the order of `keys`. */
  get values(): readonly V[] {
    return this.#keys.values
  }

  scan(cursor: number, count: number, visit: (key: string, value: V) => void): number {
    return this.#keys.scan(cursor, count, visit)
  }

  clear(): void {
    for (const [key, watched] of this.#watched) if (this.#keys.has(key)) watched.version = ++this.#version
    this.changes += this.#keys.size
    this.#keys.clear()
    this.#expires.clear()
    this.#due.clear()
  }

  /** Exchanges all keys with another database; watched names that exist on either side count as changed. */
  swap(other: Database<V>): void {
    for (const side of [this, other]) {
      for (const [key, watched] of side.#watched) {
        if (this.#keys.has(key) || other.#keys.has(key)) watched.version = ++side.#version
      }
    }
    ;[this.#keys, other.#keys] = [other.#keys, this.#keys]
    ;[this.#expires, other.#expires] = [other.#expires, this.#expires]
    ;[this.#due, other.#due] = [other.#due, this.#due]
    this.changes++
  }

  #expired(key: string, now: number): boolean {
    if (this.frozen) return false
    const time = this.#expires.get(key)
    if (time === undefined || time > now) return false
    this.#expires.delete(key)
    this.#keys.delete(key)
    this.touch(key)
    this.onExpired(this, key)
    return true
  }
}

interface Watched {
  watchers: number
  version: number
}
