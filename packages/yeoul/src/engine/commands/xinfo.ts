import type { Reply } from '../resp/reply.js'
import { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import type { Stream } from '../stream/stream.js'
import { integer } from './arguments.js'
import { type Call, type Command, CommandError, shown } from './command.js'
import { writeCount, writeEntry, writeId, writeRange } from './entries.js'
import { help } from './help.js'
import { streamAt } from './values.js'

/** XINFO STREAM key [FULL [COUNT count]] */
function streamInfo({ database, request, reply, now }: Call): void {
  const stream = streamAt(database, request.string(2), now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  const full = request.count > 3
  let count = 10
  if (full) {
    const counted = request.count === 6
    if (!request.is(3, 'FULL') || (counted ? !request.is(4, 'COUNT') : request.count !== 4)) {
      throw new CommandError(
        `ERR unknown subcommand or wrong number of arguments for '${shown(request.string(1))}'. Try XINFO HELP.`,
      )
    }
    if (counted) count = integer(request, 5)
    if (count < 0) count = 10
  }
  if (full) writeFull(reply, stream, count)
  else writeSummary(reply, stream)
}

function writeHead(reply: Reply, stream: Stream): void {
  reply.bulk('length')
  reply.integer(stream.length)
  // The nodes of a radix tree with one key for each node of entries: the keys, and the inner nodes above them.
  reply.bulk('radix-tree-keys')
  reply.integer(stream.nodeCount)
  reply.bulk('radix-tree-nodes')
  reply.integer(stream.nodeCount === 0 ? 1 : stream.nodeCount + 1)
  reply.bulk('last-generated-id')
  writeId(reply, stream.lastId)
  reply.bulk('max-deleted-entry-id')
  writeId(reply, stream.maxDeletedId)
  reply.bulk('entries-added')
  reply.integer(stream.entriesAdded)
  reply.bulk('recorded-first-entry-id')
  writeId(reply, stream.firstId)
  const { idempotency } = stream
  reply.bulk('idmp-duration')
  reply.integer(idempotency.duration)
  reply.bulk('idmp-maxsize')
  reply.integer(idempotency.maxSize)
  reply.bulk('pids-tracked')
  reply.integer(idempotency.producers)
  reply.bulk('iids-tracked')
  reply.integer(idempotency.size)
  reply.bulk('iids-added')
  reply.integer(idempotency.added)
  reply.bulk('iids-duplicates')
  reply.integer(idempotency.duplicates)
}

function writeSummary(reply: Reply, stream: Stream): void {
  reply.map(16)
  writeHead(reply, stream)
  reply.bulk('groups')
  reply.integer(stream.groups.size)
  const cursor = stream.cursor()
  reply.bulk('first-entry')
  if (stream.length > 0 && cursor.next()) writeEntry(reply, cursor)
  else reply.nil()
  const tail = stream.cursor()
  reply.bulk('last-entry')
  if (stream.length > 0 && tail.previous()) writeEntry(reply, tail)
  else reply.nil()
}

function writeFull(reply: Reply, stream: Stream, count: number): void {
  reply.map(15)
  writeHead(reply, stream)
  reply.bulk('entries')
  writeRange(reply, stream, EntryId.zero(), EntryId.max(), count, false)
  reply.bulk('groups')
  const groups = stream.sortedGroups()
  reply.array(groups.length)
  for (const group of groups) writeFullGroup(reply, stream, group, count)
}

function writeFullGroup(reply: Reply, stream: Stream, group: Group, count: number): void {
  reply.map(7)
  reply.bulk('name')
  reply.bulk(group.name)
  reply.bulk('last-delivered-id')
  writeId(reply, group.lastId)
  writeProgress(reply, stream, group)
  reply.bulk('pel-count')
  reply.integer(group.pending.size)
  reply.bulk('pending')
  const mark = reply.openArray()
  let written = 0
  group.pending.walk(EntryId.zero(), (entry) => {
    if (count !== 0 && written === count) return 'stop'
    reply.array(4)
    writeId(reply, entry.id)
    reply.bulk(entry.consumer?.name ?? '')
    reply.integer(entry.deliveryTime)
    writeCount(reply, entry.deliveryCount)
    written++
    return 'next'
  })
  reply.closeArray(mark, written)
  reply.bulk('consumers')
  const consumers = group.sortedConsumers()
  reply.array(consumers.length)
  for (const consumer of consumers) {
    reply.map(5)
    reply.bulk('name')
    reply.bulk(consumer.name)
    reply.bulk('seen-time')
    reply.integer(consumer.seenTime)
    reply.bulk('active-time')
    reply.integer(consumer.activeTime)
    reply.bulk('pel-count')
    reply.integer(consumer.pending)
    reply.bulk('pending')
    const list = reply.openArray()
    let listed = 0
    group.pending.walk(
      EntryId.zero(),
      (entry) => {
        if (count !== 0 && listed === count) return 'stop'
        reply.array(3)
        writeId(reply, entry.id)
        reply.integer(entry.deliveryTime)
        writeCount(reply, entry.deliveryCount)
        listed++
        return 'next'
      },
      { consumer },
    )
    reply.closeArray(list, listed)
  }
}

function writeProgress(reply: Reply, stream: Stream, group: Group): void {
  reply.bulk('entries-read')
  if (group.entriesRead === -1) reply.nil()
  else reply.integer(group.entriesRead)
  reply.bulk('lag')
  const lag = stream.lag(group)
  if (lag === null) reply.nil()
  else reply.integer(lag)
}

/** XINFO GROUPS key */
function groupsInfo({ database, request, reply, now }: Call): void {
  const stream = streamAt(database, request.string(2), now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  const groups = stream.sortedGroups()
  reply.array(groups.length)
  for (const group of groups) {
    reply.map(6)
    reply.bulk('name')
    reply.bulk(group.name)
    reply.bulk('consumers')
    reply.integer(group.consumers.size)
    reply.bulk('pending')
    reply.integer(group.pending.size)
    reply.bulk('last-delivered-id')
    writeId(reply, group.lastId)
    writeProgress(reply, stream, group)
  }
}

/** XINFO CONSUMERS key group */
function consumersInfo({ database, request, reply, now }: Call): void {
  const key = request.string(2)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw new CommandError('ERR no such key')
  const name = request.string(3)
  const group = stream.groups.get(name)
  if (group === undefined)
    throw new CommandError(`NOGROUP No such consumer group '${shown(name)}' for key name '${shown(key)}'`)
  const consumers = group.sortedConsumers()
  reply.array(consumers.length)
  for (const consumer of consumers) {
    reply.map(4)
    reply.bulk('name')
    reply.bulk(consumer.name)
    reply.bulk('pending')
    reply.integer(consumer.pending)
    reply.bulk('idle')
    reply.integer(Math.max(now - consumer.seenTime, 0))
    reply.bulk('inactive')
    reply.integer(consumer.activeTime < 0 ? -1 : Math.max(now - consumer.activeTime, 0))
  }
}

function row(name: string, arity: number, summary: string, handler: Command['handler']): Command {
  return {
    name,
    arity,
    flags: ['readonly'],
    keys: { first: 2, last: 2, step: 1 },
    since: '5.0.0',
    group: 'stream',
    summary,
    complexity: 'O(1)',
    categories: ['read', 'stream', 'slow'],
    handler,
  }
}

export const xinfo: Command = {
  name: 'xinfo',
  arity: -2,
  flags: [],
  keys: null,
  since: '5.0.0',
  group: 'stream',
  summary: 'A container for stream introspection commands.',
  complexity: 'Depends on subcommand.',
  categories: ['slow'],
  subcommands: [
    row('stream', -3, 'Returns information about a stream.', streamInfo),
    row('groups', 3, 'Returns a list of the consumer groups of a stream.', groupsInfo),
    row('consumers', 4, 'Returns a list of the consumers in a consumer group.', consumersInfo),
    help('xinfo', 'stream', '5.0.0', [
      'CONSUMERS <key> <groupname>',
      '    Show consumers of <groupname>.',
      'GROUPS <key>',
      '    Show the stream consumer groups.',
      'STREAM <key> [FULL [COUNT <count>]',
      '    Show information about the stream.',
    ]),
  ],
}
