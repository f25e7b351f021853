import { glob } from '../glob.js'
import type { Database } from '../keyspace/database.js'
import { Hash } from '../keyspace/hash.js'
import { SortedSet } from '../keyspace/sorted-set.js'
import type { Request } from '../resp/request.js'
import { integer, parseInteger } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, notAnInteger, shown, syntaxError } from './command.js'
import { copyStream } from './copy-stream.js'
import { help } from './help.js'
import { row } from './rows.js'
import { typeOf } from './values.js'

/** Removes a key: logged, told, and waking whoever waits on one of its groups. */
export function deleteKey(engine: EngineState, database: Database, key: string): boolean {
  if (!replaceKey(engine, database, key)) return false
  engine.notify('g', 'del', database, key)
  return true
}

/** As `deleteKey`, for what puts another value there: nobody hears of a deletion. */
export function replaceKey(engine: EngineState, database: Database, key: string): boolean {
  if (!database.delete(key)) return false
  database.touch(key)
  engine.log?.effect(database.index, 'DEL', key)
  engine.blocked.signal(database.index, key)
  return true
}

/** Removes a collection that has become empty: its last element's removal is already logged and replays to the same. */
export function dropEmpty(engine: EngineState, database: Database, key: string): void {
  database.delete(key)
  engine.notify('g', 'del', database, key)
}

/** Lets a key expire at `time`, ms since the epoch. */
export function expireAt(engine: EngineState, database: Database, key: string, time: number): void {
  database.expireAt(key, time)
  database.touch(key)
  engine.log?.effect(database.index, 'PEXPIREAT', key, time)
  engine.notify('g', 'expire', database, key)
}

/** Keys present among arguments `from` and behind, counted as often as they are named. */
function present({ database, request, now }: Call, from: number): number {
  let count = 0
  for (let i = from; i < request.count; i++) if (database.has(request.string(i), now)) count++
  return count
}

/** DEL key [key …] · UNLINK key [key …] */
function del({ engine, database, request, reply, now }: Call): void {
  let count = 0
  for (let i = 1; i < request.count; i++) {
    const key = request.string(i)
    if (database.has(key, now) && deleteKey(engine, database, key)) count++
  }
  reply.integer(count)
}

/** EXISTS key [key …] · TOUCH key [key …] */
function exists(call: Call): void {
  call.reply.integer(present(call, 1))
}

/** TYPE key */
function type({ database, request, reply, now }: Call): void {
  const value = database.get(request.string(1), now)
  reply.simple(value === undefined ? 'none' : typeOf(value))
}

/** RENAME key newkey · RENAMENX key newkey */
function rename(call: Call, onlyNew: boolean): void {
  const { engine, database, request, reply, now } = call
  const from = request.string(1)
  const to = request.string(2)
  const value = database.get(from, now)
  if (value === undefined) throw new CommandError('ERR no such key')
  if (from === to || (onlyNew && database.has(to, now))) {
    if (onlyNew) reply.integer(0)
    else reply.ok()
    return
  }
  engine.snapshot?.finish(value)
  const expiry = database.expiry(from)
  database.delete(to)
  database.delete(from)
  database.set(to, value)
  if (expiry !== undefined) database.expireAt(to, expiry)
  database.touch(from)
  database.touch(to)
  engine.log?.effect(database.index, 'RENAME', from, to)
  engine.notify('g', 'rename_from', database, from)
  engine.notify('g', 'rename_to', database, to)
  engine.blocked.signal(database.index, from)
  engine.blocked.signal(database.index, to)
  if (onlyNew) reply.integer(1)
  else reply.ok()
}

function databaseAt(engine: EngineState, request: Request, i: number): Database {
  const database = engine.databases[integer(request, i)]
  if (database === undefined) throw new CommandError('ERR DB index is out of range')
  return database
}

/** COPY source destination [DB destination-db] [REPLACE] */
function copy({ engine, database, request, reply, now }: Call): void {
  let target = database
  let replace = false
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'REPLACE')) replace = true
    else if (request.is(i, 'DB') && i + 1 < request.count) target = databaseAt(engine, request, ++i)
    else throw syntaxError()
  }
  const from = request.string(1)
  const to = request.string(2)
  if (target === database && from === to) {
    throw new CommandError('ERR source and destination objects are the same')
  }
  const value = database.get(from, now)
  if (value === undefined || (target.has(to, now) && !replace)) {
    reply.integer(0)
    return
  }
  engine.snapshot?.finish(value)
  const expiry = database.expiry(from)
  target.delete(to)
  target.set(to, copyOf(engine, value))
  if (expiry !== undefined) target.expireAt(to, expiry)
  target.touch(to)
  engine.log?.effect(database.index, 'COPY', from, to, 'DB', target.index, 'REPLACE')
  engine.notify('g', 'copy_to', target, to)
  engine.blocked.signal(target.index, to)
  reply.integer(1)
}

function copyOf(engine: EngineState, value: NonNullable<unknown>): NonNullable<unknown> {
  if (value instanceof Hash || value instanceof SortedSet) return value.copy()
  if (typeof value === 'string') return value
  const copy = copyStream(value as Parameters<typeof copyStream>[0], engine.nodeLimits)
  engine.idempotency.watch(copy.idempotency)
  return copy
}

/** MOVE key db */
function move({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const target = databaseAt(engine, request, 2)
  if (target === database) throw new CommandError('ERR source and destination objects are the same')
  const value = database.get(key, now)
  if (value === undefined || target.has(key, now)) {
    reply.integer(0)
    return
  }
  engine.snapshot?.finish(value)
  const expiry = database.expiry(key)
  database.delete(key)
  target.set(key, value)
  if (expiry !== undefined) target.expireAt(key, expiry)
  database.touch(key)
  target.touch(key)
  engine.log?.effect(database.index, 'MOVE', key, target.index)
  engine.notify('g', 'move_from', database, key)
  engine.notify('g', 'move_to', target, key)
  engine.blocked.signal(database.index, key)
  engine.blocked.signal(target.index, key)
  reply.integer(1)
}

/** KEYS pattern */
function keys({ database, request, reply, now }: Call): void {
  const pattern = request.string(1)
  const found = database.keys.filter((key, i) => database.expiries[i] > now && (pattern === '*' || glob(pattern, key)))
  reply.array(found.length)
  for (const key of found) reply.bulk(key)
}

/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] */
function scan({ database, request, reply, now }: Call): void {
  const cursor = parseCursor(request, 1)
  const options = scanOptions(request, 2, true)
  const found: string[] = []
  const seen: string[] = []
  const next = database.scan(cursor, options.count, (key) => void seen.push(key))
  for (const key of seen) {
    if (options.match !== undefined && !glob(options.match, key)) continue
    const value = database.get(key, now)
    if (value === undefined || (options.type !== undefined && typeOf(value) !== options.type)) continue
    found.push(key)
  }
  reply.array(2)
  reply.bulk(String(next))
  reply.array(found.length)
  for (const key of found) reply.bulk(key)
}

/** The cursor of a SCAN, HSCAN or ZSCAN. */
export function parseCursor(request: Request, i: number): number {
  const text = request.string(i)
  if (!/^\s*\+?[0-9]+$/.test(text)) throw new CommandError('ERR invalid cursor')
  const cursor = Number(text)
  if (cursor >= 2 ** 64) throw new CommandError('ERR invalid cursor')
  return cursor
}

export interface ScanOptions {
  match: string | undefined
  count: number
  /** SCAN … TYPE. */
  type: string | undefined
  /** HSCAN … NOVALUES. */
  noValues: boolean
}

/** [MATCH pattern] [COUNT count] [TYPE type], from argument `from`. */
export function scanOptions(request: Request, from: number, types: boolean, hash = false): ScanOptions {
  const options: ScanOptions = { match: undefined, count: 10, type: undefined, noValues: false }
  for (let i = from; i < request.count; i++) {
    const more = request.count - 1 - i
    if (more > 0 && request.is(i, 'COUNT')) {
      options.count = integer(request, ++i)
      if (options.count < 1) throw syntaxError()
    } else if (more > 0 && request.is(i, 'MATCH')) {
      const pattern = request.string(++i)
      options.match = pattern === '*' ? undefined : pattern
    } else if (types && more > 0 && request.is(i, 'TYPE')) options.type = request.string(++i).toLowerCase()
    else if (hash && request.is(i, 'NOVALUES')) options.noValues = true
    else throw syntaxError()
  }
  return options
}

/** RANDOMKEY */
function randomKey({ database, reply, now }: Call): void {
  while (database.size > 0) {
    const key = database.keys[Math.floor(Math.random() * database.size)]
    if (!database.has(key, now)) continue
    reply.bulk(key)
    return
  }
  reply.nil()
}

/**
 * EXPIRE key seconds [NX|XX|GT|LT] · PEXPIRE … milliseconds · EXPIREAT … unix seconds · PEXPIREAT … unix milliseconds
 *
 * A time that has passed removes the key at once.
 */
function expire(call: Call, unit: number, relative: boolean): void {
  const { engine, database, request, reply, now, command } = call
  const flags = new Set<string>()
  for (let i = 3; i < request.count; i++) {
    const word = request.string(i).toUpperCase()
    if (!['NX', 'XX', 'GT', 'LT'].includes(word))
      throw new CommandError(`ERR Unsupported option ${shown(request.string(i))}`)
    flags.add(word)
  }
  if (flags.has('NX') && flags.size > 1) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (flags.has('GT') && flags.has('LT')) {
    throw new CommandError('ERR GT and LT options at the same time are not compatible')
  }
  const time = expiryTime(integer(request, 2), unit, relative, now, command.name)
  const key = request.string(1)
  if (!database.has(key, now)) {
    reply.integer(0)
    return
  }
  const present = database.expiry(key)
  // No expiry counts as an infinite one.
  const refused =
    (flags.has('NX') && present !== undefined) ||
    (flags.has('XX') && present === undefined) ||
    (flags.has('GT') && (present === undefined || time <= present)) ||
    (flags.has('LT') && present !== undefined && time >= present)
  if (refused) {
    reply.integer(0)
    return
  }
  if (time <= now && !engine.loading) deleteKey(engine, database, key)
  else expireAt(engine, database, key, time)
  reply.integer(1)
}

const I64 = 2 ** 63
/** Far enough for anybody, and exact as a number. */
const FARTHEST = Number.MAX_SAFE_INTEGER

/** When a key expires, ms since the epoch; refused where Redis' 64 bits overflow. */
export function expiryTime(value: number, unit: number, relative: boolean, now: number, name: string): number {
  const time = value * unit + (relative ? now : 0)
  if ((unit > 1 && Math.abs(value * unit) >= I64) || (relative && Math.abs(time) >= I64)) {
    throw new CommandError(`ERR invalid expire time in '${name}' command`)
  }
  return Math.max(Math.min(time, FARTHEST), -FARTHEST)
}

/** TTL key · PTTL key · EXPIRETIME key · PEXPIRETIME key: −2 = no such key, −1 = it does not expire. */
function timeToLive({ database, request, reply, now }: Call, unit: number, absolute: boolean): void {
  const key = request.string(1)
  const expiry = database.has(key, now) ? (database.expiry(key) ?? -1) : -2
  if (expiry < 0) reply.integer(expiry)
  else if (absolute) reply.integer(unit === 1 ? expiry : Math.floor(expiry / unit))
  else reply.integer(unit === 1 ? Math.max(expiry - now, 0) : Math.floor((Math.max(expiry - now, 0) + 500) / unit))
}

/** PERSIST key */
function persist({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  if (!database.has(key, now) || !database.persist(key)) {
    reply.integer(0)
    return
  }
  database.touch(key)
  engine.log?.effect(database.index, 'PERSIST', key)
  engine.notify('g', 'persist', database, key)
  reply.integer(1)
}

/** OBJECT ENCODING|REFCOUNT|IDLETIME|FREQ key */
function object({ database, request, reply, now }: Call, what: 'encoding' | 'refcount' | 'idletime' | 'freq'): void {
  const value = database.get(request.string(2), now)
  if (value === undefined) {
    reply.nil()
    return
  }
  if (what === 'freq') {
    throw new CommandError(
      'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
    )
  }
  if (what === 'encoding') reply.bulk(encodingOf(value))
  else if (what === 'idletime') reply.integer(0)
  else reply.integer(1)
}

function encodingOf(value: NonNullable<unknown>): string {
  if (typeof value === 'string') {
    if (parseInteger(value) !== undefined) return 'int'
    return value.length <= 44 ? 'embstr' : 'raw'
  }
  if (value instanceof Hash || value instanceof SortedSet) return value.encoding
  return 'stream'
}

/** SELECT index */
function select({ engine, session, request, reply }: Call): void {
  const text = request.string(1)
  if (parseInteger(text) === undefined) throw notAnInteger()
  const index = Number(text)
  if (engine.databases[index] === undefined) throw new CommandError('ERR DB index is out of range')
  session.database = index
  reply.ok()
}

/** SWAPDB index1 index2 */
function swapDatabases({ engine, database, request, reply }: Call): void {
  const read = (i: number, which: string): Database => {
    const value = parseInteger(request.string(i))
    if (value === undefined) throw new CommandError(`ERR invalid ${which} DB index`)
    const found = engine.databases[Number(value)]
    if (found === undefined) throw new CommandError('ERR DB index is out of range')
    return found
  }
  const one = read(1, 'first')
  const other = read(2, 'second')
  if (one !== other) {
    engine.snapshot?.abandon('databases were swapped meanwhile')
    one.swap(other)
    engine.log?.effect(database.index, 'SWAPDB', one.index, other.index)
    engine.blocked.signalAll(one.index)
    engine.blocked.signalAll(other.index)
  }
  reply.ok()
}

/** FLUSHDB [ASYNC|SYNC] · FLUSHALL [ASYNC|SYNC] */
function flush({ engine, database, request, reply }: Call, all: boolean): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'ASYNC') && !request.is(1, 'SYNC'))) {
    throw syntaxError()
  }
  for (const each of all ? engine.databases : [database]) {
    each.clear()
    engine.blocked.signalAll(each.index)
  }
  engine.log?.effect(database.index, all ? 'FLUSHALL' : 'FLUSHDB')
  reply.ok()
}

const key1 = { first: 1, last: 1, step: 1 }
const keysAll = { first: 1, last: -1, step: 1 }
const keys2 = { first: 1, last: 2, step: 1 }
const write = ['keyspace', 'write']
const read = ['keyspace', 'read']

export const keyCommands: readonly Command[] = [
  row('generic', 'del', -2, 'write', keysAll, '1.0.0', write, 'Deletes one or more keys.', del),
  row('generic', 'unlink', -2, 'write fast', keysAll, '4.0.0', write, 'Asynchronously deletes one or more keys.', del),
  row(
    'generic',
    'exists',
    -2,
    'readonly fast',
    keysAll,
    '1.0.0',
    read,
    'Determines whether one or more keys exist.',
    exists,
  ),
  row(
    'generic',
    'touch',
    -2,
    'readonly fast',
    keysAll,
    '3.2.1',
    read,
    'Returns the number of existing keys out of those specified after updating the time they were last accessed.',
    exists,
  ),
  row(
    'generic',
    'type',
    2,
    'readonly fast',
    key1,
    '1.0.0',
    read,
    'Determines the type of value stored at a key.',
    type,
  ),
  row('generic', 'rename', 3, 'write', keys2, '1.0.0', write, 'Renames a key and overwrites the destination.', (call) =>
    rename(call, false),
  ),
  row(
    'generic',
    'renamenx',
    3,
    'write fast',
    keys2,
    '1.0.0',
    write,
    "Renames a key only when the target key name doesn't exist.",
    (call) => rename(call, true),
  ),
  row('generic', 'copy', -3, 'write denyoom', keys2, '6.2.0', write, 'Copies the value of a key to a new key.', copy),
  row('generic', 'move', 3, 'write fast', key1, '1.0.0', write, 'Moves a key to another database.', move),
  row(
    'generic',
    'keys',
    2,
    'readonly',
    null,
    '1.0.0',
    [...read, 'dangerous'],
    'Returns all key names that match a pattern.',
    keys,
  ),
  row('generic', 'scan', -2, 'readonly', null, '2.8.0', read, 'Iterates over the key names in the database.', scan),
  row(
    'generic',
    'randomkey',
    1,
    'readonly',
    null,
    '1.0.0',
    read,
    'Returns a random key name from the database.',
    randomKey,
  ),
  row(
    'server',
    'dbsize',
    1,
    'readonly fast',
    null,
    '1.0.0',
    read,
    'Returns the number of keys in the database.',
    ({ database, reply }) => reply.integer(database.size),
  ),
  row(
    'generic',
    'expire',
    -3,
    'write fast',
    key1,
    '1.0.0',
    write,
    'Sets the expiration time of a key in seconds.',
    (call) => expire(call, 1000, true),
  ),
  row(
    'generic',
    'pexpire',
    -3,
    'write fast',
    key1,
    '2.6.0',
    write,
    'Sets the expiration time of a key in milliseconds.',
    (call) => expire(call, 1, true),
  ),
  row(
    'generic',
    'expireat',
    -3,
    'write fast',
    key1,
    '1.2.0',
    write,
    'Sets the expiration time of a key to a Unix timestamp.',
    (call) => expire(call, 1000, false),
  ),
  row(
    'generic',
    'pexpireat',
    -3,
    'write fast',
    key1,
    '2.6.0',
    write,
    'Sets the expiration time of a key to a Unix milliseconds timestamp.',
    (call) => expire(call, 1, false),
  ),
  row(
    'generic',
    'ttl',
    2,
    'readonly fast',
    key1,
    '1.0.0',
    read,
    'Returns the expiration time in seconds of a key.',
    (call) => timeToLive(call, 1000, false),
  ),
  row(
    'generic',
    'pttl',
    2,
    'readonly fast',
    key1,
    '2.6.0',
    read,
    'Returns the expiration time in milliseconds of a key.',
    (call) => timeToLive(call, 1, false),
  ),
  row(
    'generic',
    'expiretime',
    2,
    'readonly fast',
    key1,
    '7.0.0',
    read,
    'Returns the expiration time of a key as a Unix timestamp.',
    (call) => timeToLive(call, 1000, true),
  ),
  row(
    'generic',
    'pexpiretime',
    2,
    'readonly fast',
    key1,
    '7.0.0',
    read,
    'Returns the expiration time of a key as a Unix milliseconds timestamp.',
    (call) => timeToLive(call, 1, true),
  ),
  row('generic', 'persist', 2, 'write fast', key1, '2.2.0', write, 'Removes the expiration time of a key.', persist),
  {
    ...row('generic', 'object', -2, '', null, '2.2.3', [], 'A container for object introspection commands.', undefined),
    subcommands: [
      ...(['encoding', 'refcount', 'idletime', 'freq'] as const).map((what) =>
        row(
          'generic',
          what,
          3,
          'readonly',
          { first: 2, last: 2, step: 1 },
          '2.2.3',
          read,
          `Returns the ${what} of a Redis object.`,
          (call) => object(call, what),
        ),
      ),
      help('object', 'generic', '2.2.3', [
        'ENCODING <key>',
        '    Return the kind of internal representation used in order to store the value associated with a <key>.',
        'FREQ <key>',
        '    Return the access frequency index of the <key>.',
        'IDLETIME <key>',
        '    Return the idle time of the <key>.',
        'REFCOUNT <key>',
        '    Return the number of references of the value associated with the specified <key>.',
      ]),
    ],
  },
  row(
    'connection',
    'select',
    2,
    'loading stale fast',
    null,
    '1.0.0',
    ['connection'],
    'Changes the selected database.',
    select,
  ),
  row(
    'server',
    'swapdb',
    3,
    'write fast',
    null,
    '4.0.0',
    ['keyspace', 'write', 'dangerous'],
    'Swaps two Redis databases.',
    swapDatabases,
  ),
  row(
    'server',
    'flushdb',
    -1,
    'write',
    null,
    '1.0.0',
    ['keyspace', 'write', 'dangerous'],
    'Removes all keys from the current database.',
    (call) => flush(call, false),
  ),
  row(
    'server',
    'flushall',
    -1,
    'write',
    null,
    '1.0.0',
    ['keyspace', 'write', 'dangerous'],
    'Removes all keys from all databases.',
    (call) => flush(call, true),
  ),
]
