import type { Request } from '../resp/request.js'
import type { Command } from './command.js'
import { read } from './reading.js'

/** Keys stand behind STREAMS, as many as IDs follow them. */
export function streamsKeys(request: Request): number[] {
  for (let i = 1; i < request.count; i++) {
    if (!request.is(i, 'STREAMS')) continue
    const count = Math.floor((request.count - i - 1) / 2)
    return Array.from({ length: count }, (_, k) => i + 1 + k)
  }
  return []
}

/** XREAD: see reading.ts. */
export const xread: Command = {
  name: 'xread',
  arity: -4,
  flags: ['readonly', 'blocking', 'movablekeys'],
  keys: streamsKeys,
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.',
  complexity: 'For each stream mentioned: O(N) with N being the number of elements being returned.',
  categories: ['read', 'stream', 'slow', 'blocking'],
  handler: (call) => read(call, false),
}
