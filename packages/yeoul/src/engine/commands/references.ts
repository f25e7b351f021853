import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import { PendingEntry } from '../stream/pending.js'
import type { Stream } from '../stream/stream.js'
import type { EngineState } from './command.js'

/**
 * What becomes of the groups' references to an entry that is removed: they stay (KEEPREF), they go with it (DELREF), or
 * the entry stays while there are any (ACKED).
 */
export type References = 'keep' | 'delete' | 'acknowledged'

const found = new PendingEntry()

/** Has some group still to read the entry, or to acknowledge it? */
export function isReferenced(stream: Stream, id: EntryId): boolean {
  for (const group of stream.groups.values()) {
    if (group.lastId.compare(id) < 0 || group.pending.get(id, found)) return true
  }
  return false
}

/** Takes the ID out of every group's pending entries, whether or not the entry exists. */
export function dropReferences(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  id: EntryId,
): void {
  for (const group of stream.groups.values()) {
    if (group.pending.delete(id)) engine.log?.effect(database.index, 'XACK', key, group.name, id.toString())
  }
}
