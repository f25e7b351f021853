import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import { entryId } from './arguments.js'
import type { Call, Command, EngineState } from './command.js'
import { IdText } from './id-text.js'
import { streamAt } from './values.js'

const text = new IdText()

/** XACK key group id [id …] */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const group = streamAt(database, key, now)?.groups.get(request.string(2))
  if (group === undefined) {
    reply.integer(0)
    return
  }
  const ids: EntryId[] = []
  for (let i = 3; i < request.count; i++) ids.push(entryId(request, i))
  reply.integer(acknowledge(engine, database, key, group, ids))
}

/** Takes IDs out of the group's pending entries; answers how many were pending. One effect for all. */
export function acknowledge(
  engine: EngineState,
  database: Database,
  key: string,
  group: Group,
  ids: readonly EntryId[],
): number {
  const { log } = engine
  text.clear()
  let count = 0
  for (const id of ids) {
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
