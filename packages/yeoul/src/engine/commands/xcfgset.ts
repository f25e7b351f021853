import type { Request } from '../resp/request.js'
import { integer } from './arguments.js'
import { type Call, type Command, CommandError, syntaxError } from './command.js'
import { logSettings } from './idempotence.js'
import { streamAt } from './values.js'

/**
 * XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]
 *
 * The log of a compaction adds what has been counted: [IIDS-ADDED n] [IIDS-DUPLICATES n].
 */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  const { idempotency } = stream
  let { duration, maxSize, added, duplicates } = idempotency
  if (request.count === 2) throw new CommandError('ERR At least one parameter must be specified')
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 >= request.count) throw syntaxError()
    if (request.is(i, 'IDMP-DURATION')) {
      duration = between(request, i + 1, 86_400, 'IDMP-DURATION must be between 1 and 86400 seconds')
    } else if (request.is(i, 'IDMP-MAXSIZE')) {
      maxSize = between(request, i + 1, 10_000, 'IDMP-MAXSIZE must be between 1 and 10000 entries')
    } else if (engine.loading && request.is(i, 'IIDS-ADDED')) added = integer(request, i + 1)
    else if (engine.loading && request.is(i, 'IIDS-DUPLICATES')) duplicates = integer(request, i + 1)
    else throw syntaxError()
  }
  if (idempotency.configure(duration, maxSize)) database.touch(key)
  idempotency.added = added
  idempotency.duplicates = duplicates
  logSettings(engine, database, key, stream)
  reply.ok()
}

function between(request: Request, i: number, most: number, refusal: string): number {
  const value = integer(request, i)
  if (value < 1 || value > most) throw new CommandError(`ERR ${refusal}`)
  return value
}

export const xcfgset: Command = {
  name: 'xcfgset',
  arity: -2,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '8.6.0',
  group: 'stream',
  summary: 'Sets how long, and how many, idempotent additions of a producer a stream remembers.',
  complexity: 'O(1); O(N) with N being the records forgotten when a setting changes.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
