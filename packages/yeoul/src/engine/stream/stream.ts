import { Cursor } from './cursor.js'
import { EntryId } from './entry-id.js'
import { byName, type Group } from './group.js'
import { IdempotencyRecords } from './idempotency.js'
import { EntryLog, type NodeLimits } from './log.js'
import { type TrimOptions, trimToLength, trimToMinId } from './trim.js'

export type { NodeLimits } from './log.js'
export type { TrimOptions } from './trim.js'

/**
 * A stream: the log of its entries, the groups that read it, and the counters that say how far each of them is behind.
 * Knows no command and no clock; an entry's field list is kept, and given, in RESP wire form.
 */
export class Stream {
  /** By name (latin1: one character a byte), in the order of creation. */
  readonly groups = new Map<string, Group>()
  /** Entries ever added; XSETID and replay set it. */
  entriesAdded = 0
  /** ID of the entry added last, whether or not it is still there; XSETID and replay raise it. */
  readonly lastId = EntryId.zero()
  /** First live entry; 0-0 when there is none. */
  readonly firstId = EntryId.zero()
  /** Highest ID that `delete` removed; trimming does not count. */
  readonly maxDeletedId = EntryId.zero()
  /** What producers added under IDs of their own. */
  readonly idempotency = new IdempotencyRecords()

  readonly #limits: NodeLimits
  readonly #log = new EntryLog()

  /** The limits are read at every append, so they may be changed; nodes that exist keep their boundaries. */
  constructor(limits: NodeLimits) {
    this.#limits = limits
  }

  /** Live entries. */
  get length(): number {
    return this.#log.length
  }

  /** Nodes: what Redis would keep in one listpack each. */
  get nodeCount(): number {
    return this.#log.index.count
  }

  /**
   * Adds an entry; source[start, end) is its field list, 2 × fieldCount bulk strings, and is copied.
   * RangeError unless `id` is above lastId.
   */
  append(id: EntryId, source: Buffer, start: number, end: number, fieldCount: number): void {
    if (id.compare(this.lastId) <= 0) {
      throw new RangeError(`entry ID ${id} is not above the stream's last ID ${this.lastId}`)
    }
    this.#log.append(this.#limits, id, source, start, end, fieldCount)
    if (this.length === 1) this.firstId.set(id)
    this.lastId.set(id)
    this.entriesAdded++
  }

  /** The ID a new entry gets at `ms`: above lastId even when the clock went back. False when there is none left. */
  nextId(ms: number, out: EntryId): boolean {
    const msHi = Math.floor(ms / 4294967296)
    const msLo = ms >>> 0
    const { lastId } = this
    if (msHi > lastId.msHi || (msHi === lastId.msHi && msLo > lastId.msLo)) {
      out.msHi = msHi
      out.msLo = msLo
      out.seqHi = out.seqLo = 0
      return true
    }
    return out.set(lastId).increment()
  }

  /** Is there a live entry of this ID? */
  has(id: EntryId): boolean {
    return this.#log.has(id)
  }

  /** Removes an entry and raises maxDeletedId; false when there is none such. */
  delete(id: EntryId): boolean {
    if (!this.#log.delete(id)) return false
    if (id.compare(this.maxDeletedId) > 0) this.maxDeletedId.set(id)
    if (id.equals(this.firstId)) this.#seekFirst()
    return true
  }

  /** Removes from the front while more than `maxLength` entries are there; returns how many went. */
  trimByLength(maxLength: number, options: TrimOptions = {}): number {
    const removed = trimToLength(this.#log, maxLength, options, this.#limits.maxEntries)
    if (removed > 0) this.#seekFirst()
    return removed
  }

  /** Removes entries below `minId`; returns how many went. */
  trimByMinId(minId: EntryId, options: TrimOptions = {}): number {
    if (this.length === 0 || minId.compare(this.firstId) <= 0) return 0
    const removed = trimToMinId(this.#log, minId, options, this.#limits.maxEntries)
    if (removed > 0) this.#seekFirst()
    return removed
  }

  cursor(): Cursor {
    return new Cursor(this.#log)
  }

  /** In byte order of the name. */
  sortedGroups(): Group[] {
    return [...this.groups.values()].sort(byName)
  }

  /** Bytes held: entries, index, groups with their pending entries. */
  memory(): number {
    let bytes = STREAM_SIZE + this.#log.memory() + this.idempotency.memory()
    for (const group of this.groups.values()) bytes += group.memory()
    return bytes
  }

  /** Entries the group has still to read; null when tombstones make it unknowable. */
  lag(group: Group): number | null {
    if (this.entriesAdded === 0 || this.length === 0) return 0
    if (group.lastId.compare(this.firstId) < 0 && this.maxDeletedId.compare(this.firstId) < 0) return this.length
    if (group.entriesRead !== -1 && !this.hasTombstoneAfter(group.lastId)) return this.entriesAdded - group.entriesRead
    const read = this.estimateEntriesRead(group.lastId)
    return read === null ? null : this.entriesAdded - read
  }

  /** The logical number of the entry `id`, counted from the first ever added; null when it cannot be told. */
  estimateEntriesRead(id: EntryId): number | null {
    const { entriesAdded, firstId, lastId, length, maxDeletedId } = this
    if (entriesAdded === 0) return 0
    if (length === 0 && id.compare(lastId) <= 0) return entriesAdded
    if (!id.isZero() && id.compare(maxDeletedId) < 0) return null
    const order = id.compare(lastId)
    if (order === 0) return entriesAdded
    if (order > 0) return null
    if (maxDeletedId.isZero() || maxDeletedId.compare(firstId) < 0) {
      const ahead = id.compare(firstId)
      if (ahead < 0) return entriesAdded - length
      if (ahead === 0) return entriesAdded - length + 1
    }
    return null
  }

  /** May an entry at or after `from` have been deleted? */
  hasTombstoneAfter(from: EntryId): boolean {
    return this.length > 0 && !this.maxDeletedId.isZero() && this.maxDeletedId.compare(from) >= 0
  }

  #seekFirst(): void {
    if (!this.#log.first(this.firstId)) this.firstId.set(NONE)
  }
}

const NONE = EntryId.zero()
/** The objects of an empty stream, measured on Node 20. */
const STREAM_SIZE = 1250
