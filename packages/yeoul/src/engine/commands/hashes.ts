import { glob } from '../glob.js'
import type { Database } from '../keyspace/database.js'
import type { Hash } from '../keyspace/hash.js'
import { integer, parseDouble, parseInteger } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, notAnInteger, syntaxError } from './command.js'
import { addDecimals } from './decimal.js'
import { dropEmpty, parseCursor, scanOptions } from './keys.js'
import { row } from './rows.js'
import { plainDecimal } from './strings.js'
import { hashAt, hashOrNew } from './values.js'

/** Sets fields (latin1); answers how many were new. */
export function setFields(
  engine: EngineState,
  database: Database,
  key: string,
  fields: readonly (readonly [field: string, value: string])[],
  now: number,
  event = 'hset',
): number {
  const hash = hashOrNew(database, key, now)
  let added = 0
  for (const [field, value] of fields) if (hash.set(field, value)) added++
  engine.log?.effect(database.index, 'HSET', key, ...fields.flat())
  database.touch(key)
  engine.notify('h', event, database, key)
  return added
}

/** Removes fields; answers how many were there. A hash without fields is gone. */
export function deleteFields(
  engine: EngineState,
  database: Database,
  key: string,
  fields: readonly string[],
  now: number,
): number {
  const hash = hashAt(database, key, now)
  const removed = hash === undefined ? [] : fields.filter((field) => hash.delete(field))
  if (hash === undefined || removed.length === 0) return 0
  engine.log?.effect(database.index, 'HDEL', key, ...removed)
  database.touch(key)
  engine.notify('h', 'hdel', database, key)
  if (hash.size === 0) dropEmpty(engine, database, key)
  return removed.length
}

function hashOf({ database, request, now }: Call): Hash | undefined {
  return hashAt(database, request.string(1), now)
}

/** HSET key field value [field value …] · HMSET … */
function set({ engine, database, request, reply, now, command }: Call): void {
  if (request.count % 2 !== 0) throw new CommandError(`ERR wrong number of arguments for '${command.name}' command`)
  const fields: [string, string][] = []
  for (let i = 2; i < request.count; i += 2) fields.push([request.string(i), request.string(i + 1)])
  const added = setFields(engine, database, request.string(1), fields, now)
  if (command.name === 'hmset') reply.ok()
  else reply.integer(added)
}

/** HSETNX key field value */
function setNew(call: Call): void {
  const { engine, database, request, reply, now } = call
  const field = request.string(2)
  if (hashOf(call)?.has(field)) {
    reply.integer(0)
    return
  }
  setFields(engine, database, request.string(1), [[field, request.string(3)]], now)
  reply.integer(1)
}

function answer({ reply }: Call, value: string | undefined): void {
  if (value === undefined) reply.nil()
  else reply.bulk(value)
}

/** HGET key field */
function get(call: Call): void {
  answer(call, hashOf(call)?.get(call.request.string(2)))
}

/** HMGET key field [field …] */
function getMany(call: Call): void {
  const hash = hashOf(call)
  call.reply.array(call.request.count - 2)
  for (let i = 2; i < call.request.count; i++) answer(call, hash?.get(call.request.string(i)))
}

/** HGETALL key */
function getAll(call: Call): void {
  const { reply } = call
  const hash = hashOf(call)
  reply.map(hash?.size ?? 0)
  for (let i = 0; hash !== undefined && i < hash.size; i++) {
    reply.bulk(hash.fields[i])
    reply.bulk(hash.values[i])
  }
}

/** HKEYS key · HVALS key */
function list(call: Call, values: boolean): void {
  const hash = hashOf(call)
  const found = hash === undefined ? [] : values ? hash.values : hash.fields
  call.reply.array(found.length)
  for (const each of found) call.reply.bulk(each)
}

/** HDEL key field [field …] */
function del({ engine, database, request, reply, now }: Call): void {
  const fields: string[] = []
  for (let i = 2; i < request.count; i++) fields.push(request.string(i))
  reply.integer(deleteFields(engine, database, request.string(1), fields, now))
}

/** HINCRBY key field increment */
function increment(call: Call): void {
  const { engine, database, request, reply, now } = call
  const by = parseInteger(request.string(3))
  if (by === undefined) throw notAnInteger()
  const field = request.string(2)
  const value = parseInteger(hashOf(call)?.get(field) ?? '0')
  if (value === undefined) throw new CommandError('ERR hash value is not an integer')
  const result = value + by
  if (BigInt.asIntN(64, result) !== result) throw new CommandError('ERR increment or decrement would overflow')
  setFields(engine, database, request.string(1), [[field, String(result)]], now, 'hincrby')
  reply.integer(result)
}

/** HINCRBYFLOAT key field increment */
function incrementFloat(call: Call): void {
  const { engine, database, request, reply, now } = call
  const by = parseDouble(request.string(3))
  if (by === undefined) throw new CommandError('ERR value is not a valid float')
  const field = request.string(2)
  const before = hashOf(call)?.get(field) ?? '0'
  const value = parseDouble(before)
  if (value === undefined) throw new CommandError('ERR hash value is not a float')
  const result = value + by
  if (!Number.isFinite(result)) throw new CommandError('ERR increment would produce NaN or Infinity')
  const text = addDecimals(before, request.string(3)) ?? plainDecimal(result)
  setFields(engine, database, request.string(1), [[field, text]], now, 'hincrbyfloat')
  reply.bulk(text)
}

/** HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES] */
function scan(call: Call): void {
  const { request, reply } = call
  const cursor = parseCursor(request, 2)
  const hash = hashOf(call)
  const options = hash === undefined ? undefined : scanOptions(request, 3, false, true)
  const found: string[] = []
  let next = 0
  if (hash !== undefined && options !== undefined) {
    next = hash.scan(cursor, options.count, (field, value) => {
      if (options.match !== undefined && !glob(options.match, field)) return
      found.push(field)
      if (!options.noValues) found.push(value)
    })
  }
  reply.array(2)
  reply.bulk(String(next))
  reply.array(found.length)
  for (const each of found) reply.bulk(each)
}

/** HRANDFIELD key [count [WITHVALUES]]: a negative count may give a field more than once. */
function randomField(call: Call): void {
  const { request, reply } = call
  if (request.count === 2) {
    const hash = hashOf(call)
    answer(call, hash?.fields[Math.floor(Math.random() * hash.size)])
    return
  }
  const count = integer(request, 2)
  if (request.count > 4 || (request.count === 4 && !request.is(3, 'WITHVALUES'))) throw syntaxError()
  const withValues = request.count === 4
  if (Math.abs(count) > 2 ** 53 || (withValues && Math.abs(count) > 2 ** 52)) {
    throw new CommandError('ERR value is out of range')
  }
  const hash = hashOf(call)
  const size = hash?.size ?? 0
  const picked = size === 0 ? [] : count < 0 ? repeated(size, -count) : distinct(size, Math.min(count, size))
  if (withValues && reply.protocol === 2) reply.array(picked.length * 2)
  else reply.array(picked.length)
  for (const i of picked) {
    if (withValues && reply.protocol === 3) reply.array(2)
    reply.bulk((hash as Hash).fields[i])
    if (withValues) reply.bulk((hash as Hash).values[i])
  }
}

function repeated(size: number, count: number): number[] {
  return Array.from({ length: count }, () => Math.floor(Math.random() * size))
}

/** `count` different positions, each set of them equally likely; all of them come in order. */
export function distinct(size: number, count: number): number[] {
  const positions = Array.from({ length: size }, (_, i) => i)
  if (count >= size) return positions
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(Math.random() * (size - i))
    ;[positions[i], positions[other]] = [positions[other], positions[i]]
  }
  return positions.slice(0, count)
}

const key1 = { first: 1, last: 1, step: 1 }
const write = ['write', 'hash']
const read = ['read', 'hash']

export const hashCommands: readonly Command[] = [
  row(
    'hash',
    'hset',
    -4,
    'write denyoom fast',
    key1,
    '2.0.0',
    write,
    'Creates or modifies the value of a field in a hash.',
    set,
  ),
  row('hash', 'hmset', -4, 'write denyoom fast', key1, '2.0.0', write, 'Sets the values of multiple fields.', set),
  row(
    'hash',
    'hsetnx',
    4,
    'write denyoom fast',
    key1,
    '2.0.0',
    write,
    "Sets the value of a field in a hash only when the field doesn't exist.",
    setNew,
  ),
  row('hash', 'hget', 3, 'readonly fast', key1, '2.0.0', read, 'Returns the value of a field in a hash.', get),
  row(
    'hash',
    'hmget',
    -3,
    'readonly fast',
    key1,
    '2.0.0',
    read,
    'Returns the values of all fields in a hash.',
    getMany,
  ),
  row('hash', 'hgetall', 2, 'readonly', key1, '2.0.0', read, 'Returns all fields and values in a hash.', getAll),
  row('hash', 'hkeys', 2, 'readonly', key1, '2.0.0', read, 'Returns all fields in a hash.', (call) =>
    list(call, false),
  ),
  row('hash', 'hvals', 2, 'readonly', key1, '2.0.0', read, 'Returns all values in a hash.', (call) => list(call, true)),
  row(
    'hash',
    'hdel',
    -3,
    'write fast',
    key1,
    '2.0.0',
    write,
    'Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.',
    del,
  ),
  row(
    'hash',
    'hexists',
    3,
    'readonly fast',
    key1,
    '2.0.0',
    read,
    'Determines whether a field exists in a hash.',
    (call) => call.reply.integer(hashOf(call)?.has(call.request.string(2)) ? 1 : 0),
  ),
  row('hash', 'hlen', 2, 'readonly fast', key1, '2.0.0', read, 'Returns the number of fields in a hash.', (call) =>
    call.reply.integer(hashOf(call)?.size ?? 0),
  ),
  row(
    'hash',
    'hstrlen',
    3,
    'readonly fast',
    key1,
    '3.2.0',
    read,
    'Returns the length of the value of a field.',
    (call) => call.reply.integer(hashOf(call)?.get(call.request.string(2))?.length ?? 0),
  ),
  row(
    'hash',
    'hincrby',
    4,
    'write denyoom fast',
    key1,
    '2.0.0',
    write,
    'Increments the integer value of a field in a hash by a number.',
    increment,
  ),
  row(
    'hash',
    'hincrbyfloat',
    4,
    'write denyoom fast',
    key1,
    '2.6.0',
    write,
    'Increments the floating point value of a field by a number.',
    incrementFloat,
  ),
  row('hash', 'hscan', -3, 'readonly', key1, '2.8.0', read, 'Iterates over fields and values of a hash.', scan),
  row(
    'hash',
    'hrandfield',
    -2,
    'readonly',
    key1,
    '6.2.0',
    read,
    'Returns one or more random fields from a hash.',
    randomField,
  ),
]
