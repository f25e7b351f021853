import type { Reply } from '../resp/reply.js'
import type { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import { byName } from '../stream/group.js'
import { PendingEntry } from '../stream/pending.js'
import { integer, intervalEnd, intervalStart } from './arguments.js'
import { type Call, type Command, syntaxError } from './command.js'
import { writeCount, writeId } from './entries.js'
import { groupAt } from './values.js'

/**
 * XPENDING key group
 * XPENDING key group [IDLE min-idle-time] start end count [consumer]
 */
function handler({ database, request, reply, now }: Call): void {
  const { count: args } = request
  if (args !== 3 && (args < 6 || args > 9)) throw syntaxError()
  if (args === 3) {
    summary(reply, groupAt(database, request.string(1), request.string(2), now).group)
    return
  }
  let at = 3
  let minIdle = 0
  if (request.is(3, 'IDLE')) {
    minIdle = integer(request, 4)
    if (args < 8) throw syntaxError()
    at = 5
  }
  const count = Math.max(integer(request, at + 2), 0)
  const start = intervalStart(request.string(at))
  const end = intervalEnd(request.string(at + 1))
  const consumer = at + 3 < args ? request.string(at + 3) : undefined
  const { group } = groupAt(database, request.string(1), request.string(2), now)
  const mark = reply.openArray()
  let written = 0
  listPending(group, { start, end, count, consumer, minIdle, now }, (entry, idle) => {
    reply.array(4)
    writeId(reply, entry.id)
    reply.bulk(entry.consumer?.name ?? '')
    reply.integer(idle)
    writeCount(reply, entry.deliveryCount)
    written++
  })
  reply.closeArray(mark, written)
}

/** Visits pending entries with start ≤ id ≤ end, at most `count`; idle is never negative. */
export function listPending(
  group: Group,
  options: { start: EntryId; end: EntryId; count: number; consumer?: string; minIdle?: number; now: number },
  visit: (entry: PendingEntry, idle: number) => void,
): void {
  const { start, end, count, minIdle = 0, now } = options
  const consumer = options.consumer === undefined ? undefined : group.consumers.get(options.consumer)
  if (options.consumer !== undefined && consumer === undefined) return
  let left = count
  if (left <= 0) return
  group.pending.walk(
    start,
    (entry) => {
      if (left-- === 0 || entry.id.compare(end) > 0) return 'stop'
      visit(entry, Math.max(now - entry.deliveryTime, 0))
      return 'next'
    },
    { consumer, minIdleBefore: minIdle > 0 ? now - minIdle : undefined },
  )
}

const edge = new PendingEntry()

function summary(reply: Reply, group: Group): void {
  reply.array(4)
  reply.integer(group.pending.size)
  if (group.pending.size === 0) {
    reply.nil()
    reply.nil()
    reply.nilArray()
    return
  }
  group.pending.first(edge)
  writeId(reply, edge.id)
  group.pending.last(edge)
  writeId(reply, edge.id)
  const holding = [...group.consumers.values()].filter((consumer) => consumer.pending > 0).sort(byName)
  reply.array(holding.length)
  for (const consumer of holding) {
    reply.array(2)
    reply.bulk(consumer.name)
    reply.bulk(String(consumer.pending))
  }
}

export const xpending: Command = {
  name: 'xpending',
  arity: -3,
  flags: ['readonly'],
  keys: { first: 1, last: 1, step: 1 },
  since: '5.0.0',
  group: 'stream',
  summary: "Returns the information and entries from a stream consumer group's pending entries list.",
  complexity:
    'O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1).',
  categories: ['read', 'stream', 'slow'],
  handler,
}
