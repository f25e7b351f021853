import type { EntryId } from './entry-id.js'

/**
 * What producers have added under IDs of their own: producer → its idempotent ID → the entry that was made of it. Adding
 * it again answers that entry instead of making another one, until the record is evicted or expires.
 */
export class IdempotencyRecords {
  /** Seconds a record lives, counted from the milliseconds of its entry's ID. */
  duration = 100
  /** Records a producer may have; one more evicts its oldest. */
  maxSize = 100
  /** Entries ever added with a record. */
  added = 0
  /** Additions ever answered with an earlier entry. */
  duplicates = 0
  /** The settings are in the log: who replays it need not have the same configuration. */
  logged = false

  /** Names are latin1. A producer's records stand in the order in which they were added. */
  #producers: Map<string, Map<string, EntryId>> | undefined

  get producers(): number {
    return this.#producers?.size ?? 0
  }

  /** Records of all producers. */
  get size(): number {
    let size = 0
    for (const records of this.#producers?.values() ?? []) size += records.size
    return size
  }

  find(producer: string, idempotent: string): EntryId | undefined {
    return this.#producers?.get(producer)?.get(idempotent)
  }

  /** False when the producer has such a record already; it stays as it is. */
  add(producer: string, idempotent: string, id: EntryId): boolean {
    this.#producers ??= new Map()
    let records = this.#producers.get(producer)
    if (records === undefined) this.#producers.set(producer, (records = new Map()))
    if (records.has(idempotent)) return false
    records.set(idempotent, id.clone())
    this.added++
    if (records.size > this.maxSize) {
      for (const oldest of records.keys()) {
        records.delete(oldest)
        break
      }
    }
    return true
  }

  /** Other settings forget every record; the same ones change nothing. True when something changed. */
  configure(duration: number, maxSize: number): boolean {
    if (duration === this.duration && maxSize === this.maxSize) return false
    this.duration = duration
    this.maxSize = maxSize
    this.#producers = undefined
    return true
  }

  /** Forgets what is `duration` old at `now`, ms since the epoch. */
  expire(now: number): void {
    const oldest = now - this.duration * 1000
    for (const [producer, records] of this.#producers ?? []) {
      for (const [idempotent, id] of records) {
        if (id.ms > oldest) break
        records.delete(idempotent)
      }
      if (records.size === 0) this.#producers?.delete(producer)
    }
  }

  /** Every record; a producer's in the order in which they were added. */
  *[Symbol.iterator](): Generator<{ producer: string; idempotent: string; id: EntryId }> {
    for (const [producer, records] of this.#producers ?? []) {
      for (const [idempotent, id] of records) yield { producer, idempotent, id }
    }
  }

  /** The same settings, counters and records in an object of their own. */
  copyTo(copy: IdempotencyRecords): void {
    copy.duration = this.duration
    copy.maxSize = this.maxSize
    for (const { producer, idempotent, id } of this) copy.add(producer, idempotent, id)
    copy.added = this.added
    copy.duplicates = this.duplicates
    copy.logged = this.logged
  }

  /** Bytes held, roughly. */
  memory(): number {
    let bytes = 0
    for (const [producer, records] of this.#producers ?? []) {
      bytes += RECORD_SIZE + producer.length
      for (const idempotent of records.keys()) bytes += RECORD_SIZE + idempotent.length
    }
    return bytes
  }
}

/** Of an ID, a map slot and a string's head. */
const RECORD_SIZE = 150
