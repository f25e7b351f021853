import type { Cursor } from '../stream/cursor.js'
import type { EntryId } from '../stream/entry-id.js'
import { EntryId as Id } from '../stream/entry-id.js'
import { PendingEntry } from '../stream/pending.js'
import { entryId, integer } from './arguments.js'
import { type Call, type Command, CommandError, shown } from './command.js'
import { consumerOf, logPosition, type Reading, Redeliveries, UNOWNED } from './deliveries.js'
import { findEntry, writeEntry, writeId } from './entries.js'
import { groupAt } from './values.js'

/**
 * XCLAIM key group consumer min-idle-time id [id …] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]
 *
 * IDs end at the first argument that is none; the rest are options.
 */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const { stream, group } = groupAt(database, key, request.string(2), now)
  const minIdle = Math.max(integer(request, 4, 'Invalid min-idle-time argument for XCLAIM'), 0)
  const ids: EntryId[] = []
  let i = 5
  for (; i < request.count; i++) {
    const id = Id.parse(request.string(i))
    if (id === undefined) break
    ids.push(id)
  }
  let time: number | undefined
  let deliveries: number | undefined
  let lastId: EntryId | undefined
  let force = false
  let justId = false
  for (; i < request.count; i++) {
    const more = request.count - 1 - i
    if (request.is(i, 'FORCE')) force = true
    else if (request.is(i, 'JUSTID')) justId = true
    else if (more > 0 && request.is(i, 'IDLE')) {
      time = now - integer(request, ++i, 'Invalid IDLE option argument for XCLAIM')
    } else if (more > 0 && request.is(i, 'TIME')) {
      time = integer(request, ++i, 'Invalid TIME option argument for XCLAIM')
    } else if (more > 0 && request.is(i, 'RETRYCOUNT')) {
      deliveries = integer(request, ++i, 'Invalid RETRYCOUNT option argument for XCLAIM')
    } else if (more > 0 && request.is(i, 'LASTID')) lastId = entryId(request, ++i)
    else throw new CommandError(`ERR Unrecognized XCLAIM option '${shown(request.string(i))}'`)
  }
  const raised = lastId !== undefined && lastId.compare(group.lastId) > 0
  if (raised) group.lastId.set(lastId as EntryId)
  // A sender may compute the time from a clock of its own. In replay the log is right, whatever this clock says.
  if (time === undefined || time < 0 || (time > now && !engine.loading)) time = now
  if (deliveries !== undefined && deliveries < 0) deliveries = undefined

  if (engine.loading && time === 0 && request.string(3) === UNOWNED) {
    // What was pending when it was given back may be pending of an entry that is gone.
    for (const id of ids) {
      if (stream.has(id) || group.pending.get(id, pending)) group.pending.set(id, null, 0, deliveries ?? 0)
    }
    reply.array(0)
    return
  }
  const consumer = consumerOf(engine, database, key, group, request.string(3), now)
  const reading: Reading = { engine, database, key, stream, group, consumer, now }
  const mark = reply.openArray()
  const options = { minIdle, time, deliveries, force, count: !justId }
  const claimed = claim(reading, ids, options, (id, cursor) => {
    if (justId) writeId(reply, id)
    else writeEntry(reply, cursor)
  })
  if (raised && !engine.loading) logPosition(engine, database, key, group)
  reply.closeArray(mark, claimed)
}

export interface ClaimOptions {
  /** ms. */
  minIdle: number
  /** Of the delivery, ms since the epoch. */
  time: number
  /** Sets the delivery count. */
  deliveries: number | undefined
  /** Makes entries pending that are not. */
  force: boolean
  /** Counts a delivery more, unless `deliveries` says how many. */
  count: boolean
}

const pending = new PendingEntry()

/** Gives entries to the consumer; those that were deleted stop being pending. Answers how many it got. */
export function claim(
  reading: Reading,
  ids: readonly EntryId[],
  { minIdle, time, deliveries, force, count }: ClaimOptions,
  emit: (id: EntryId, cursor: Cursor, deliveries: number, idle: number) => void,
): number {
  const { engine, database, key, stream, group, consumer, now } = reading
  const cursor = stream.cursor()
  const claimed = new Redeliveries(reading)
  const gone: string[] = []
  let given = 0
  for (const id of ids) {
    const known = group.pending.get(id, pending)
    if (!findEntry(cursor, id)) {
      if (known && group.pending.delete(id)) gone.push(id.toString())
      continue
    }
    if (!known && !force) continue
    const idle = known ? now - pending.deliveryTime : 0
    if (known && pending.consumer !== null && minIdle > 0 && idle < minIdle) continue
    const deliveryCount = deliveries ?? (known ? pending.deliveryCount : 1) + (count ? 1 : 0)
    group.pending.set(id, consumer, time, deliveryCount)
    claimed.add(id, deliveryCount)
    emit(id, cursor, deliveryCount, Math.max(idle, 0))
    given++
  }
  if (given > 0) consumer.activeTime = now
  if (gone.length > 0) engine.log?.effect(database.index, 'XACK', key, group.name, ...gone)
  claimed.log(time)
  return given
}

export const xclaim: Command = {
  name: 'xclaim',
  arity: -6,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary:
    'Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.',
  complexity: 'O(log N) with N being the number of messages in the PEL of the consumer group.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
