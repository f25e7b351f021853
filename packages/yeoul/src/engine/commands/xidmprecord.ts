import { entryId } from './arguments.js'
import { type Call, type Command, CommandError } from './command.js'
import { remember } from './idempotence.js'
import { streamAt } from './values.js'

/** XIDMPRECORD key producer idempotent-id entry-id: how a log brings back what XADD IDMP remembered. */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  const [producer, idempotent] = [request.string(2), request.string(3)]
  const id = entryId(request, 4)
  // A record outlives its entry, so that in a log it may stand without one.
  if (!engine.loading && !stream.has(id)) {
    throw new CommandError("ERR The specified stream ID was deleted or doesn't exist")
  }
  const known = stream.idempotency.find(producer, idempotent)
  if (known !== undefined && !known.equals(id)) {
    throw new CommandError('ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID')
  }
  if (known === undefined) {
    remember(engine, database, key, stream, producer, idempotent, id)
    database.touch(key)
  }
  reply.ok()
}

export const xidmprecord: Command = {
  name: 'xidmprecord',
  arity: 5,
  flags: ['write', 'denyoom', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '8.8.0',
  group: 'stream',
  summary: 'An internal command that brings back the record of an idempotent addition.',
  complexity: 'O(1)',
  categories: ['write', 'stream', 'fast'],
  handler,
}
