import type { Database } from '../keyspace/database.js'
import type { Stream } from '../stream/stream.js'
import { type Call, type Command, CommandError, type EngineState, syntaxError } from './command.js'
import { applyTrim, logTrim, type Trim, TrimOptionsParser } from './trimming.js'
import { streamAt } from './values.js'

/** XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED] */
function handler({ engine, database, request, reply, now }: Call): void {
  const options = new TrimOptionsParser(request)
  for (let i = 2; i < request.count; ) {
    i = options.option(i)
    if (i < 0) throw syntaxError()
  }
  const trim = options.finish()
  if (trim === undefined) throw new CommandError('ERR syntax error, XTRIM must be called with a trimming strategy')
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  reply.integer(stream === undefined ? 0 : trimStream(engine, database, key, stream, trim))
}

/** Trims, logs, tells; answers how many entries went. */
export function trimStream(engine: EngineState, database: Database, key: string, stream: Stream, trim: Trim): number {
  const trimmed = applyTrim(engine, database, key, stream, trim)
  if (trimmed.removed > 0) {
    logTrim(engine, database, key, stream, trimmed)
    engine.notify('t', 'xtrim', database, key)
    database.touch(key)
  }
  return trimmed.removed
}

export const xtrim: Command = {
  name: 'xtrim',
  arity: -4,
  flags: ['write'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'Deletes entries from the beginning of a stream.',
  complexity: 'O(N), with N being the number of evicted entries.',
  categories: ['write', 'stream', 'slow'],
  handler,
}
