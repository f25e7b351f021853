import type { Cursor } from '../stream/cursor.js'
import { EntryId } from '../stream/entry-id.js'
import { integer, intervalStart } from './arguments.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { consumerOf, type Reading, Redeliveries } from './deliveries.js'
import { findEntry, writeEntry, writeId } from './entries.js'
import { groupAt } from './values.js'

const ATTEMPTS_PER_ENTRY = 10

/** XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID] */
function handler({ engine, database, request, reply, now }: Call): void {
  const minIdle = Math.max(integer(request, 4, 'Invalid min-idle-time argument for XAUTOCLAIM'), 0)
  const start = intervalStart(request.string(5))
  let count = 100
  let justId = false
  for (let i = 6; i < request.count; i++) {
    if (request.is(i, 'COUNT') && i + 1 < request.count) {
      count = integer(request, ++i, 'COUNT must be > 0')
      if (count < 1 || count > MAX_COUNT) throw new CommandError('ERR COUNT must be > 0')
    } else if (request.is(i, 'JUSTID')) justId = true
    else throw syntaxError()
  }
  const key = request.string(1)
  const { stream, group } = groupAt(database, key, request.string(2), now)
  const consumer = consumerOf(engine, database, key, group, request.string(3), now)
  const reading: Reading = { engine, database, key, stream, group, consumer, now }

  reply.array(3)
  const top = reply.openArray()
  let given = 0
  const { next, deleted } = claimIdle(reading, start, { minIdle, count, justId }, (id, cursor) => {
    given++
    if (justId) writeId(reply, id)
    else writeEntry(reply, cursor)
  })
  // The cursor stands first but is known last.
  const entries = Buffer.from(reply.bytes.subarray(top, reply.length))
  reply.rewind(top)
  writeId(reply, next)
  reply.array(given)
  reply.raw(entries, 0, entries.length)
  reply.array(deleted.length)
  for (const id of deleted) writeId(reply, id)
}

/**
 * Takes over what is idle for `minIdle` ms or more, in ID order from `start`, looking at ten pending entries for each
 * wanted. Deleted entries stop being pending, are answered, and count. `next` is where to go on, 0-0 at the end.
 */
export function claimIdle(
  reading: Reading,
  start: EntryId,
  { minIdle, count, justId }: { minIdle: number; count: number; justId: boolean },
  emit: (id: EntryId, cursor: Cursor, deliveries: number, idle: number) => void,
): { next: EntryId; deleted: EntryId[] } {
  const { engine, database, key, stream, group, consumer, now } = reading
  const cursor = stream.cursor()
  const claimed = new Redeliveries(reading)
  const deleted: EntryId[] = []
  const next = EntryId.zero()
  let attempts = count * ATTEMPTS_PER_ENTRY
  let left = count
  let given = 0
  group.pending.walk(start, (entry) => {
    if (attempts === 0 || left === 0) {
      next.set(entry.id)
      return 'stop'
    }
    attempts--
    if (!findEntry(cursor, entry.id)) {
      deleted.push(entry.id.clone())
      left--
      return 'delete'
    }
    const idle = now - entry.deliveryTime
    if (minIdle > 0 && idle < minIdle) return 'next'
    entry.consumer = consumer
    entry.deliveryTime = now
    if (!justId) entry.deliveryCount++
    claimed.add(entry.id, entry.deliveryCount)
    emit(entry.id, cursor, entry.deliveryCount, Math.max(idle, 0))
    left--
    given++
    return 'next'
  })
  if (given > 0) consumer.activeTime = now
  if (deleted.length > 0) engine.log?.effect(database.index, 'XACK', key, group.name, ...deleted.map(String))
  claimed.log()
  return { next, deleted }
}

/** Redis refuses what it could not allocate for: LONG_MAX / 16 (size of an ID). */
const MAX_COUNT = 2 ** 63 / 16

export const xautoclaim: Command = {
  name: 'xautoclaim',
  arity: -6,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '6.2.0',
  group: 'stream',
  summary:
    'Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.',
  complexity: 'O(1) if COUNT is small.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
