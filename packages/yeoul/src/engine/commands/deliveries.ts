import type { Database } from '../keyspace/database.js'
import type { Cursor } from '../stream/cursor.js'
import { EntryId } from '../stream/entry-id.js'
import type { Consumer, Group } from '../stream/group.js'
import { PendingEntry } from '../stream/pending.js'
import type { Stream } from '../stream/stream.js'
import type { EngineState } from './command.js'
import { findEntry } from './entries.js'
import { IdText } from './id-text.js'

/** A group being read by one of its consumers. */
export interface Reading {
  readonly engine: EngineState
  readonly database: Database
  readonly key: string
  readonly stream: Stream
  readonly group: Group
  readonly consumer: Consumer
  /** ms since the epoch. */
  readonly now: number
}

/** What one command may still give: entries and bytes, over all its streams. */
export interface Budget {
  entries: number
  /** Soft: the entry that crosses it is still given. */
  bytes: number
}

export function unlimited(): Budget {
  return { entries: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
}

/** Takes an entry out of the budget; false when the budget was spent before it. */
export function spend(budget: Budget, cursor: Cursor): boolean {
  if (budget.entries <= 0 || budget.bytes <= 0) return false
  budget.entries--
  budget.bytes -= cursor.end - cursor.start + 32
  return true
}

/**
 * How an entry that was given back, and has no consumer, stands in the log: as delivered at time 0 to the consumer
 * without a name. A Redis that knows no such entries shows the same, and has it claimed at once.
 */
export const UNOWNED = ''

/** A delivery count as it is written: at most what fits 64 bits with a sign. */
export function countText(count: number): string {
  return count >= 2 ** 63 ? '9223372036854775807' : String(count)
}

const text = new IdText()
const after = new EntryId()

/** The consumer of this name, created and logged when there is none; it is seen at `now`. */
export function consumerOf(
  engine: EngineState,
  database: Database,
  key: string,
  group: Group,
  name: string,
  now: number,
): Consumer {
  const known = group.consumers.get(name)
  if (known !== undefined) {
    known.seenTime = now
    return known
  }
  const created = group.consumer(name, now)
  engine.log?.effect(database.index, 'XGROUP', 'CREATECONSUMER', key, group.name, name)
  database.changes++
  engine.notify('t', 'xgroup-createconsumer', database, key)
  return created
}

/** May there be entries that the group has not delivered? */
export function hasNew(stream: Stream, group: Group): boolean {
  if (stream.length === 0 || stream.lastId.compare(group.lastId) <= 0) return false
  const cursor = stream.cursor()
  return cursor.previous() && cursor.id.compare(group.lastId) > 0
}

/**
 * Gives what the group has not delivered yet, at most `count` (0 = all): each entry moves the group's position and, with
 * `acknowledge` unset, becomes pending for the consumer. Logged as one XCLAIM with the time and one XGROUP SETID with
 * the counter, which together replay to the same state whatever the clock says.
 */
export function deliverNew(
  reading: Reading,
  count: number,
  acknowledged: boolean,
  budget: Budget,
  emit: (cursor: Cursor) => void,
): number {
  const { engine, database, stream, group, consumer, now } = reading
  const cursor = stream.cursor()
  if (!after.set(group.lastId).increment()) return 0
  cursor.seek(after)
  text.clear()
  let given = 0
  // Once the group has passed the last tombstone it counts entry by entry.
  let counting = false
  while ((count === 0 || given < count) && cursor.next() && spend(budget, cursor)) {
    counting ||=
      group.entriesRead !== -1 && group.lastId.compare(stream.firstId) >= 0 && !stream.hasTombstoneAfter(group.lastId)
    if (counting) group.entriesRead++
    else if (stream.entriesAdded > 0) group.entriesRead = stream.estimateEntriesRead(cursor.id) ?? -1
    group.lastId.set(cursor.id)
    if (!acknowledged) {
      group.pending.set(cursor.id, consumer, now, 1)
      if (engine.log !== undefined) text.add(cursor.id)
    }
    emit(cursor)
    given++
  }
  if (given === 0) return 0
  consumer.activeTime = now
  database.changes++
  if (engine.log !== undefined) {
    if (!acknowledged) logClaim(reading, text, now, 1)
    logPosition(engine, database, reading.key, group)
  }
  return given
}

/**
 * Gives the consumer again what is pending for it, from `start` on. `emit` gets no cursor for an entry that was deleted.
 * A live one counts as delivered once more.
 */
export function deliverHistory(
  reading: Reading,
  start: EntryId,
  count: number,
  budget: Budget,
  emit: (id: EntryId, cursor: Cursor | undefined) => void,
): number {
  const { stream, group, consumer, now } = reading
  const cursor = stream.cursor()
  const again = new Redeliveries(reading)
  let given = 0
  group.pending.walk(
    start,
    (entry) => {
      if (count !== 0 && given === count) return 'stop'
      if (budget.entries <= 0 || budget.bytes <= 0) return 'stop'
      given++
      if (!findEntry(cursor, entry.id)) {
        emit(entry.id, undefined)
        return 'next'
      }
      spend(budget, cursor)
      entry.deliveryTime = now
      entry.deliveryCount++
      again.add(entry.id, entry.deliveryCount)
      emit(entry.id, cursor)
      return 'next'
    },
    { consumer },
  )
  again.log()
  return given
}

/**
 * Takes over what is pending in the group for `minIdle` ms or more, oldest delivery first. `emit` gets idle time and
 * delivery count as they were before.
 */
export function deliverIdle(
  reading: Reading,
  minIdle: number,
  count: number,
  budget: Budget,
  emit: (cursor: Cursor, idle: number, deliveries: number) => void,
): number {
  const { stream, group, consumer, now } = reading
  const due: { id: EntryId; time: number }[] = []
  group.pending.walk(
    EntryId.zero(),
    (entry) => {
      due.push({ id: entry.id.clone(), time: entry.deliveryTime })
      return 'next'
    },
    { minIdleBefore: now - minIdle },
  )
  due.sort((a, b) => a.time - b.time)
  const cursor = stream.cursor()
  const pending = new PendingEntry()
  const again = new Redeliveries(reading)
  let given = 0
  for (const { id } of due) {
    if (count !== 0 && given === count) break
    if (!findEntry(cursor, id)) continue
    if (!spend(budget, cursor)) break
    group.pending.get(id, pending)
    const idle = pending.deliveryTime === 0 ? 0 : Math.max(now - pending.deliveryTime, 0)
    emit(cursor, idle, pending.deliveryCount)
    group.pending.set(id, consumer, now, pending.deliveryCount + 1)
    again.add(id, pending.deliveryCount + 1)
    given++
  }
  if (given > 0) consumer.activeTime = now
  again.log()
  return given
}

/** Deliveries of one command, logged together by delivery count: one XCLAIM for each count that occurs. */
export class Redeliveries {
  readonly #byCount = new Map<number, IdText>()

  constructor(readonly reading: Reading) {}

  add(id: EntryId, count: number): void {
    if (this.reading.engine.log === undefined) return
    let ids = this.#byCount.get(count)
    if (ids === undefined) this.#byCount.set(count, (ids = new IdText()))
    ids.add(id)
  }

  /** `time` is that of the delivery, ms since the epoch. */
  log(time = this.reading.now): void {
    // An entry that was claimed twice stands under both counts; the higher one, its last, has to be replayed last.
    for (const [count, ids] of [...this.#byCount].sort(([a], [b]) => a - b)) logClaim(this.reading, ids, time, count)
    if (this.#byCount.size > 0) this.reading.database.changes++
  }
}

/** XCLAIM key group consumer 0 id … TIME t RETRYCOUNT n FORCE JUSTID LASTID id */
function logClaim({ engine, database, key, group, consumer }: Reading, ids: IdText, time: number, count: number): void {
  const { log } = engine
  if (log === undefined || ids.count === 0) return
  log.begin(database.index, 13 + ids.count)
  log.bulk('XCLAIM')
  log.bulk(key)
  log.bulk(group.name)
  log.bulk(consumer.name)
  log.number(0)
  log.raw(ids.bytes, 0, ids.length)
  log.bulk('TIME')
  log.number(time)
  log.bulk('RETRYCOUNT')
  log.bulk(countText(count))
  log.bulk('FORCE')
  log.bulk('JUSTID')
  log.bulk('LASTID')
  log.bulk(group.lastId.toString())
}

/** Logs where the group stands. */
export function logPosition(engine: EngineState, database: Database, key: string, group: Group): void {
  const { log } = engine
  if (log === undefined) return
  log.begin(database.index, 7)
  log.bulk('XGROUP')
  log.bulk('SETID')
  log.bulk(key)
  log.bulk(group.name)
  log.bulk(group.lastId.toString())
  log.bulk('ENTRIESREAD')
  log.number(group.entriesRead)
}
