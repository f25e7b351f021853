import type { Call, Command } from './command.js'
import { referencesAndIds } from './ids-option.js'
import { streamAt } from './values.js'
import { acknowledge } from './xack.js'
import { DELETED, deleteWithReferences, NOT_FOUND, REFERENCED } from './xdelex.js'

/** XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id …]: only what was pending in this group is deleted. */
function handler({ engine, database, request, reply, now }: Call): void {
  const { references, ids } = referencesAndIds(request, 3)
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  const group = stream?.groups.get(request.string(2))
  reply.array(ids.length)
  engine.transaction(() => {
    for (const id of ids) {
      if (stream === undefined || group === undefined || acknowledge(engine, database, key, group, [id]) === 0) {
        reply.integer(NOT_FOUND)
        continue
      }
      const [outcome] = deleteWithReferences(engine, database, key, stream, [id], references)
      reply.integer(outcome === REFERENCED ? REFERENCED : DELETED)
    }
  })
}

export const xackdel: Command = {
  name: 'xackdel',
  arity: -6,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '8.2.0',
  group: 'stream',
  summary: 'Acknowledges and deletes one or more messages of a consumer group.',
  complexity: 'O(1) for each message ID processed.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
