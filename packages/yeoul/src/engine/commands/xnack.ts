import type { Database } from '../keyspace/database.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import { PendingEntry } from '../stream/pending.js'
import type { Stream } from '../stream/stream.js'
import { integer } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, syntaxError } from './command.js'
import { countText, UNOWNED } from './deliveries.js'
import { idsAt, idsOption } from './ids-option.js'
import { streamAt } from './values.js'

/** What giving back does to the delivery count. */
export type NackMode = 'SILENT' | 'FAIL' | 'FATAL'

/** XNACK key group SILENT|FAIL|FATAL IDS numids id [id …] [RETRYCOUNT count] [FORCE] */
function handler({ engine, database, request, reply, now }: Call): void {
  const mode = (['SILENT', 'FAIL', 'FATAL'] as const).find((word) => request.is(3, word))
  if (mode === undefined) throw new CommandError('ERR XNACK mode must be SILENT, FAIL, or FATAL')
  if (!request.is(4, 'IDS')) throw syntaxError()
  const positions = idsOption(request, 4)
  let deliveries: number | undefined
  let force = false
  for (let i = positions.next; i < request.count; i++) {
    if (request.is(i, 'FORCE')) force = true
    else if (request.is(i, 'RETRYCOUNT') && i + 1 < request.count) {
      deliveries = integer(request, ++i)
      if (deliveries < 0) throw new CommandError('ERR value is out of range, must be positive')
    } else throw syntaxError()
  }
  const key = request.string(1)
  const stream = streamAt(database, key, now)
  const group = stream?.groups.get(request.string(2))
  const ids = idsAt(request, positions)
  reply.integer(
    stream === undefined || group === undefined
      ? 0
      : giveBack(engine, database, key, stream, group, ids, mode, { deliveries, force }),
  )
}

const pending = new PendingEntry()

/** Takes deliveries from their consumers: nobody's, due at once. Answers how many. */
export function giveBack(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  group: Group,
  ids: readonly EntryId[],
  mode: NackMode,
  options: { deliveries?: number; force?: boolean } = {},
): number {
  let released = 0
  for (const id of ids) {
    const known = group.pending.get(id, pending)
    if (known ? pending.consumer === null : !(options.force && stream.has(id))) continue
    const before = known ? pending.deliveryCount : 0
    const count =
      options.deliveries ?? (mode === 'FATAL' ? 2 ** 63 : mode === 'SILENT' ? Math.max(before - 1, 0) : before)
    group.pending.set(id, null, 0, count)
    released++
    engine.log?.effect(
      database.index,
      'XCLAIM',
      key,
      group.name,
      UNOWNED,
      0,
      id.toString(),
      'TIME',
      0,
      'RETRYCOUNT',
      countText(count),
      'FORCE',
      'JUSTID',
    )
  }
  if (released > 0) {
    database.changes++
    engine.notify('t', 'xnack', database, key)
    // Readers that claim may have them now.
    engine.blocked.signal(database.index, key)
  }
  return released
}

export const xnack: Command = {
  name: 'xnack',
  arity: -7,
  flags: ['write', 'fast'],
  keys: { first: 1, last: 1, step: 1 },
  since: '8.8.0',
  group: 'stream',
  summary: 'Gives pending messages of a consumer group back, to be claimed by anybody at once.',
  complexity: 'O(1) for each message ID processed.',
  categories: ['write', 'stream', 'fast'],
  handler,
}
