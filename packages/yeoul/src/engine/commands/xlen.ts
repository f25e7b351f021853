import type { Call, Command } from './command.js'
import { streamAt } from './values.js'

/** XLEN key */
function handler({ database, request, reply, now }: Call): void {
  reply.integer(streamAt(database, request.string(1), now)?.length ?? 0)
}

export const xlen: Command = {
  name: 'xlen',
  arity: 2,
  flags: ['readonly', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns the number of messages in a stream.',
  complexity: 'O(1)',
  categories: ['read', 'stream', 'fast'],
  handler,
}
