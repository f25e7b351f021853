import type { Database } from '../keyspace/database.js'
import type { Request } from '../resp/request.js'
import { EntryId } from '../stream/entry-id.js'
import { Group } from '../stream/group.js'
import type { Stream } from '../stream/stream.js'
import { entryId, integer, rangeId } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, shown } from './command.js'
import { consumerOf } from './deliveries.js'
import { help } from './help.js'
import { streamAt, streamOrNew } from './values.js'

/** XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n] */
function create({ engine, database, request, reply, now }: Call): void {
  const options = parseOptions(request, 'CREATE')
  const key = request.string(2)
  const name = request.string(3)
  let stream = streamAt(database, key, now)
  if (stream === undefined && !options.makeStream) throw noKey()
  const id = isDollar(request.string(4)) ? (stream?.lastId.clone() ?? EntryId.zero()) : entryId(request, 4)
  stream ??= streamOrNew(engine, database, key, now)
  if (!createGroup(engine, database, key, stream, name, id, options.entriesRead)) {
    throw new CommandError('BUSYGROUP Consumer Group name already exists')
  }
  reply.ok()
}

/** XGROUP SETID key group id|$ [ENTRIESREAD n] */
function setId(call: Call): void {
  const { engine, database, request, reply } = call
  const options = parseOptions(request, 'SETID')
  const { key, stream, group } = existing(call)
  const id = isDollar(request.string(4)) ? stream.lastId : rangeId(request, 4)
  // The log holds the counter as it was, also where XSETID has lowered the stream's since.
  const entriesRead = engine.loading ? options.entriesRead : Math.min(options.entriesRead, stream.entriesAdded)
  moveGroup(engine, database, key, group, id, entriesRead)
  reply.ok()
}

/** XGROUP DESTROY key group */
function destroy({ engine, database, request, reply, now }: Call): void {
  const key = request.string(2)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw noKey()
  reply.integer(destroyGroup(engine, database, key, stream, request.string(3)) ? 1 : 0)
}

/** XGROUP CREATECONSUMER key group consumer */
function createConsumer(call: Call): void {
  const { engine, database, request, reply, now } = call
  const { key, group } = existing(call)
  const name = request.string(4)
  const known = group.consumers.has(name)
  if (!known) consumerOf(engine, database, key, group, name, now)
  reply.integer(known ? 0 : 1)
}

/** XGROUP DELCONSUMER key group consumer */
function deleteConsumer(call: Call): void {
  const { engine, database, request, reply } = call
  const { key, group } = existing(call)
  reply.integer(removeConsumer(engine, database, key, group, request.string(4)))
}

/** False when the group exists. `entriesRead` −1 = unknown. */
export function createGroup(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  name: string,
  id: EntryId,
  entriesRead = -1,
): boolean {
  if (stream.groups.has(name)) return false
  stream.groups.set(name, new Group(name, id, Math.min(entriesRead, stream.entriesAdded)))
  engine.log?.effect(
    database.index,
    'XGROUP',
    'CREATE',
    key,
    name,
    id.toString(),
    'MKSTREAM',
    'ENTRIESREAD',
    Math.min(entriesRead, stream.entriesAdded),
  )
  engine.notify('t', 'xgroup-create', database, key)
  // A group is no change to what WATCH sees; a key that was made for it is.
  database.changes++
  return true
}

export function moveGroup(
  engine: EngineState,
  database: Database,
  key: string,
  group: Group,
  id: EntryId,
  entriesRead = -1,
): void {
  group.lastId.set(id)
  group.entriesRead = entriesRead
  engine.log?.effect(
    database.index,
    'XGROUP',
    'SETID',
    key,
    group.name,
    id.toString(),
    'ENTRIESREAD',
    group.entriesRead,
  )
  database.changes++
  engine.notify('t', 'xgroup-setid', database, key)
}

export function destroyGroup(
  engine: EngineState,
  database: Database,
  key: string,
  stream: Stream,
  name: string,
): boolean {
  if (!stream.groups.delete(name)) return false
  engine.log?.effect(database.index, 'XGROUP', 'DESTROY', key, name)
  engine.notify('t', 'xgroup-destroy', database, key)
  database.changes++
  engine.blocked.signal(database.index, key)
  return true
}

/** Answers how many pending entries went with it. */
export function removeConsumer(
  engine: EngineState,
  database: Database,
  key: string,
  group: Group,
  name: string,
): number {
  if (!group.consumers.has(name)) return 0
  const pending = group.removeConsumer(name)
  engine.log?.effect(database.index, 'XGROUP', 'DELCONSUMER', key, group.name, name)
  engine.notify('t', 'xgroup-delconsumer', database, key)
  database.changes++
  return pending
}

function parseOptions(request: Request, subcommand: 'CREATE' | 'SETID'): { makeStream: boolean; entriesRead: number } {
  let makeStream = false
  let entriesRead = -1
  for (let i = 5; i < request.count; i++) {
    if (subcommand === 'CREATE' && request.is(i, 'MKSTREAM')) makeStream = true
    else if (request.is(i, 'ENTRIESREAD') && i + 1 < request.count) {
      entriesRead = integer(request, ++i)
      if (entriesRead < -1) throw new CommandError('ERR value for ENTRIESREAD must be positive or -1')
    } else {
      throw new CommandError(
        `ERR unknown subcommand or wrong number of arguments for '${shown(request.string(1))}'. Try XGROUP HELP.`,
      )
    }
  }
  return { makeStream, entriesRead }
}

function existing({ database, request, now }: Call): { key: string; stream: Stream; group: Group } {
  const key = request.string(2)
  const name = request.string(3)
  const stream = streamAt(database, key, now)
  if (stream === undefined) throw noKey()
  const group = stream.groups.get(name)
  if (group === undefined)
    throw new CommandError(`NOGROUP No such consumer group '${shown(name)}' for key name '${shown(key)}'`)
  return { key, stream, group }
}

function noKey(): CommandError {
  return new CommandError(
    'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
  )
}

function isDollar(text: string): boolean {
  return text === '$'
}

function row(name: string, arity: number, since: string, summary: string, handler: Command['handler']): Command {
  return {
    name,
    arity,
    flags: name === 'create' || name === 'createconsumer' ? ['write', 'denyoom'] : ['write'],
    keys: { first: 2, last: 2, step: 1 },
    since,
    group: 'stream',
    summary,
    complexity: name === 'destroy' || name === 'delconsumer' ? 'O(N) with N being the pending entries.' : 'O(1)',
    categories: ['write', 'stream', 'slow'],
    handler,
  }
}

export const xgroup: Command = {
  name: 'xgroup',
  arity: -2,
  flags: [],
  keys: null,
  since: '5.0.0',
  group: 'stream',
  summary: 'A container for consumer groups commands.',
  complexity: 'Depends on subcommand.',
  categories: ['slow'],
  subcommands: [
    row('create', -5, '5.0.0', 'Creates a consumer group.', create),
    row('setid', -5, '5.0.0', 'Sets the last-delivered ID of a consumer group.', setId),
    row('destroy', 4, '5.0.0', 'Destroys a consumer group.', destroy),
    row('createconsumer', 5, '6.2.0', 'Creates a consumer in a consumer group.', createConsumer),
    row('delconsumer', 5, '5.0.0', 'Deletes a consumer from a consumer group.', deleteConsumer),
    help('xgroup', 'stream', '5.0.0', [
      'CREATE <key> <groupname> <id|$> [option]',
      '    Create a new consumer group. Options are:',
      '    * MKSTREAM',
      '      Create the empty stream if it does not exist.',
      '    * ENTRIESREAD entries_read',
      "      Set the group's entries_read counter (internal use).",
      'CREATECONSUMER <key> <groupname> <consumer>',
      '    Create a new consumer in the specified group.',
      'DELCONSUMER <key> <groupname> <consumer>',
      '    Remove the specified consumer.',
      'DESTROY <key> <groupname>',
      '    Remove the specified group.',
      'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
      '    Set the current group ID and entries_read counter.',
    ]),
  ],
}
