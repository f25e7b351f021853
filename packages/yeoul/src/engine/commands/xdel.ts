import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import { entryId } from './arguments.js'
import type { Call, Command, EngineState } from './command.js'
import { streamAt } from './values.js'

/** XDEL key id [id …] */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  if (stream === undefined) {
    reply.integer(0)
    return
  }
  const ids: EntryId[] = []
  for (let i = 2; i < request.count; i++) ids.push(entryId(request, i))
  reply.integer(deleteEntries(engine, database, key, stream, ids))
}

/** Removes entries; what groups hold of them stays pending. Answers how many were there. */
export function deleteEntries(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  ids: readonly EntryId[],
): number {
  const removed: EntryId[] = []
  if (engine.snapshot !== undefined) {
    engine.snapshot.beforeRemoval(
      stream,
      ids.reduce((highest, id) => (id.compare(highest) > 0 ? id : highest)),
    )
  }
  for (const id of ids) if (stream.delete(id)) removed.push(id)
  if (removed.length > 0) {
    engine.log?.effect(database.index, 'XDEL', key, ...removed.map(String))
    engine.notify('t', 'xdel', database, key)
    database.touch(key)
  }
  return removed.length
}

export const xdel: Command = {
  name: 'xdel',
  arity: -3,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns the number of messages after removing them from a stream.',
  complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
