import { integer, intervalEnd, intervalStart } from './arguments.js'
import { type Call, type Command, syntaxError } from './command.js'
import { writeRange } from './entries.js'
import { streamAt } from './values.js'

/**
 * XRANGE key start end [COUNT count]
 * XREVRANGE key end start [COUNT count]
 */
function range({ database, request, reply, now }: Call, reverse: boolean): void {
  const start = intervalStart(request.string(reverse ? 3 : 2))
  const end = intervalEnd(request.string(reverse ? 2 : 3))
  let count = -1
  for (let i = 4; i < request.count; i += 2) {
    if (!request.is(i, 'COUNT') || i + 1 >= request.count) throw syntaxError()
    count = Math.max(integer(request, i + 1), 0)
  }
  const stream = streamAt(database, request.string(1), now)
  if (stream === undefined) reply.array(0)
  else if (count === 0) reply.nilArray()
  else writeRange(reply, stream, start, end, Math.max(count, 0), reverse)
}

const complexity =
  'O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).'

export const xrange: Command = {
  name: 'xrange',
  arity: -4,
  flags: ['readonly'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns the messages from a stream within a range of IDs.',
  complexity,
  categories: ['read', 'stream', 'slow'],
  handler: (call) => range(call, false),
}

export const xrevrange: Command = {
  ...xrange,
  name: 'xrevrange',
  summary: 'Returns the messages from a stream within a range of IDs in reverse order.',
  handler: (call) => range(call, true),
}
