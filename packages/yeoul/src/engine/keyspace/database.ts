import { Deadlines } from './deadlines.js'

/**
 * One numbered database: names to values with their expiry, and the versions of watched names. It does not look into
 * values: a string is a latin1 string, everything else an object of its own class.
 *
 * Keys lie densely in columns, so that a scan needs no state, a random key costs O(1) and a snapshot of all names, values
 * and expiries is three copies of arrays. See Table for why a scan never misses a key.
 *
 *     index: name → i      keys: [name …]      values: [value …]      expiries: [ms since the epoch, Infinity = never]
 *
 * Names are latin1 strings (one character a byte). Times are ms since the epoch.
 */
export class Database<V extends NonNullable<unknown> = NonNullable<unknown>> {
  #index = new Map<string, number>()
  #keys: string[] = []
  #values: V[] = []
  #expiries: number[] = []
  #expiring = 0
  /** When what may expire; an item is stale when the key's expiry says otherwise. */
  #due = new Deadlines<string>()
  readonly #watched = new Map<string, Watched>()
  #version = 0

  /** Nothing expires while this is set: replay follows the log, where an expiry stands as a deletion. */
  frozen = false
  /** Changes since the engine was opened. */
  changes = 0

  constructor(
    readonly index: number,
    /** Called after a key has expired and was removed. */
    readonly onExpired: (database: Database<V>, key: string) => void = () => {},
  ) {}

  get size(): number {
    return this.#keys.length
  }

  /** Keys that have an expiry. */
  get expiring(): number {
    return this.#expiring
  }

  /** When the next key may expire; Infinity when none will. */
  get nextExpiry(): number {
    return this.#due.next
  }

  /** Every key once; some may have expired. */
  get keys(): readonly string[] {
    return this.#keys
  }

  /** In the order of `keys`. */
  get values(): readonly V[] {
    return this.#values
  }

  /** In the order of `keys`; Infinity = never. */
  get expiries(): readonly number[] {
    return this.#expiries
  }

  /** The value, unless it has expired by `now`: then it is removed first. */
  get(key: string, now: number): V | undefined {
    const i = this.#index.get(key)
    if (i === undefined) return undefined
    if (this.#expiries[i] <= now && !this.frozen) {
      this.#expire(key)
      return undefined
    }
    return this.#values[i]
  }

  has(key: string, now: number): boolean {
    return this.get(key, now) !== undefined
  }

  /** Puts a value in; an expiry that the key had stays. Call `touch` after every change. */
  set(key: string, value: V): void {
    const i = this.#index.get(key)
    if (i !== undefined) {
      this.#values[i] = value
      return
    }
    this.#index.set(key, this.#keys.length)
    this.#keys.push(key)
    this.#values.push(value)
    this.#expiries.push(Number.POSITIVE_INFINITY)
  }

  delete(key: string): boolean {
    const hole = this.#index.get(key)
    if (hole === undefined) return false
    this.#index.delete(key)
    if (this.#expiries[hole] !== Number.POSITIVE_INFINITY) this.#expiring--
    const lastKey = this.#keys.pop() as string
    const lastValue = this.#values.pop() as V
    const lastExpiry = this.#expiries.pop() as number
    if (hole < this.#keys.length) {
      this.#keys[hole] = lastKey
      this.#values[hole] = lastValue
      this.#expiries[hole] = lastExpiry
      this.#index.set(lastKey, hole)
    }
    return true
  }

  /** ms since the epoch; undefined when the key does not expire. */
  expiry(key: string): number | undefined {
    const i = this.#index.get(key)
    const time = i === undefined ? Number.POSITIVE_INFINITY : this.#expiries[i]
    return time === Number.POSITIVE_INFINITY ? undefined : time
  }

  /** The key must exist. */
  expireAt(key: string, time: number): void {
    const i = this.#index.get(key) as number
    if (this.#expiries[i] === Number.POSITIVE_INFINITY) this.#expiring++
    this.#expiries[i] = time
    this.#due.push(time, key)
    if (this.#due.size > 64 && this.#due.size > this.#expiring * 2) {
      this.#due.filter((at, name) => this.expiry(name) === at)
    }
  }

  persist(key: string): boolean {
    const i = this.#index.get(key)
    if (i === undefined || this.#expiries[i] === Number.POSITIVE_INFINITY) return false
    this.#expiries[i] = Number.POSITIVE_INFINITY
    this.#expiring--
    return true
  }

  /** Removes at most `limit` keys whose time has come; true when more are due. */
  expireDue(now: number, limit: number): boolean {
    if (this.frozen) return false
    for (let seen = 0; this.#due.next <= now; seen++) {
      if (seen === limit) return true
      const time = this.#due.next
      const key = this.#due.pop() as string
      if (this.expiry(key) === time) this.#expire(key)
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

  /** Visits at most `count` keys below `cursor` (0 = from the beginning); answers the next cursor, 0 at the end. */
  scan(cursor: number, count: number, visit: (key: string, value: V) => void): number {
    let i = cursor === 0 || cursor > this.#keys.length ? this.#keys.length : cursor
    for (let seen = 0; i > 0 && seen < count; seen++) {
      i--
      visit(this.#keys[i], this.#values[i])
    }
    return i
  }

  clear(): void {
    for (const [key, watched] of this.#watched) if (this.#index.has(key)) watched.version = ++this.#version
    this.changes += this.#keys.length
    this.#index = new Map()
    this.#keys = []
    this.#values = []
    this.#expiries = []
    this.#expiring = 0
    this.#due = new Deadlines()
  }

  /** Exchanges all keys with another database; watched names that exist on either side count as changed. */
  swap(other: Database<V>): void {
    for (const side of [this, other]) {
      for (const [key, watched] of side.#watched) {
        if (this.#index.has(key) || other.#index.has(key)) watched.version = ++side.#version
      }
    }
    ;[this.#index, other.#index] = [other.#index, this.#index]
    ;[this.#keys, other.#keys] = [other.#keys, this.#keys]
    ;[this.#values, other.#values] = [other.#values, this.#values]
    ;[this.#expiries, other.#expiries] = [other.#expiries, this.#expiries]
    ;[this.#expiring, other.#expiring] = [other.#expiring, this.#expiring]
    ;[this.#due, other.#due] = [other.#due, this.#due]
    this.changes++
  }

  #expire(key: string): void {
    this.delete(key)
    this.touch(key)
    this.onExpired(this, key)
  }
}

interface Watched {
  watchers: number
  version: number
}
