import type { Database } from '../keyspace/database.js'
import { formatDouble } from '../resp/reply.js'
import type { Request } from '../resp/request.js'
import { double, integer, parseDouble, parseInteger } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, notAnInteger, syntaxError } from './command.js'
import { addDecimals } from './decimal.js'
import { deleteKey, expireAt, expiryTime } from './keys.js'
import { row } from './rows.js'
import { stringAt } from './values.js'

/** proto-max-bulk-len bounds what arrives; growth of a value is bounded by the same figure. */
const MAX_LENGTH = 512 * 1024 * 1024

/** Sets a string (latin1) and its expiry (ms since the epoch; absent = none). */
export function setString(engine: EngineState, database: Database, key: string, value: string, expiry?: number): void {
  put(engine, database, key, value)
  database.persist(key)
  if (expiry === undefined) engine.log?.effect(database.index, 'SET', key, value)
  else {
    database.expireAt(key, expiry)
    engine.log?.effect(database.index, 'SET', key, value, 'PXAT', expiry)
    engine.notify('g', 'expire', database, key)
  }
}

/** Changes a string in place: its expiry stays. */
function replace(engine: EngineState, database: Database, key: string, value: string, event: string): void {
  put(engine, database, key, value, event)
  if (database.expiry(key) === undefined) engine.log?.effect(database.index, 'SET', key, value)
  else engine.log?.effect(database.index, 'SET', key, value, 'KEEPTTL')
}

function put(engine: EngineState, database: Database, key: string, value: string, event = 'set'): void {
  const created = !database.has(key, Number.NEGATIVE_INFINITY)
  database.set(key, value)
  database.touch(key)
  engine.notify('$', event, database, key)
  if (created) engine.notify('n', 'new', database, key)
  engine.blocked.signal(database.index, key)
}

interface SetOptions {
  condition: 'nx' | 'xx' | undefined
  get: boolean
  keep: boolean
  /** Where the expiry stands: read it by `expiryAt` when its turn has come. */
  expiry: { at: number; unit: number; relative: boolean } | undefined
  persist: boolean
}

/** EX seconds, PX ms, EXAT unix seconds or PXAT unix ms at `i`; undefined when none stands there. */
function expiryOption(request: Request, i: number): SetOptions['expiry'] {
  const kind = ['EX', 'PX', 'EXAT', 'PXAT'].find((word) => request.is(i, word))
  if (kind === undefined || i + 1 >= request.count) return undefined
  return { at: i + 1, unit: kind.startsWith('P') ? 1 : 1000, relative: !kind.endsWith('AT') }
}

function readExpiry({ request, now, command }: Call, expiry: SetOptions['expiry']): number | undefined {
  if (expiry === undefined) return undefined
  return expiryAt(integer(request, expiry.at), expiry.unit, expiry.relative, now, command.name)
}

function expiryAt(value: number, unit: number, relative: boolean, now: number, name: string): number {
  if (value <= 0) throw new CommandError(`ERR invalid expire time in '${name}' command`)
  return expiryTime(value, unit, relative, now, name)
}

function options(request: Request, from: number, allowed: readonly string[]): SetOptions {
  const found: SetOptions = { condition: undefined, get: false, keep: false, expiry: undefined, persist: false }
  const takes = (i: number, word: string) => allowed.includes(word) && request.is(i, word)
  for (let i = from; i < request.count; i++) {
    const untimed = found.expiry === undefined && !found.keep && !found.persist
    if (takes(i, 'NX') && found.condition !== 'xx') found.condition = 'nx'
    else if (takes(i, 'XX') && found.condition !== 'nx') found.condition = 'xx'
    else if (takes(i, 'GET')) found.get = true
    else if (takes(i, 'KEEPTTL') && found.expiry === undefined) found.keep = true
    else if (takes(i, 'PERSIST') && found.expiry === undefined) found.persist = true
    else {
      const expiry = untimed ? expiryOption(request, i) : undefined
      if (expiry === undefined) throw syntaxError()
      found.expiry = expiry
      i++
    }
  }
  return found
}

const PLAIN: SetOptions = { condition: undefined, get: false, keep: false, expiry: undefined, persist: false }

/** SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] */
function set(call: Call): void {
  const { engine, database, request, reply, now } = call
  const given = request.count === 3 ? PLAIN : options(request, 3, ['NX', 'XX', 'GET', 'KEEPTTL'])
  const { condition, get, keep } = given
  const expiry = readExpiry(call, given.expiry)
  const key = request.string(1)
  const before = get ? stringAt(database, key, now) : undefined
  const exists = database.has(key, now)
  const refused = (condition === 'nx' && exists) || (condition === 'xx' && !exists)
  if (!refused) {
    const value = request.string(2)
    if (keep && exists) replace(engine, database, key, value, 'set')
    else setString(engine, database, key, value, expiry)
  }
  if (get) {
    if (before === undefined) reply.nil()
    else reply.bulk(before)
  } else if (refused) reply.nil()
  else reply.ok()
}

/** SETEX key seconds value · PSETEX key ms value */
function setExpiring({ engine, database, request, reply, now, command }: Call, unit: number): void {
  const expiry = expiryAt(integer(request, 2), unit, true, now, command.name)
  setString(engine, database, request.string(1), request.string(3), expiry)
  reply.ok()
}

/** SETNX key value */
function setNew({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const exists = database.has(key, now)
  if (!exists) setString(engine, database, key, request.string(2))
  reply.integer(exists ? 0 : 1)
}

function answer({ reply }: Call, value: string | undefined): void {
  if (value === undefined) reply.nil()
  else reply.bulk(value)
}

/** GET key */
function get(call: Call): void {
  answer(call, stringAt(call.database, call.request.string(1), call.now))
}

/** GETSET key value */
function getSet(call: Call): void {
  const { engine, database, request, now } = call
  const key = request.string(1)
  const before = stringAt(database, key, now)
  setString(engine, database, key, request.string(2))
  answer(call, before)
}

/** GETDEL key */
function getDelete(call: Call): void {
  const { engine, database, request, now } = call
  const key = request.string(1)
  const before = stringAt(database, key, now)
  if (before !== undefined) deleteKey(engine, database, key)
  answer(call, before)
}

/** GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] */
function getExpiring(call: Call): void {
  const { engine, database, request, now } = call
  const given = options(request, 2, ['PERSIST'])
  const { persist } = given
  const key = request.string(1)
  const value = stringAt(database, key, now)
  if (value !== undefined) {
    const expiry = readExpiry(call, given.expiry)
    if (expiry !== undefined) {
      if (expiry <= now && !engine.loading) deleteKey(engine, database, key)
      else expireAt(engine, database, key, expiry)
    } else if (persist && database.persist(key)) {
      database.touch(key)
      engine.log?.effect(database.index, 'PERSIST', key)
      engine.notify('g', 'persist', database, key)
    }
  }
  answer(call, value)
}

/** MGET key [key …] */
function getMany(call: Call): void {
  const { database, request, reply, now } = call
  reply.array(request.count - 1)
  for (let i = 1; i < request.count; i++) {
    const value = database.get(request.string(i), now)
    answer(call, typeof value === 'string' ? value : undefined)
  }
}

/** MSET key value [key value …] · MSETNX … */
function setMany({ engine, database, request, reply, now, command }: Call, onlyNew: boolean): void {
  if (request.count % 2 === 0) {
    throw new CommandError(`ERR wrong number of arguments for '${command.name}' command`)
  }
  if (onlyNew) {
    for (let i = 1; i < request.count; i += 2) {
      if (database.has(request.string(i), now)) {
        reply.integer(0)
        return
      }
    }
  }
  engine.transaction(() => {
    for (let i = 1; i < request.count; i += 2) setString(engine, database, request.string(i), request.string(i + 1))
  })
  if (onlyNew) reply.integer(1)
  else reply.ok()
}

/** APPEND key value */
function append({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const before = stringAt(database, key, now)
  const added = request.string(2)
  const length = (before?.length ?? 0) + added.length
  if (length > MAX_LENGTH) throw tooLong()
  put(engine, database, key, (before ?? '') + added, 'append')
  engine.log?.effect(database.index, 'APPEND', key, added)
  reply.integer(length)
}

function tooLong(): CommandError {
  return new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
}

/** STRLEN key */
function length({ database, request, reply, now }: Call): void {
  reply.integer(stringAt(database, request.string(1), now)?.length ?? 0)
}

/** INCR key · DECR key · INCRBY key n · DECRBY key n */
function increment({ engine, database, request, reply, now }: Call, by: (request: Request) => bigint): void {
  const step = by(request)
  const key = request.string(1)
  const value = parseInteger(stringAt(database, key, now) ?? '0')
  if (value === undefined) throw notAnInteger()
  const result = value + step
  if (BigInt.asIntN(64, result) !== result) throw new CommandError('ERR increment or decrement would overflow')
  replace(engine, database, key, String(result), 'incrby')
  reply.integer(result)
}

function step(request: Request, i: number): bigint {
  const value = parseInteger(request.string(i))
  if (value === undefined) throw notAnInteger()
  return value
}

function negativeStep(request: Request): bigint {
  const value = step(request, 2)
  if (value === -(2n ** 63n)) throw new CommandError('ERR decrement would overflow')
  return -value
}

/** INCRBYFLOAT key increment */
function incrementFloat({ engine, database, request, reply, now }: Call): void {
  const key = request.string(1)
  const before = stringAt(database, key, now) ?? '0'
  const value = parseDouble(before)
  if (value === undefined) throw new CommandError('ERR value is not a valid float')
  const result = value + double(request, 2)
  if (!Number.isFinite(result)) throw new CommandError('ERR increment would produce NaN or Infinity')
  const text = addDecimals(before, request.string(2)) ?? plainDecimal(result)
  replace(engine, database, key, text, 'incrbyfloat')
  reply.bulk(text)
}

/** A double without exponent, for sums that cannot be made exactly. */
export function plainDecimal(value: number): string {
  const text = formatDouble(value)
  if (!text.includes('e') && Math.abs(value) < 2 ** 53) return text
  return Math.abs(value) >= 1 ? String(BigInt(value)) : value.toFixed(17).replace(/\.?0+$/, '')
}

/** GETRANGE key start end · SUBSTR … */
function getRange({ database, request, reply, now }: Call): void {
  let start = integer(request, 2)
  let end = integer(request, 3)
  const value = stringAt(database, request.string(1), now) ?? ''
  if (start < 0 && end < 0 && start > end) {
    reply.bulk('')
    return
  }
  if (start < 0) start = Math.max(value.length + start, 0)
  if (end < 0) end = Math.max(value.length + end, 0)
  end = Math.min(end, value.length - 1)
  reply.bulk(start > end ? '' : value.slice(start, end + 1))
}

/** SETRANGE key offset value */
function setRange({ engine, database, request, reply, now }: Call): void {
  const offset = integer(request, 2)
  if (offset < 0) throw new CommandError('ERR offset is out of range')
  const key = request.string(1)
  const before = stringAt(database, key, now)
  const part = request.string(3)
  if (part.length === 0) {
    reply.integer(before?.length ?? 0)
    return
  }
  if (offset + part.length > MAX_LENGTH) throw tooLong()
  const padded = (before ?? '').padEnd(offset, '\0')
  const value = padded.slice(0, offset) + part + padded.slice(offset + part.length)
  put(engine, database, key, value, 'setrange')
  engine.log?.effect(database.index, 'SETRANGE', key, offset, part)
  reply.integer(value.length)
}

const key1 = { first: 1, last: 1, step: 1 }
const keysAll = { first: 1, last: -1, step: 1 }
const pairs = { first: 1, last: -1, step: 2 }
const write = ['write', 'string']
const read = ['read', 'string']

export const stringCommands: readonly Command[] = [
  row('string', 'get', 2, 'readonly fast', key1, '1.0.0', read, 'Returns the string value of a key.', get),
  row(
    'string',
    'set',
    -3,
    'write denyoom',
    key1,
    '1.0.0',
    write,
    "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    set,
  ),
  row(
    'string',
    'setnx',
    3,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    "Set the string value of a key only when the key doesn't exist.",
    setNew,
  ),
  row(
    'string',
    'setex',
    4,
    'write denyoom',
    key1,
    '2.0.0',
    write,
    "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
    (call) => setExpiring(call, 1000),
  ),
  row(
    'string',
    'psetex',
    4,
    'write denyoom',
    key1,
    '2.6.0',
    write,
    'Sets both string value and expiration time in milliseconds of a key.',
    (call) => setExpiring(call, 1),
  ),
  row(
    'string',
    'getset',
    3,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    'Returns the previous string value of a key after setting it to a new value.',
    getSet,
  ),
  row(
    'string',
    'getdel',
    2,
    'write fast',
    key1,
    '6.2.0',
    write,
    'Returns the string value of a key after deleting the key.',
    getDelete,
  ),
  row(
    'string',
    'getex',
    -2,
    'write fast',
    key1,
    '6.2.0',
    write,
    'Returns the string value of a key after setting its expiration time.',
    getExpiring,
  ),
  row(
    'string',
    'mget',
    -2,
    'readonly fast',
    keysAll,
    '1.0.0',
    read,
    'Atomically returns the string values of one or more keys.',
    getMany,
  ),
  row(
    'string',
    'mset',
    -3,
    'write denyoom',
    pairs,
    '1.0.1',
    write,
    'Atomically creates or modifies the string values of one or more keys.',
    (call) => setMany(call, false),
  ),
  row(
    'string',
    'msetnx',
    -3,
    'write denyoom',
    pairs,
    '1.0.1',
    write,
    "Atomically modifies the string values of one or more keys only when all keys don't exist.",
    (call) => setMany(call, true),
  ),
  row(
    'string',
    'append',
    3,
    'write denyoom fast',
    key1,
    '2.0.0',
    write,
    "Appends a string to the value of a key. Creates the key if it doesn't exist.",
    append,
  ),
  row('string', 'strlen', 2, 'readonly fast', key1, '2.2.0', read, 'Returns the length of a string value.', length),
  row(
    'string',
    'incr',
    2,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    (call) => increment(call, () => 1n),
  ),
  row(
    'string',
    'decr',
    2,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    (call) => increment(call, () => -1n),
  ),
  row(
    'string',
    'incrby',
    3,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    'Increments the integer value of a key by a number.',
    (call) => increment(call, (request) => step(request, 2)),
  ),
  row(
    'string',
    'decrby',
    3,
    'write denyoom fast',
    key1,
    '1.0.0',
    write,
    'Decrements a number from the integer value of a key.',
    (call) => increment(call, negativeStep),
  ),
  row(
    'string',
    'incrbyfloat',
    3,
    'write denyoom fast',
    key1,
    '2.6.0',
    write,
    'Increment the floating point value of a key by a number.',
    incrementFloat,
  ),
  row(
    'string',
    'getrange',
    4,
    'readonly',
    key1,
    '2.4.0',
    read,
    'Returns a substring of the string stored at a key.',
    getRange,
  ),
  row('string', 'substr', 4, 'readonly', key1, '1.0.0', read, 'Returns a substring from a string value.', getRange),
  row(
    'string',
    'setrange',
    4,
    'write denyoom',
    key1,
    '2.2.0',
    write,
    "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
    setRange,
  ),
]
