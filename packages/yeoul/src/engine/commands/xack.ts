import type { Database } from '../keyspace/database.js'
import { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import { readEntryId } from './arguments.js'
import type { Call, Command, EngineState } from './command.js'
import { IdText } from './id-text.js'
import { streamAt } from './values.js'

const text = new IdText()
/** IDs of one command, used again by the next. */
const kept: EntryId[] = []
const IDS_KEPT = 1024

/** XACK key group id [id …] */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.name(1)
  const group = streamAt(database, key, now)?.groups.get(request.name(2))
  if (group === undefined) {
    reply.integer(0)
    return
  }
  const count = request.count - 3
  const ids = count <= IDS_KEPT ? kept : []
  // None is acknowledged unless all can be read.
  for (let i = 0; i < count; i++) readEntryId(request, i + 3, (ids[i] ??= new EntryId()))
  reply.integer(acknowledge(engine, database, key, group, ids, count))
}

/** Takes the first `length` IDs out of the group's pending entries; answers how many were pending. One effect for all. */
export function acknowledge(
  engine: EngineState,
  database: Database,
  key: string,
  group: Group,
  ids: readonly EntryId[],
  length = ids.length,
): number {
  const { log } = engine
  text.clear()
  let count = 0
  for (let i = 0; i < length; i++) {
    const id = ids[i]
    if (!group.pending.delete(id)) continue
    count++
    if (log !== undefined) text.add(id)
  }
  if (count > 0) {
    database.changes++
    if (log !== undefined) {
      log.begin(database.index, 3 + count)
      log.bulk('XACK')
      log.bulk(key)
      log.bulk(group.name)
      log.raw(text.bytes, 0, text.length)
    }
  }
  return count
}

export const xack: Command = {
  name: 'xack',
  arity: -4,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.',
  complexity: 'O(1) for each message ID processed.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
