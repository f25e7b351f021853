import type { EffectSink } from './aof/effect-buffer.js'
import { RewriteAbandoned } from './aof/errors.js'
import { countText, UNOWNED } from './commands/deliveries.js'
import { IdText } from './commands/id-text.js'
import { scoreText } from './commands/sorted-sets.js'
import type { Database } from './keyspace/database.js'
import { Hash } from './keyspace/hash.js'
import { SortedSet } from './keyspace/sorted-set.js'
import { logNewer } from './newer-effects.js'
import type { Cursor } from './stream/cursor.js'
import { EntryId } from './stream/entry-id.js'
import type { Group } from './stream/group.js'
import type { IdempotencyRecords } from './stream/idempotency.js'
import { PendingEntry } from './stream/pending.js'
import { Stream } from './stream/stream.js'

/** Elements, entries or pending entries written in one step: well below a millisecond. */
const PIECE = 128
const PIECE_BYTES = 256 * 1024

/**
 * A base for the log, written in small steps while commands go on. The increment that follows it replays everything
 * from the moment T the snapshot began, so a step may find a value as it was at T or later, as long as replaying what
 * happened since T leads to the same end:
 *
 *   names, strings, expiries   exactly as at T: the columns are copied then
 *   hashes, sorted sets        element by element, as found: effects on elements are absolute (HSET, HDEL, ZADD, ZREM),
 *                              the last one decides
 *   entries of a stream        exactly as at T: up to the last ID of T, and what is going to be removed is written
 *                              before (`beforeRemoval`)
 *   groups of T                as found: XGROUP SETID, XCLAIM … FORCE and XACK are absolute, given the same entries
 *
 * What takes a value as a whole (RENAME, COPY, MOVE) has it written to its end first (`finish`); SWAPDB gives the
 * snapshot up.
 */
export class Snapshot implements Iterator<undefined> {
  readonly #sink: EffectSink
  readonly #columns: { database: number; keys: string[]; values: unknown[]; expiries: number[] }[]
  /** Streams not written to their end. */
  readonly #streams = new Map<Stream, StreamWriter>()
  /** Hashes and sorted sets that were written before their turn. */
  readonly #finished = new Set<object>()
  /** Where hashes and sorted sets stood at T; made when the first of them is taken as a whole. */
  #places: Map<object, { column: number; row: number }> | undefined
  #column = 0
  #row = 0
  #current: Writer | undefined
  #abandoned: RewriteAbandoned | undefined
  ended = false

  constructor(
    databases: readonly Database[],
    sink: EffectSink,
    /** Called once, at the end or when the rewrite ends early. */
    readonly onEnd: () => void,
  ) {
    this.#sink = sink
    this.#columns = databases
      .filter((database) => database.size > 0)
      .map((database) => ({
        database: database.index,
        keys: database.keys.slice(),
        values: database.values.slice(),
        expiries: database.expiries.slice(),
      }))
    for (const { database, keys, values, expiries } of this.#columns) {
      for (let i = 0; i < values.length; i++) {
        const value = values[i]
        if (value instanceof Stream) {
          this.#streams.set(value, new StreamWriter(sink, database, keys[i], value, expiries[i]))
        }
      }
    }
  }

  /** Writes one piece. */
  next(): IteratorResult<undefined> {
    if (this.#abandoned !== undefined) throw this.#abandoned
    if (this.ended) return { done: true, value: undefined }
    if (this.#current !== undefined) {
      if (this.#current.step()) this.#close(this.#current)
      return { done: false, value: undefined }
    }
    for (let left = PIECE; left > 0; left--) {
      const column = this.#columns[this.#column]
      if (column === undefined) {
        this.return()
        return { done: true, value: undefined }
      }
      const i = this.#row++
      if (i >= column.keys.length) {
        this.#column++
        this.#row = 0
        continue
      }
      const value = column.values[i]
      if (typeof value !== 'string') {
        if (value instanceof Stream) this.#current = this.#streams.get(value)
        else if (!this.#finished.has(value as object)) this.#current = this.#elements(this.#column, i)
        if (this.#current !== undefined) break
        continue
      }
      const expiry = column.expiries[i]
      if (expiry === Number.POSITIVE_INFINITY) this.#sink.effect(column.database, 'SET', column.keys[i], value)
      else this.#sink.effect(column.database, 'SET', column.keys[i], value, 'PXAT', expiry)
    }
    return { done: false, value: undefined }
  }

  return(): IteratorResult<undefined> {
    if (!this.ended) {
      this.ended = true
      this.#streams.clear()
      this.#finished.clear()
      this.onEnd()
    }
    return { done: true, value: undefined }
  }

  /** Entries up to `last` are about to be removed, or the first so many. */
  beforeRemoval(stream: Stream, last: EntryId | number): void {
    this.#streams.get(stream)?.advance(last)
  }

  /** The value is about to be taken as a whole. */
  finish(value: NonNullable<unknown>): void {
    if (typeof value === 'string' || this.ended) return
    const writer = this.#unfinished(value)
    if (writer === undefined) return
    while (!writer.step());
    this.#close(writer)
  }

  /** What is about to happen cannot be told apart from the state at T. */
  abandon(reason: string): void {
    if (!this.ended) this.#abandoned = new RewriteAbandoned(reason)
  }

  #unfinished(value: object): Writer | undefined {
    if (value instanceof Stream) return this.#streams.get(value)
    if (this.#current?.value === value) return this.#current
    if (this.#finished.has(value)) return undefined
    this.#places ??= this.#placesOfElements()
    const place = this.#places.get(value)
    if (place === undefined) return undefined
    const { column, row } = place
    const passed = column < this.#column || (column === this.#column && row < this.#row)
    return passed ? undefined : this.#elements(column, row)
  }

  #elements(column: number, row: number): ElementWriter {
    const { database, keys, values, expiries } = this.#columns[column]
    return new ElementWriter(this.#sink, database, keys[row], values[row] as Hash | SortedSet, expiries[row])
  }

  #placesOfElements(): Map<object, { column: number; row: number }> {
    const places = new Map<object, { column: number; row: number }>()
    for (const [column, { values }] of this.#columns.entries()) {
      for (const [row, value] of values.entries()) {
        if (value instanceof Hash || value instanceof SortedSet) places.set(value, { column, row })
      }
    }
    return places
  }

  #close(writer: Writer): void {
    if (writer instanceof StreamWriter) this.#streams.delete(writer.value)
    else this.#finished.add(writer.value)
    if (this.#current === writer) this.#current = undefined
  }
}

interface Writer {
  readonly value: object
  /** Writes a piece; true when that was the last. */
  step(): boolean
}

function writeExpiry(sink: EffectSink, database: number, key: string, expiry: number): void {
  if (expiry !== Number.POSITIVE_INFINITY) sink.effect(database, 'PEXPIREAT', key, expiry)
}

class ElementWriter implements Writer {
  #cursor = -1
  #written = false

  constructor(
    readonly sink: EffectSink,
    readonly database: number,
    readonly key: string,
    readonly value: Hash | SortedSet,
    readonly expiry: number,
  ) {}

  step(): boolean {
    const { sink, database, key, value } = this
    const args: string[] = []
    this.#cursor =
      value instanceof Hash
        ? value.scan(Math.max(this.#cursor, 0), this.#piece(), (field, text) => void args.push(field, text))
        : value.scan(
            Math.max(this.#cursor, 0),
            this.#piece(),
            (member, score) => void args.push(scoreText(score), member),
          )
    if (args.length > 0) {
      sink.effect(database, value instanceof Hash ? 'HSET' : 'ZADD', key, ...args)
      this.#written = true
    }
    if (this.#cursor > 0) return false
    if (this.#written) writeExpiry(sink, database, key, this.expiry)
    return true
  }

  #piece(): number {
    const { bytes, size } = this.value
    return Math.max(1, Math.min(PIECE, Math.floor((PIECE_BYTES * size) / (bytes + 1))))
  }
}

/**
 *     XADD key id …                                every entry, and a stand-in for each ID that is pending without one
 *     XSETID key last ENTRIESADDED n MAXDELETEDID id
 *     XGROUP CREATE key group id ENTRIESREAD n     then its consumers, then XCLAIM for runs of equal deliveries
 *     XTRIM, XDEL                                  the stand-ins go
 *     ECHO: XCFGSET, XIDMPRECORD                   what idempotent producers added up to T
 *     PEXPIREAT
 */
class StreamWriter implements Writer {
  readonly #lastId: EntryId
  readonly #maxDeletedId: EntryId
  readonly #entriesAdded: number
  readonly #groups: Group[]
  readonly #cursor: Cursor
  #entries = 0
  #entriesWritten = false
  /** Head of the stream at T: stand-ins below it are trimmed, others deleted. */
  #firstId: EntryId | undefined
  readonly #standIns: EntryId[] = []
  /** Above this no pending ID has been compared with the entries. */
  readonly #compared = EntryId.zero()
  #group = 0
  #groupStarted = false
  readonly #next = EntryId.zero()
  readonly #ids = new IdText()
  readonly #added: number
  readonly #duplicates: number
  #records: Iterator<{ producer: string; idempotent: string; id: EntryId }> | undefined
  #standInsGone = false

  constructor(
    readonly sink: EffectSink,
    readonly database: number,
    readonly key: string,
    readonly value: Stream,
    readonly expiry: number,
  ) {
    this.#lastId = value.lastId.clone()
    this.#maxDeletedId = value.maxDeletedId.clone()
    this.#entriesAdded = value.entriesAdded
    this.#groups = value.sortedGroups()
    this.#added = value.idempotency.added
    this.#duplicates = value.idempotency.duplicates
    this.#cursor = value.cursor()
    this.#cursor.seek(EntryId.zero())
  }

  step(): boolean {
    if (!this.#entriesWritten) {
      let bytes = 0
      for (let i = 0; i < PIECE && bytes < PIECE_BYTES && !this.#entriesWritten; i++) {
        this.#entry()
        bytes += this.#cursor.end - this.#cursor.start
      }
      return false
    }
    if (this.#group < this.#groups.length) {
      this.#groupPiece(this.#groups[this.#group])
      return false
    }
    if (!this.#standInsGone) {
      this.#standInsGone = true
      this.#removeStandIns()
    }
    if (!this.#recordsPiece(this.value.idempotency)) return false
    writeExpiry(this.sink, this.database, this.key, this.expiry)
    return true
  }

  /** Writes some records; true when there are no more. Records of entries that came after T follow in the increment. */
  #recordsPiece(idempotency: IdempotencyRecords): boolean {
    const { sink, database, key } = this
    if (this.#records === undefined) {
      if (!idempotency.logged && idempotency.added === 0) return true
      const settings = ['IDMP-DURATION', idempotency.duration, 'IDMP-MAXSIZE', idempotency.maxSize]
      logNewer(sink, database, 'XCFGSET', key, ...settings)
      this.#records = [...idempotency].values()
    }
    for (let i = 0; i < PIECE; i++) {
      const { done, value } = this.#records.next()
      if (done) {
        // Counted last: bringing a record back counts it, too.
        const counters = ['IIDS-ADDED', this.#added, 'IIDS-DUPLICATES', this.#duplicates]
        logNewer(sink, database, 'XCFGSET', key, ...counters)
        return true
      }
      if (value.id.compare(this.#lastId) > 0) continue
      logNewer(sink, database, 'XIDMPRECORD', key, value.producer, value.idempotent, value.id.toString())
    }
    return false
  }

  /** Writes entries up to this ID, or the first so many, before they are gone. */
  advance(last: EntryId | number): void {
    if (typeof last === 'number') {
      const walk = this.value.cursor()
      let found = false
      for (let i = 0; i < last && walk.next(); i++) found = true
      if (found) this.advance(walk.id)
      return
    }
    while (!this.#entriesWritten && this.#compared.compare(last) <= 0) this.#entry()
  }

  #entry(): void {
    const cursor = this.#cursor
    if (!cursor.next() || cursor.id.compare(this.#lastId) > 0) {
      this.#standInsBelow(undefined)
      this.#counters()
      this.#entriesWritten = true
      return
    }
    this.#standInsBelow(cursor.id)
    this.#firstId ??= cursor.id.clone()
    this.#write(cursor.id, cursor.bytes, cursor.start, cursor.end, cursor.fieldCount)
    this.#entries++
    this.#compared.set(cursor.id).increment()
  }

  /** Stand-ins for what is pending between the entry written last and `id` (undefined = the end). */
  #standInsBelow(id: EntryId | undefined): void {
    const missing: EntryId[] = []
    for (const group of this.#groups) {
      if (group.pending.size === 0) continue
      group.pending.walk(this.#compared, (entry) => {
        if (id === undefined ? entry.id.compare(this.#lastId) > 0 : entry.id.compare(id) >= 0) return 'stop'
        missing.push(entry.id.clone())
        return 'next'
      })
    }
    missing.sort((a, b) => a.compare(b))
    let previous: EntryId | undefined
    for (const standIn of missing) {
      if (previous?.equals(standIn)) continue
      this.#write(standIn, STAND_IN, 0, STAND_IN.length, 1)
      this.#standIns.push(standIn)
      previous = standIn
    }
  }

  #write(id: EntryId, source: Buffer, start: number, end: number, fieldCount: number): void {
    const { sink } = this
    this.#ids.clear()
    this.#ids.add(id)
    sink.begin(this.database, 3 + fieldCount * 2)
    sink.bulk('XADD')
    sink.bulk(this.key)
    sink.raw(this.#ids.bytes, 0, this.#ids.length)
    sink.raw(source, start, end)
  }

  #counters(): void {
    const { sink, database, key } = this
    if (this.#entries === 0 && this.#standIns.length === 0) {
      // The key of an empty stream has to come from an entry that does not stay.
      const id = this.#lastId.isZero() ? '0-1' : this.#lastId.toString()
      sink.effect(database, 'XADD', key, 'MAXLEN', 0, id, 'x', '')
    }
    sink.effect(
      database,
      'XSETID',
      key,
      this.#lastId.toString(),
      'ENTRIESADDED',
      this.#entriesAdded,
      'MAXDELETEDID',
      this.#maxDeletedId.toString(),
    )
  }

  #groupPiece(group: Group): void {
    const { sink, database, key } = this
    if (!this.#groupStarted) {
      this.#groupStarted = true
      this.#next.set(EntryId.zero())
      const id = group.lastId.toString()
      sink.effect(database, 'XGROUP', 'CREATE', key, group.name, id, 'ENTRIESREAD', group.entriesRead)
      for (const consumer of group.consumers.values()) {
        sink.effect(database, 'XGROUP', 'CREATECONSUMER', key, group.name, consumer.name)
      }
      return
    }
    // A run of deliveries that one XCLAIM restores: same consumer, time and count.
    const run = new PendingEntry()
    const ids = this.#ids
    ids.clear()
    let more = false
    group.pending.walk(this.#next, (entry) => {
      if (entry.id.compare(this.#lastId) > 0) return 'stop'
      if (ids.count === 0) {
        run.consumer = entry.consumer
        run.deliveryTime = entry.deliveryTime
        run.deliveryCount = entry.deliveryCount
      } else if (
        ids.count === PIECE ||
        entry.consumer !== run.consumer ||
        entry.deliveryTime !== run.deliveryTime ||
        entry.deliveryCount !== run.deliveryCount
      ) {
        this.#next.set(entry.id)
        more = true
        return 'stop'
      }
      ids.add(entry.id)
      return 'next'
    })
    if (ids.count > 0) this.#claim(group, run)
    if (more) return
    this.#group++
    this.#groupStarted = false
  }

  #claim(group: Group, run: PendingEntry): void {
    const { sink } = this
    sink.begin(this.database, 11 + this.#ids.count)
    sink.bulk('XCLAIM')
    sink.bulk(this.key)
    sink.bulk(group.name)
    sink.bulk(run.consumer?.name ?? UNOWNED)
    sink.number(0)
    sink.raw(this.#ids.bytes, 0, this.#ids.length)
    sink.bulk('TIME')
    sink.number(run.deliveryTime)
    sink.bulk('RETRYCOUNT')
    sink.bulk(countText(run.deliveryCount))
    sink.bulk('FORCE')
    sink.bulk('JUSTID')
  }

  #removeStandIns(): void {
    if (this.#standIns.length === 0) return
    const { sink, database, key } = this
    const first = this.#firstId
    if (first === undefined) {
      sink.effect(database, 'XTRIM', key, 'MAXLEN', 0)
      return
    }
    if (this.#standIns[0].compare(first) < 0) sink.effect(database, 'XTRIM', key, 'MINID', first.toString())
    const deleted = this.#standIns.filter((id) => id.compare(first) > 0)
    if (deleted.length > 0) sink.effect(database, 'XDEL', key, ...deleted.map(String))
  }
}

const STAND_IN = Buffer.from('$1\r\nx\r\n$0\r\n\r\n')
