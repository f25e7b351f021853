import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import type { Call, Command, EngineState } from './command.js'
import { idsAt, referencesAndIds } from './ids-option.js'
import { dropReferences, isReferenced, type References } from './references.js'
import { streamAt } from './values.js'
import { deleteEntries } from './xdel.js'

/** What became of an ID. */
export const DELETED = 1
export const REFERENCED = 2
export const NOT_FOUND = -1

/** XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id …] */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  const { references, positions } = referencesAndIds(request, 2)
  reply.array(positions.next - positions.first)
  if (stream === undefined) {
    for (let i = positions.first; i < positions.next; i++) reply.integer(NOT_FOUND)
    return
  }
  const ids = idsAt(request, positions)
  for (const outcome of deleteWithReferences(engine, database, key, stream, ids, references)) reply.integer(outcome)
}

/** Removes entries as `references` says; answers what became of each ID. */
export function deleteWithReferences(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  ids: readonly EntryId[],
  references: References,
): number[] {
  const going: EntryId[] = []
  const named = new Set<string>()
  const outcomes = ids.map((id) => {
    const name = id.toString()
    // As in Redis an ID above what a group has read counts as referenced also when there is no such entry.
    if (references === 'acknowledged' && isReferenced(stream, id)) return REFERENCED
    if (!stream.has(id) || named.has(name)) return NOT_FOUND
    named.add(name)
    going.push(id)
    return DELETED
  })
  engine.transaction(() => {
    if (going.length > 0) deleteEntries(engine, database, key, stream, going)
    // What is pending of entries that went before goes, too.
    if (references === 'delete') for (const id of ids) dropReferences(engine, database, key, stream, id)
  })
  return outcomes
}

export const xdelex: Command = {
  name: 'xdelex',
  arity: -5,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '8.2.0',
  group: 'stream',
  summary: 'Deletes one or more entries from a stream, with control over what consumer groups hold of them.',
  complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
