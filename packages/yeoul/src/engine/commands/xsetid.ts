import { entryId, integer } from './arguments.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { logCounters } from './trimming.js'
import { streamAt } from './values.js'

/** XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id] */
function handler({ engine, database, request, reply, now }: Call): void {
  const id = entryId(request, 2)
  let entriesAdded: number | undefined
  let maxDeletedId = undefined as ReturnType<typeof entryId> | undefined
  for (let i = 3; i < request.count; i += 2) {
    if (i + 1 >= request.count) throw syntaxError()
    if (request.is(i, 'ENTRIESADDED')) {
      entriesAdded = integer(request, i + 1)
      if (entriesAdded < 0) throw new CommandError('ERR entries_added must be positive')
    } else if (request.is(i, 'MAXDELETEDID')) {
      maxDeletedId = entryId(request, i + 1)
      if (id.compare(maxDeletedId) < 0) {
        throw new CommandError('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
      }
    } else throw syntaxError()
  }
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  if (id.compare(stream.maxDeletedId) < 0) {
    throw new CommandError('ERR The ID specified in XSETID is smaller than current max_deleted_entry_id')
  }
  if (stream.length > 0) {
    const cursor = stream.cursor()
    if (cursor.previous() && id.compare(cursor.id) < 0) {
      throw new CommandError('ERR The ID specified in XSETID is smaller than the target stream top item')
    }
    if (entriesAdded !== undefined && entriesAdded < stream.length) {
      throw new CommandError('ERR The entries_added specified in XSETID is smaller than the target stream length')
    }
  }
  stream.lastId.set(id)
  if (entriesAdded !== undefined) stream.entriesAdded = entriesAdded
  // 0-0 says nothing, the highest deleted ID stays known; but the log gives the counters as they were.
  if (maxDeletedId !== undefined && (engine.loading || !maxDeletedId.isZero())) stream.maxDeletedId.set(maxDeletedId)
  logCounters(engine, database, key, stream)
  engine.notify('t', 'xsetid', database, key)
  reply.ok()
}

export const xsetid: Command = {
  name: 'xsetid',
  arity: -3,
  flags: ['write', 'denyoom', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'An internal command for replicating stream values.',
  complexity: 'O(1)',
  categories: ['write', 'stream', 'fast'],
  handler,
}
