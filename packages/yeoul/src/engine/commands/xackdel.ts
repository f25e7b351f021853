import type { Call, Command } from './command.js'
import { idsAt, referencesAndIds } from './ids-option.js'
import { streamAt } from './values.js'
import { acknowledge } from './xack.js'
import { DELETED, deleteWithReferences, NOT_FOUND, REFERENCED } from './xdelex.js'

/** XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id …]: only what was pending in this group is deleted. */
function handler({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  const { references, positions } = referencesAndIds(request, 3)
  const group = stream?.groups.get(request.string(2))
  reply.array(positions.next - positions.first)
  if (stream === undefined || group === undefined) {
    for (let i = positions.first; i < positions.next; i++) reply.integer(NOT_FOUND)
    return
  }
  const ids = idsAt(request, positions)
  engine.transaction(() => {
    for (const id of ids) {
      if (acknowledge(engine, database, key, group, [id]) === 0) {
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
