import type { Command } from './command.js'
import { read } from './reading.js'
import { streamsKeys } from './xread.js'

/** XREADGROUP: see reading.ts. */
export const xreadgroup: Command = {
  name: 'xreadgroup',
  arity: -7,
  flags: ['write', 'blocking', 'movablekeys'],
  keys: streamsKeys,
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.',
  complexity: 'For each stream mentioned: O(M) with M being the number of elements returned.',
  categories: ['write', 'stream', 'slow', 'blocking'],
  handler: (call) => read(call, true),
}
