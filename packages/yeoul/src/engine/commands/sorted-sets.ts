import { glob } from '../glob.js'
import type { Database } from '../keyspace/database.js'
import type { LexBound, ScoreBound, SortedSet } from '../keyspace/sorted-set.js'
import { formatDouble } from '../resp/reply.js'
import type { Request } from '../resp/request.js'
import { double, integer, parseDouble } from './arguments.js'
import { type Call, type Command, CommandError, type EngineState, syntaxError } from './command.js'
import { deleteKey, dropEmpty, parseCursor, replaceKey, scanOptions } from './keys.js'
import { row } from './rows.js'
import { sortedSetAt, sortedSetOrNew } from './values.js'

/** Adds members or changes their scores; answers how many were new. */
export function addMembers(
  engine: EngineState,
  database: Database,
  key: string,
  members: readonly (readonly [score: number, member: string])[],
  now: number,
  event = 'zadd',
): number {
  const set = sortedSetOrNew(database, key, now)
  let added = 0
  for (const [score, member] of members) if (set.set(member, score)) added++
  engine.log?.effect(database.index, 'ZADD', key, ...members.flatMap(([score, member]) => [scoreText(score), member]))
  database.touch(key)
  engine.notify('z', event, database, key)
  engine.blocked.signal(database.index, key)
  return added
}

/** Removes members; answers how many were there. A set without members is gone. */
export function removeMembers(
  engine: EngineState,
  database: Database,
  key: string,
  members: readonly string[],
  now: number,
  event = 'zrem',
): number {
  const set = sortedSetAt(database, key, now)
  const removed = set === undefined ? [] : members.filter((member) => set.delete(member))
  if (set === undefined || removed.length === 0) return 0
  engine.log?.effect(database.index, 'ZREM', key, ...removed)
  database.touch(key)
  engine.notify('z', event, database, key)
  if (set.size === 0) dropEmpty(engine, database, key)
  return removed.length
}

/** A score as it is logged: reads back to the same double. */
export function scoreText(score: number): string {
  if (score === Number.POSITIVE_INFINITY) return 'inf'
  if (score === Number.NEGATIVE_INFINITY) return '-inf'
  return Object.is(score, -0) ? '-0' : formatDouble(score)
}

function setOf({ database, request, now }: Call): SortedSet | undefined {
  return sortedSetAt(database, request.string(1), now)
}

/** ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member …] */
function add(call: Call): void {
  const { engine, database, request, reply, now } = call
  const flags = new Set<string>()
  let at = 2
  for (; at < request.count; at++) {
    const flag = ['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'].find((word) => request.is(at, word))
    if (flag === undefined) break
    flags.add(flag)
  }
  const pairs = request.count - at
  if (pairs === 0 || pairs % 2 !== 0) throw syntaxError()
  const has = (flag: string) => flags.has(flag)
  if (has('NX') && has('XX')) throw new CommandError('ERR XX and NX options at the same time are not compatible')
  if ((has('GT') && has('NX')) || (has('LT') && has('NX')) || (has('GT') && has('LT'))) {
    throw new CommandError('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (has('INCR') && pairs > 2) throw new CommandError('ERR INCR option supports a single increment-element pair')
  const given: [number, string][] = []
  for (let i = at; i < request.count; i += 2) given.push([double(request, i), request.string(i + 1)])

  const set = setOf(call)
  // What stands for each member in the end; a member may be named more than once.
  const changes = new Map<string, number>()
  let added = 0
  let changed = 0
  let result: number | undefined
  for (const [value, member] of given) {
    const present = changes.get(member) ?? set?.score(member)
    if ((present === undefined && has('XX')) || (present !== undefined && has('NX'))) continue
    const score = has('INCR') ? (present ?? 0) + value : value
    if (Number.isNaN(score)) throw new CommandError('ERR resulting score is not a number (NaN)')
    if (present !== undefined && ((has('GT') && score <= present) || (has('LT') && score >= present))) continue
    result = score
    if (present === undefined) added++
    else if (present !== score) changed++
    else continue
    changes.set(member, score)
  }
  if (changes.size > 0) {
    addMembers(
      engine,
      database,
      request.string(1),
      [...changes].map(([member, score]) => [score, member]),
      now,
      has('INCR') ? 'zincr' : 'zadd',
    )
  }
  if (!has('INCR')) reply.integer(has('CH') ? added + changed : added)
  else if (result === undefined) reply.nil()
  else reply.double(result)
}

/** ZINCRBY key increment member */
function increment(call: Call): void {
  const { engine, database, request, reply, now } = call
  const by = double(request, 2)
  const member = request.string(3)
  const before = setOf(call)?.score(member)
  const score = (before ?? 0) + by
  if (Number.isNaN(score)) throw new CommandError('ERR resulting score is not a number (NaN)')
  if (score !== before) addMembers(engine, database, request.string(1), [[score, member]], now, 'zincr')
  reply.double(score)
}

/** ZREM key member [member …] */
function remove({ engine, database, request, reply, now }: Call): void {
  const members: string[] = []
  for (let i = 2; i < request.count; i++) members.push(request.string(i))
  reply.integer(removeMembers(engine, database, request.string(1), members, now))
}

/** ZSCORE key member */
function score(call: Call): void {
  const found = setOf(call)?.score(call.request.string(2))
  if (found === undefined) call.reply.nil()
  else call.reply.double(found)
}

/** ZMSCORE key member [member …] */
function scores(call: Call): void {
  const { request, reply } = call
  const set = setOf(call)
  reply.array(request.count - 2)
  for (let i = 2; i < request.count; i++) {
    const found = set?.score(request.string(i))
    if (found === undefined) reply.nil()
    else reply.double(found)
  }
}

/** ZRANK key member [WITHSCORE] · ZREVRANK … */
function rank(call: Call, reverse: boolean): void {
  const { request, reply } = call
  if (request.count > 4) throw new CommandError(`ERR wrong number of arguments for '${call.command.name}' command`)
  if (request.count === 4 && !request.is(3, 'WITHSCORE')) throw syntaxError()
  const set = setOf(call)
  const member = request.string(2)
  const found = set?.rank(member)
  if (set === undefined || found === undefined) {
    if (request.count === 4) reply.nilArray()
    else reply.nil()
    return
  }
  const position = reverse ? set.size - 1 - found : found
  if (request.count === 3) {
    reply.integer(position)
    return
  }
  reply.array(2)
  reply.integer(position)
  reply.double(set.score(member) as number)
}

/** `5`, `(5`, `-inf`. */
function scoreBound(request: Request, i: number): ScoreBound {
  const text = request.string(i)
  const exclusive = text[0] === '('
  const value = parseDouble(exclusive ? text.slice(1) : text)
  if (value === undefined) throw new CommandError('ERR min or max is not a float')
  return { value, exclusive }
}

/** `[a`, `(a`, `-`, `+`. */
function lexBound(request: Request, i: number): LexBound {
  const text = request.string(i)
  if (text === '-' || text === '+') return { at: text === '-' ? -1 : 1, value: '', exclusive: false }
  if (text[0] !== '[' && text[0] !== '(') throw new CommandError('ERR min or max not valid string range item')
  return { at: 0, value: text.slice(1), exclusive: text[0] === '(' }
}

/** Ranks from ≤ rank < to, ascending. */
interface Ranks {
  from: number
  to: number
}

function byScore(set: SortedSet, min: ScoreBound, max: ScoreBound): Ranks {
  return { from: set.rankOfScore(min), to: set.rankAfterScore(max) }
}

function byLex(set: SortedSet, min: LexBound, max: LexBound): Ranks {
  return { from: set.rankOfLex(min), to: set.rankAfterLex(max) }
}

/** Positions, negative ones counted from the end; in reverse they count from the highest. */
function byRank(set: SortedSet, start: number, stop: number, reverse: boolean): Ranks {
  const { size } = set
  const first = Math.max(start < 0 ? size + start : start, 0)
  const last = Math.min(stop < 0 ? size + stop : stop, size - 1)
  if (first > last) return { from: 0, to: 0 }
  return reverse ? { from: size - 1 - last, to: size - first } : { from: first, to: last + 1 }
}

/** ZCOUNT key min max · ZLEXCOUNT key min max */
function count(call: Call, lex: boolean): void {
  const { request, reply } = call
  const ranks = lex
    ? (
        (min, max) => (set: SortedSet) =>
          byLex(set, min, max)
      )(lexBound(request, 2), lexBound(request, 3))
    : (
        (min, max) => (set: SortedSet) =>
          byScore(set, min, max)
      )(scoreBound(request, 2), scoreBound(request, 3))
  const set = setOf(call)
  const { from, to } = set === undefined ? { from: 0, to: 0 } : ranks(set)
  reply.integer(Math.max(to - from, 0))
}

interface RangeOptions {
  by: 'rank' | 'score' | 'lex'
  reverse: boolean
  withScores: boolean
  offset: number
  limit: number
}

/**
 * ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES] and its older forms ZREVRANGE,
 * ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX, which fix the first two options; ZRANGESTORE stores.
 */
function range(call: Call, fixed: { by: RangeOptions['by']; reverse: boolean } | undefined, at = 1): Ranged {
  const { database, request, now } = call
  const options: RangeOptions = {
    by: fixed?.by ?? 'rank',
    reverse: fixed?.reverse ?? false,
    withScores: false,
    offset: 0,
    limit: -1,
  }
  let limited = false
  for (let i = at + 3; i < request.count; i++) {
    const more = request.count - 1 - i
    if (at === 1 && request.is(i, 'WITHSCORES')) options.withScores = true
    else if (more >= 2 && request.is(i, 'LIMIT')) {
      options.offset = integer(request, i + 1)
      options.limit = integer(request, i + 2)
      limited = true
      i += 2
    } else if (fixed === undefined && request.is(i, 'REV')) options.reverse = true
    else if (fixed === undefined && request.is(i, 'BYSCORE')) options.by = 'score'
    else if (fixed === undefined && request.is(i, 'BYLEX')) options.by = 'lex'
    else throw syntaxError()
  }
  if (limited && options.by === 'rank') {
    throw new CommandError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  if (options.withScores && options.by === 'lex') {
    throw new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  }
  // In reverse the higher end of an interval is named first.
  const swap = options.reverse && options.by !== 'rank'
  const low = at + (swap ? 2 : 1)
  const high = at + (swap ? 1 : 2)
  let ranks: (set: SortedSet) => Ranks
  if (options.by === 'rank') {
    const start = integer(request, at + 1)
    const stop = integer(request, at + 2)
    ranks = (set) => byRank(set, start, stop, options.reverse)
  } else if (options.by === 'score') {
    const [min, max] = inOrder(
      swap,
      () => scoreBound(request, low),
      () => scoreBound(request, high),
    )
    ranks = (set) => byScore(set, min, max)
  } else {
    const [min, max] = inOrder(
      swap,
      () => lexBound(request, low),
      () => lexBound(request, high),
    )
    ranks = (set) => byLex(set, min, max)
  }
  const set = sortedSetAt(database, request.string(at), now)
  const found: [string, number][] = []
  if (set !== undefined) collect(set, ranks(set), options, found)
  return { found, withScores: options.withScores }
}

interface Ranged {
  found: [string, number][]
  withScores: boolean
}

function inOrder<T>(swap: boolean, low: () => T, high: () => T): [T, T] {
  if (!swap) return [low(), high()]
  const max = high()
  return [low(), max]
}

function collect(set: SortedSet, { from, to }: Ranks, options: RangeOptions, found: [string, number][]): void {
  const { offset, limit, reverse } = options
  if (offset < 0) return
  const size = to - from - offset
  const wanted = limit < 0 ? size : Math.min(size, limit)
  if (wanted <= 0) return
  const visit = (member: string, score: number) => void found.push([member, score])
  if (reverse) set.walkBack(to - offset - wanted, to - offset, visit)
  else set.walk(from + offset, from + offset + wanted, visit)
}

function rangeReply(call: Call, fixed: { by: RangeOptions['by']; reverse: boolean } | undefined): void {
  const { found, withScores } = range(call, fixed)
  writePairs(call, found, withScores)
}

/** Members, with scores in turn (RESP2) or in pairs (RESP3). */
function writePairs({ reply }: Call, found: readonly [string, number][], withScores: boolean): void {
  reply.array(withScores && reply.protocol === 2 ? found.length * 2 : found.length)
  for (const [member, each] of found) {
    if (withScores && reply.protocol === 3) reply.array(2)
    reply.bulk(member)
    if (withScores) reply.double(each)
  }
}

/** ZRANGESTORE destination source start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] */
function rangeStore(call: Call): void {
  const { engine, database, request, reply, now } = call
  const { found } = range(call, undefined, 2)
  const target = request.string(1)
  engine.transaction(() => {
    if (database.has(target, now)) {
      if (found.length > 0) replaceKey(engine, database, target)
      else deleteKey(engine, database, target)
    }
    if (found.length > 0) {
      addMembers(
        engine,
        database,
        target,
        found.map(([member, each]) => [each, member]),
        now,
        'zrangestore',
      )
    }
  })
  reply.integer(found.length)
}

/** ZREMRANGEBYSCORE key min max · ZREMRANGEBYRANK key start stop · ZREMRANGEBYLEX key min max */
function removeRange(call: Call, by: RangeOptions['by']): void {
  const { engine, database, request, reply, now } = call
  let ranks: (set: SortedSet) => Ranks
  if (by === 'rank') {
    const start = integer(request, 2)
    const stop = integer(request, 3)
    ranks = (set) => byRank(set, start, stop, false)
  } else if (by === 'score') {
    const min = scoreBound(request, 2)
    const max = scoreBound(request, 3)
    ranks = (set) => byScore(set, min, max)
  } else {
    const min = lexBound(request, 2)
    const max = lexBound(request, 3)
    ranks = (set) => byLex(set, min, max)
  }
  const set = setOf(call)
  const members: string[] = []
  if (set !== undefined) {
    const { from, to } = ranks(set)
    set.walk(from, to, (member) => void members.push(member))
  }
  reply.integer(removeMembers(engine, database, request.string(1), members, now, `zremrangeby${by}`))
}

/** ZPOPMIN key [count] · ZPOPMAX key [count] */
function pop(call: Call, highest: boolean): void {
  const { engine, database, request, reply, now, command } = call
  if (request.count > 3) throw new CommandError(`ERR wrong number of arguments for '${command.name}' command`)
  const given = request.count === 3
  const limit = given ? integer(request, 2, 'value is out of range, must be positive') : 1
  if (limit < 0) throw new CommandError('ERR value is out of range, must be positive')
  const set = setOf(call)
  const found: [string, number][] = []
  if (set !== undefined && limit > 0) {
    const visit = (member: string, each: number) => void found.push([member, each])
    const number = Math.min(limit, set.size)
    if (highest) set.walkBack(set.size - number, set.size, visit)
    else set.walk(0, number, visit)
    const members = found.map(([member]) => member)
    removeMembers(engine, database, request.string(1), members, now, highest ? 'zpopmax' : 'zpopmin')
  }
  if (given || found.length === 0) {
    writePairs(call, found, true)
    return
  }
  // Without a count one pair, flat in both protocols.
  reply.array(2)
  reply.bulk(found[0][0])
  reply.double(found[0][1])
}

/** ZSCAN key cursor [MATCH pattern] [COUNT count] */
function scan(call: Call): void {
  const { request, reply } = call
  const cursor = parseCursor(request, 2)
  const set = setOf(call)
  const found: string[] = []
  let next = 0
  if (set !== undefined) {
    const { match, count: limit } = scanOptions(request, 3, false)
    next = set.scan(cursor, limit, (member, each) => {
      if (match === undefined || glob(match, member)) found.push(member, scoreText(each))
    })
  }
  reply.array(2)
  reply.bulk(String(next))
  reply.array(found.length)
  for (const each of found) reply.bulk(each)
}

const key1 = { first: 1, last: 1, step: 1 }
const write = ['write', 'sortedset']
const read = ['read', 'sortedset']

export const sortedSetCommands: readonly Command[] = [
  row(
    'sorted-set',
    'zadd',
    -4,
    'write denyoom fast',
    key1,
    '1.2.0',
    write,
    "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
    add,
  ),
  row(
    'sorted-set',
    'zincrby',
    4,
    'write denyoom fast',
    key1,
    '1.2.0',
    write,
    'Increments the score of a member in a sorted set.',
    increment,
  ),
  row(
    'sorted-set',
    'zrem',
    -3,
    'write fast',
    key1,
    '1.2.0',
    write,
    'Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.',
    remove,
  ),
  row(
    'sorted-set',
    'zscore',
    3,
    'readonly fast',
    key1,
    '1.2.0',
    read,
    'Returns the score of a member in a sorted set.',
    score,
  ),
  row(
    'sorted-set',
    'zmscore',
    -3,
    'readonly fast',
    key1,
    '6.2.0',
    read,
    'Returns the score of one or more members in a sorted set.',
    scores,
  ),
  row(
    'sorted-set',
    'zcard',
    2,
    'readonly fast',
    key1,
    '1.2.0',
    read,
    'Returns the number of members in a sorted set.',
    (call) => call.reply.integer(setOf(call)?.size ?? 0),
  ),
  row(
    'sorted-set',
    'zcount',
    4,
    'readonly fast',
    key1,
    '2.0.0',
    read,
    'Returns the count of members in a sorted set that have scores within a range.',
    (call) => count(call, false),
  ),
  row(
    'sorted-set',
    'zlexcount',
    4,
    'readonly fast',
    key1,
    '2.8.9',
    read,
    'Returns the number of members in a sorted set within a lexicographical range.',
    (call) => count(call, true),
  ),
  row(
    'sorted-set',
    'zrank',
    -3,
    'readonly fast',
    key1,
    '2.0.0',
    read,
    'Returns the index of a member in a sorted set ordered by ascending scores.',
    (call) => rank(call, false),
  ),
  row(
    'sorted-set',
    'zrevrank',
    -3,
    'readonly fast',
    key1,
    '2.0.0',
    read,
    'Returns the index of a member in a sorted set ordered by descending scores.',
    (call) => rank(call, true),
  ),
  row(
    'sorted-set',
    'zrange',
    -4,
    'readonly',
    key1,
    '1.2.0',
    read,
    'Returns members in a sorted set within a range of indexes.',
    (call) => rangeReply(call, undefined),
  ),
  row(
    'sorted-set',
    'zrevrange',
    -4,
    'readonly',
    key1,
    '1.2.0',
    read,
    'Returns members in a sorted set within a range of indexes in reverse order.',
    (call) => rangeReply(call, { by: 'rank', reverse: true }),
  ),
  row(
    'sorted-set',
    'zrangebyscore',
    -4,
    'readonly',
    key1,
    '1.0.5',
    read,
    'Returns members in a sorted set within a range of scores.',
    (call) => rangeReply(call, { by: 'score', reverse: false }),
  ),
  row(
    'sorted-set',
    'zrevrangebyscore',
    -4,
    'readonly',
    key1,
    '2.2.0',
    read,
    'Returns members in a sorted set within a range of scores in reverse order.',
    (call) => rangeReply(call, { by: 'score', reverse: true }),
  ),
  row(
    'sorted-set',
    'zrangebylex',
    -4,
    'readonly',
    key1,
    '2.8.9',
    read,
    'Returns members in a sorted set within a lexicographical range.',
    (call) => rangeReply(call, { by: 'lex', reverse: false }),
  ),
  row(
    'sorted-set',
    'zrevrangebylex',
    -4,
    'readonly',
    key1,
    '2.8.9',
    read,
    'Returns members in a sorted set within a lexicographical range in reverse order.',
    (call) => rangeReply(call, { by: 'lex', reverse: true }),
  ),
  row(
    'sorted-set',
    'zrangestore',
    -5,
    'write denyoom',
    { first: 1, last: 2, step: 1 },
    '6.2.0',
    write,
    'Stores a range of members from sorted set in a key.',
    rangeStore,
  ),
  row(
    'sorted-set',
    'zremrangebyscore',
    4,
    'write',
    key1,
    '1.2.0',
    write,
    'Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.',
    (call) => removeRange(call, 'score'),
  ),
  row(
    'sorted-set',
    'zremrangebyrank',
    4,
    'write',
    key1,
    '2.0.0',
    write,
    'Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.',
    (call) => removeRange(call, 'rank'),
  ),
  row(
    'sorted-set',
    'zremrangebylex',
    4,
    'write',
    key1,
    '2.8.9',
    write,
    'Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.',
    (call) => removeRange(call, 'lex'),
  ),
  row(
    'sorted-set',
    'zpopmin',
    -2,
    'write fast',
    key1,
    '5.0.0',
    write,
    'Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.',
    (call) => pop(call, false),
  ),
  row(
    'sorted-set',
    'zpopmax',
    -2,
    'write fast',
    key1,
    '5.0.0',
    write,
    'Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.',
    (call) => pop(call, true),
  ),
  row(
    'sorted-set',
    'zscan',
    -3,
    'readonly',
    key1,
    '2.8.0',
    read,
    'Iterates over members and scores of a sorted set.',
    scan,
  ),
]
