import { CommandError } from '../commands/command.js'
import { deleteFields, setFields } from '../commands/hashes.js'
import { groupAt, hashAt, streamAt, streamOrNew } from '../commands/values.js'
import { createGroup, removeConsumer as deleteConsumer, destroyGroup, moveGroup } from '../commands/xgroup.js'
import { EntryId } from '../stream/entry-id.js'
import { PendingEntry } from '../stream/pending.js'
import { noId, type StepContext } from './context.js'

/** Makes the group if it is missing: at its checkpoint, when it had one, but never beyond the stream's end. */
export function ensureGroup(
  context: StepContext,
  keys: { key: string; checkpoints: string },
  group: string,
  start: string,
): boolean {
  const { engine, database, now } = context
  const stream = streamAt(database, keys.key, now)
  if (stream?.groups.has(group)) return false
  const mark = hashAt(database, keys.checkpoints, now)?.get(group)
  const end = stream?.lastId ?? EntryId.zero()
  let from = mark !== undefined || start !== '$' ? EntryId.parse(mark ?? start) : end.clone()
  if (from === undefined) throw noId()
  if (mark !== undefined && end.compare(from) < 0) from = end.clone()
  return createGroup(engine, database, keys.key, stream ?? streamOrNew(engine, database, keys.key, now), group, from)
}

/** Moves a group's cursor (`$` = the end), and its checkpoint with it. */
export function setGroup(
  context: StepContext,
  keys: { key: string; checkpoints: string },
  name: string,
  id: string,
): void {
  const { engine, database, now } = context
  if (streamAt(database, keys.key, now) === undefined) {
    throw new CommandError('ERR The XGROUP subcommand requires the key to exist.')
  }
  const { stream, group } = groupAt(database, keys.key, name, now)
  const to = id === '$' ? stream.lastId : EntryId.parse(id)
  if (to === undefined) throw noId()
  const marked = hashAt(database, keys.checkpoints, now)?.has(name)
  moveGroup(engine, database, keys.key, group, to)
  if (marked) setFields(engine, database, keys.checkpoints, [[name, to.toString()]], now)
}

/** Removes a group and its checkpoint; false when there was no such group. */
export function removeGroup(context: StepContext, keys: { key: string; checkpoints: string }, name: string): boolean {
  const { engine, database, now } = context
  const stream = streamAt(database, keys.key, now)
  deleteFields(engine, database, keys.checkpoints, [name], now)
  return stream !== undefined && destroyGroup(engine, database, keys.key, stream, name)
}

/** Remembers how far a group has handled everything; never moves back. */
export function checkpoint(
  { engine, database, now }: StepContext,
  checkpoints: string,
  group: string,
  id: string,
): boolean {
  const to = EntryId.parse(id)
  if (to === undefined) throw noId()
  const mark = hashAt(database, checkpoints, now)?.get(group)
  const known = mark === undefined ? undefined : EntryId.parse(mark)
  if (known !== undefined && known.compare(to) >= 0) return false
  setFields(engine, database, checkpoints, [[group, to.toString()]], now)
  return true
}

/** False when the consumer holds something or does not exist. */
export function removeConsumer(context: StepContext, key: string, groupName: string, name: string): boolean {
  const { engine, database, now } = context
  const { group } = groupAt(database, key, groupName, now)
  const consumer = group.consumers.get(name)
  if (consumer === undefined || consumer.pending > 0) return false
  deleteConsumer(engine, database, key, group, name)
  return true
}

export interface GroupFacts {
  name: string
  consumers: number
  pending: number
  lastDeliveredId: string
  /** −1 = unknown. */
  entriesRead: number
  lag: number | null
  oldestPendingId: string | null
  /** ms, the longest among the first ten of the list. */
  oldestPendingIdle: number | null
  checkpoint: string | null
}

/** What is known of each group, without walking entries. */
export function groups({ database, now }: StepContext, keys: { key: string; checkpoints: string }): GroupFacts[] {
  const stream = streamAt(database, keys.key, now)
  if (stream === undefined) return []
  const marks = hashAt(database, keys.checkpoints, now)
  return stream.sortedGroups().map((group) => {
    let oldestPendingId: string | null = null
    let oldestPendingIdle: number | null = null
    let seen = 0
    group.pending.walk(EntryId.zero(), (entry) => {
      oldestPendingId ??= entry.id.toString()
      oldestPendingIdle = Math.max(oldestPendingIdle ?? 0, now - entry.deliveryTime)
      return ++seen < 10 ? 'next' : 'stop'
    })
    return {
      name: group.name,
      consumers: group.consumers.size,
      pending: group.pending.size,
      lastDeliveredId: group.lastId.toString(),
      entriesRead: group.entriesRead,
      lag: stream.lag(group),
      oldestPendingId,
      oldestPendingIdle,
      checkpoint: marks?.get(group.name) ?? null,
    }
  })
}

export interface StreamFacts {
  length: number
  firstId: string | null
  lastId: string
  maxDeletedId: string
  entriesAdded: number
  groups: number
  memory: number
  trimmed: { removed: number; below: string | null; forcedBelow: string | null }
}

export function info({ database, now }: StepContext, keys: { key: string; trimmed: string }): StreamFacts | undefined {
  const stream = streamAt(database, keys.key, now)
  const record = hashAt(database, keys.trimmed, now)
  if (stream === undefined) return undefined
  return {
    length: stream.length,
    firstId: stream.length === 0 ? null : stream.firstId.toString(),
    lastId: stream.lastId.toString(),
    maxDeletedId: stream.maxDeletedId.toString(),
    entriesAdded: stream.entriesAdded,
    groups: stream.groups.size,
    memory: stream.memory(),
    trimmed: {
      removed: Number(record?.get('removed') ?? 0),
      below: record?.get('below') ?? null,
      forcedBelow: record?.get('forced') ?? null,
    },
  }
}

const pending = new PendingEntry()

/**
 * The first id that some group has not acknowledged: nothing before it is needed by anybody. The highest id there is when
 * everything is acknowledged; undefined when there is no group. A group that was lost counts by its checkpoint.
 */
export function acknowledgedBelow(
  { database, now }: StepContext,
  keys: { key: string; checkpoints: string },
): EntryId | undefined {
  const stream = streamAt(database, keys.key, now)
  let floor: EntryId | undefined
  const lower = (id: EntryId) => {
    if (floor === undefined || id.compare(floor) < 0) floor = id.clone()
  }
  for (const group of stream?.groups.values() ?? []) {
    if (group.pending.first(pending)) lower(pending.id)
    lower(after(group.lastId))
  }
  const marks = hashAt(database, keys.checkpoints, now)
  for (const name of marks?.fields ?? []) {
    const mark = EntryId.parse(marks?.get(name) ?? '')
    if (mark !== undefined && !stream?.groups.has(name)) lower(after(mark))
  }
  return floor
}

function after(id: EntryId): EntryId {
  const next = id.clone()
  next.increment()
  return next
}
