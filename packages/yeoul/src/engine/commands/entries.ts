import type { Reply } from '../resp/reply.js'
import type { Cursor } from '../stream/cursor.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import { ID_ROOM, putId } from './id-text.js'

/** An ID as a bulk string. */
export function writeId(reply: Reply, id: EntryId): void {
  reply.reserve(ID_ROOM)
  reply.length = putId(reply.bytes, reply.length, id)
}

/** A delivery count: at most what fits 64 bits with a sign. */
export function writeCount(reply: Reply, count: number): void {
  reply.integer(count >= 2 ** 63 ? 9223372036854775807n : count)
}

/** `[id, [field, value, …]]`, a flat array in both protocols. */
export function writeEntry(reply: Reply, cursor: Cursor): void {
  // One look at the room for all parts.
  reply.reserve(ID_ROOM + 64 + cursor.end - cursor.start)
  reply.array(2)
  reply.length = putId(reply.bytes, reply.length, cursor.id)
  reply.array(cursor.fieldCount * 2)
  reply.raw(cursor.bytes, cursor.start, cursor.end)
}

/** The entry of exactly this ID; false when it is gone. */
export function findEntry(cursor: Cursor, id: EntryId): boolean {
  cursor.seek(id)
  return cursor.next() && cursor.id.equals(id)
}

/** Entries with start ≤ id ≤ end as an array, at most `count` (0 = all); descending with `reverse`. */
export function writeRange(
  reply: Reply,
  stream: Stream,
  start: EntryId,
  end: EntryId,
  count: number,
  reverse: boolean,
): void {
  const mark = reply.openArray()
  let written = 0
  const cursor = stream.cursor()
  cursor.seek(reverse ? end : start)
  while ((count === 0 || written < count) && (reverse ? cursor.previous() : cursor.next())) {
    if (reverse ? cursor.id.compare(start) < 0 : cursor.id.compare(end) > 0) break
    writeEntry(reply, cursor)
    written++
  }
  reply.closeArray(mark, written)
}
