import fc from 'fast-check'
import type { PeerName } from './peers.js'

type Words = fc.Arbitrary<string[]>

const pick = (...values: string[]) => fc.constantFrom(...values)
const words = (...parts: (string | fc.Arbitrary<string | string[]>)[]): Words =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.flat())
const maybe = (part: fc.Arbitrary<string | string[]>, weight = 2): Words =>
  fc.oneof(
    { weight, arbitrary: fc.constant([] as string[]) },
    { weight: 1, arbitrary: part.map((each) => (Array.isArray(each) ? each : [each])) },
  )
const list = (part: fc.Arbitrary<string>, min = 1, max = 3): Words => fc.array(part, { minLength: min, maxLength: max })

const stream = pick('s', 's', 's', 't')
/** Mostly a stream; now and then another type, or nothing. */
const key = pick('s', 's', 's', 't', 't', 'str', 'missing')
const anyKey = pick('s', 't', 'str', 'h', 'z', 'missing', 'new')
const group = pick('g', 'g', 'g', 'G2', 'nogroup')
const consumer = pick('alice', 'bob', '\xff\x00c')
const small = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 3 }))
  .map(([ms, seq]) => `${ms}-${seq}`)
const oddId = pick(
  '0',
  '3',
  '5-*',
  '0-*',
  '01-1',
  '+2-1',
  '1-',
  '-',
  '+',
  '$',
  '>',
  '(1-1',
  '(-',
  '18446744073709551615-18446744073709551615',
  '18446744073709551615',
  '18446744073709551616-0',
  'abc',
  '',
)
const id = fc.oneof({ weight: 8, arbitrary: small }, { weight: 1, arbitrary: oddId })
const bound = fc.oneof(
  { weight: 4, arbitrary: pick('-', '+') },
  { weight: 4, arbitrary: small },
  { weight: 2, arbitrary: small.map((each) => `(${each}`) },
  { weight: 1, arbitrary: oddId },
)
/** Rising IDs, so that appends succeed. */
const rising = fc.integer({ min: 1, max: 40 }).map((ms) => `${ms}-1`)
const count = pick('0', '1', '2', '10', '-1', 'x')
const number = pick('0', '1', '-1', '5', '100', '3.14', 'x', '9223372036854775807', '')
const value = fc.oneof(
  pick('v', '', '\r\n', '\x00\xff', 'x'.repeat(40)),
  fc.string({ maxLength: 6, unit: 'binary-ascii' }),
)
const pairs = fc.array(fc.tuple(pick('f', 'g', ''), value), { minLength: 1, maxLength: 3 }).map((all) => all.flat())

const trim = fc.oneof(
  words('MAXLEN', maybe(pick('=', '~')), pick('0', '1', '3', '5', '-1', 'x')),
  words('MINID', maybe(pick('=', '~')), id),
)
const limit = words('LIMIT', pick('0', '1', '5', '-1'))
const deliveryOptions = words(
  maybe(words('IDLE', pick('0', '1000', 'x')), 5),
  maybe(words('TIME', pick('1000', '0', '-5')), 3),
  maybe(words('RETRYCOUNT', pick('0', '7', '-1')), 3),
  maybe(pick('FORCE'), 2),
  maybe(pick('JUSTID'), 2),
  maybe(words('LASTID', id), 5),
  maybe(pick('NONSENSE'), 20),
)
const minIdle = pick('0', '0', '1000000000', '-1', 'x')

const streamCommands: Words[] = [
  words('XADD', stream, fc.oneof({ weight: 4, arbitrary: rising }, { weight: 1, arbitrary: id }), pairs),
  words('XADD', stream, rising, pairs),
  words('XADD', key, maybe(pick('NOMKSTREAM')), maybe(trim, 1), maybe(limit, 4), id, pairs),
  words('XADD', stream, trim, rising, 'f', 'v'),
  words('XADD', key, list(pick('1-1', 'f', 'v', 'MAXLEN', 'NOMKSTREAM', '~', '5'), 1, 5)),
  words('XTRIM', key, trim, maybe(limit, 4)),
  words('XDEL', key, list(id)),
  words('XLEN', key),
  words('XRANGE', key, bound, bound, maybe(words('COUNT', count))),
  words('XREVRANGE', key, bound, bound, maybe(words('COUNT', count))),
  words('XREAD', maybe(words('COUNT', count)), 'STREAMS', key, id),
  words('XREAD', maybe(words('COUNT', count)), 'STREAMS', 's', 't', id, id),
  words('XREAD', list(pick('COUNT', '1', 'STREAMS', 's', '0', 'GROUP', 'g', 'NOACK', '-1'), 3, 6)),
  words(
    'XGROUP',
    'CREATE',
    key,
    group,
    fc.oneof(pick('0', '$'), id),
    maybe(pick('MKSTREAM')),
    maybe(words('ENTRIESREAD', number), 5),
  ),
  words('XREAD', 'BLOCK', pick('-1', 'x', '1.5'), 'STREAMS', 's', '0'),
  words('XGROUP', 'CREATE', 's', 'g', pick('0', '$'), 'MKSTREAM'),
  words('XGROUP', 'SETID', key, group, fc.oneof(pick('0', '$', '-', '+'), id), maybe(words('ENTRIESREAD', number), 5)),
  words('XGROUP', 'DESTROY', key, group),
  words('XGROUP', 'CREATECONSUMER', key, group, consumer),
  words('XGROUP', 'DELCONSUMER', key, group, consumer),
  words(
    'XREADGROUP',
    'GROUP',
    group,
    consumer,
    maybe(words('COUNT', count)),
    maybe(pick('NOACK'), 5),
    'STREAMS',
    key,
    fc.oneof(pick('>', '>', '0'), id),
  ),
  words('XREADGROUP', 'GROUP', 'g', consumer, maybe(words('COUNT', count)), 'STREAMS', 's', '>'),
  words('XREADGROUP', 'GROUP', 'g', consumer, 'STREAMS', 's', 't', pick('>', '0'), pick('>', '0')),
  words('XACK', key, group, list(id)),
  words('XPENDING', key, group),
  words(
    'XPENDING',
    key,
    group,
    maybe(words('IDLE', pick('0', '1000000000', 'x')), 4),
    bound,
    bound,
    count,
    maybe(consumer),
  ),
  words('XCLAIM', key, group, consumer, minIdle, list(id), deliveryOptions),
  words('XCLAIM', 's', 'g', consumer, '0', list(rising), deliveryOptions),
  words('XAUTOCLAIM', key, group, consumer, minIdle, bound, maybe(words('COUNT', count)), maybe(pick('JUSTID'))),
  words(
    'XSETID',
    key,
    id,
    maybe(words('ENTRIESADDED', pick('0', '1', '-1', '5', '100', 'x')), 3),
    maybe(words('MAXDELETEDID', id), 3),
  ),
  words('XINFO', 'STREAM', key, maybe(words('FULL', maybe(words('COUNT', count))))),
  words('XINFO', 'GROUPS', key),
  words('XINFO', 'CONSUMERS', key, group),
  words(pick('XINFO', 'XGROUP'), list(pick('STREAM', 'CREATE', 's', 'g', 'nonsense'), 0, 3)),
]

const references = pick('KEEPREF', 'DELREF', 'ACKED')
const idsBlock = fc.oneof(
  { weight: 6, arbitrary: list(rising).map((ids) => ['IDS', String(ids.length), ...ids]) },
  { weight: 2, arbitrary: list(id).map((ids) => ['IDS', String(ids.length), ...ids]) },
  { weight: 1, arbitrary: words('IDS', pick('0', '1', '2', '-1', 'x'), list(id, 0, 3)) },
)

const streamCommandsOf82: Words[] = [
  words('XADD', stream, maybe(references, 1), trim, maybe(references, 1), maybe(limit, 4), rising, pairs),
  words('XADD', key, maybe(references, 1), id, pairs),
  words('XTRIM', key, trim, maybe(limit, 4), maybe(references, 0)),
  words('XTRIM', 's', trim, references),
  words('XDELEX', key, maybe(references, 1), idsBlock),
  words('XDELEX', 's', references, idsBlock),
  words('XACKDEL', key, group, maybe(references, 1), idsBlock),
  words('XACKDEL', 's', 'g', maybe(references, 1), idsBlock),
  words('XDELEX', key, list(pick('IDS', 'KEEPREF', '1', '1-1', 'x'), 1, 4)),
]

const member = pick('a', 'b', 'c', 'd', '\xff')
const scoreBound = pick('-inf', '+inf', '0', '1', '(1', '2.5', '(2.5', 'x')
/** Only a set whose scores are all the same has an order by name. */
const lexBound = pick('-', '+', '[a', '(a', '[c', '(c', 'a')
/** Scores that have few binary digits: 7.0 prints others with 17 digits, newer versions as short as possible. */
const score = pick('0', '1', '2.5', '-1', 'inf', '-inf', '1e3', '0.125', 'nan', 'x')
const seconds = pick('100000', '0', '-1', 'x', '4102444800', '9223372036854775807')
/** Of SET and GETEX: a time that has passed would leave a key that goes at any moment. */
const lifetime = fc.oneof(
  words(pick('EX', 'PX'), seconds),
  words(pick('EXAT', 'PXAT'), pick('0', '-1', 'x', '9000000000000', '9223372036854775807')),
)
const condition = maybe(pick('NX', 'XX', 'GT', 'LT', 'ZZ'), 2)

const keyspaceCommands: Words[] = [
  words(
    'SET',
    anyKey,
    value,
    maybe(pick('NX', 'XX')),
    maybe(pick('GET'), 4),
    maybe(lifetime, 4),
    maybe(pick('KEEPTTL'), 6),
  ),
  words(
    pick(
      'GET',
      'STRLEN',
      'GETDEL',
      'INCR',
      'DECR',
      'TYPE',
      'TTL',
      'PTTL',
      'PERSIST',
      'PEXPIRETIME',
      'HGETALL',
      'HKEYS',
      'HVALS',
      'HLEN',
      'ZCARD',
    ),
    anyKey,
  ),
  words('GETEX', anyKey, maybe(fc.oneof(lifetime, pick('PERSIST')))),
  words(pick('SETNX', 'GETSET', 'APPEND'), anyKey, value),
  words(pick('SETEX', 'PSETEX'), anyKey, seconds, value),
  words(pick('INCRBY', 'DECRBY'), pick('n', 'str', 'h'), number),
  words('INCRBYFLOAT', pick('n', 'str'), pick('0.1', '0.2', '1.5', '-0.5', '1e3', '0.1', '3', 'x', 'inf')),
  words(pick('GETRANGE', 'SUBSTR'), anyKey, pick('0', '-1', '2', '-3'), pick('0', '-1', '5', '-2', 'x')),
  words('SETRANGE', pick('str', 'h', 'new'), pick('0', '3', '-1'), value),
  words('MGET', list(anyKey)),
  words(pick('MSET', 'MSETNX'), list(fc.oneof(anyKey, value), 1, 5)),
  words(pick('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), list(anyKey)),
  words(pick('RENAME', 'RENAMENX'), anyKey, anyKey),
  words('COPY', anyKey, anyKey, maybe(words('DB', pick('0', '1', '99'))), maybe(pick('REPLACE'))),
  words('MOVE', anyKey, pick('0', '1', '99', 'x')),
  words(
    pick('EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT'),
    anyKey,
    seconds,
    condition,
    maybe(pick('NX', 'GT', 'LT'), 6),
  ),
  words('OBJECT', pick('ENCODING', 'REFCOUNT', 'NONSENSE'), pick('h', 'z', 's', 'missing')),
  words('KEYS', pick('*', '?', 's*', '[a-s]*')),
  words(
    'SCAN',
    '0',
    'COUNT',
    '1000',
    maybe(words('MATCH', pick('*', 's*'))),
    maybe(words('TYPE', pick('stream', 'hash', 'nonsense'))),
  ),
  words('DBSIZE'),
  words('SELECT', pick('0', '0', '1', '99', 'x')),
  words('SWAPDB', pick('0', '1', 'x'), pick('0', '1', '99')),
  words(pick('FLUSHDB', 'FLUSHALL'), maybe(pick('ASYNC', 'x'))),
  words(pick('HSET', 'HMSET'), pick('h', 'h', 'h', 's'), list(fc.oneof(member, value), 1, 6)),
  words('HSETNX', 'h', member, value),
  words(pick('HGET', 'HEXISTS', 'HSTRLEN'), anyKey, member),
  words(pick('HDEL', 'HMGET'), pick('h', 'h', 'str'), list(member)),
  words('HINCRBY', 'h', member, number),
  words('HINCRBYFLOAT', 'h', member, pick('1.5', '-2', 'x')),
  words('HSCAN', anyKey, pick('0', 'x'), maybe(words('MATCH', pick('*', 'a*'))), maybe(words('COUNT', count))),
  words('HRANDFIELD', 'h', pick('0', 'x', '10'), maybe(pick('WITHVALUES', 'x'))),
  words(
    'ZADD',
    pick('z', 'z', 'z', 's'),
    maybe(pick('NX', 'XX')),
    maybe(pick('GT', 'LT')),
    maybe(pick('CH')),
    maybe(pick('INCR'), 3),
    score,
    member,
    maybe(words(score, member), 1),
  ),
  words('ZADD', 'z', score, member, score, member),
  words('ZINCRBY', 'z', score, member),
  words(pick('ZSCORE', 'ZRANK', 'ZREVRANK'), anyKey, member),
  words(pick('ZREM', 'ZMSCORE'), pick('z', 'z', 'h'), list(member)),
  words(pick('ZCOUNT', 'ZREMRANGEBYSCORE'), pick('z', 'z', 'str'), scoreBound, scoreBound),
  words('ZADD', 'lex', '0', member, '0', member),
  words(pick('ZLEXCOUNT', 'ZREMRANGEBYLEX'), 'lex', lexBound, lexBound),
  words('ZREMRANGEBYRANK', 'z', pick('0', '-1', '1'), pick('0', '1', '-2', 'x')),
  words('ZRANGE', anyKey, pick('0', '1', '-2'), pick('-1', '2', 'x'), maybe(pick('REV')), maybe(pick('WITHSCORES'))),
  words(
    'ZRANGE',
    'z',
    scoreBound,
    scoreBound,
    'BYSCORE',
    maybe(pick('REV')),
    maybe(words('LIMIT', pick('0', '1', '-1'), pick('1', '-1', '0'))),
    maybe(pick('WITHSCORES')),
  ),
  words(
    'ZRANGE',
    'lex',
    lexBound,
    lexBound,
    'BYLEX',
    maybe(pick('REV')),
    maybe(words('LIMIT', pick('0', '1'), pick('1', '-1'))),
    maybe(pick('WITHSCORES'), 5),
  ),
  words('ZREVRANGE', 'z', pick('0', '1'), pick('-1', '1'), maybe(pick('WITHSCORES', 'x'))),
  words(
    pick('ZRANGEBYSCORE', 'ZREVRANGEBYSCORE'),
    'z',
    scoreBound,
    scoreBound,
    maybe(pick('WITHSCORES')),
    maybe(words('LIMIT', '0', '2')),
  ),
  words(pick('ZRANGEBYLEX', 'ZREVRANGEBYLEX'), 'lex', lexBound, lexBound, maybe(words('LIMIT', '1', '2'))),
  words('ZRANGESTORE', pick('new', 'z'), 'z', pick('0', '-2'), '-1', maybe(pick('REV'))),
  words(pick('ZPOPMIN', 'ZPOPMAX'), pick('z', 'z', 'str'), maybe(count)),
  words('ZSCAN', pick('z', 'h'), '0', maybe(words('COUNT', count))),
]

const transactionCommands: Words[] = [
  words('MULTI'),
  words('EXEC'),
  words('EXEC'),
  words('DISCARD'),
  words('WATCH', list(anyKey)),
  words('UNWATCH'),
]

const serverCommands: Words[] = [
  words('CONFIG', 'SET', 'stream-node-max-entries', pick('1', '2', '3', '100', '0')),
  words('CONFIG', 'SET', 'stream-node-max-bytes', pick('4096', '0', '60')),
  words(pick('nosuch', 'NOSUCH\r\n'), list(value, 0, 3)),
  words(pick('XADD', 'XLEN', 'GET', 'XGROUP', 'MULTI', 'HSET'), list(pick('s', 'x'), 0, 2)),
]

const some = (commands: Words[], weight: number) => ({ weight, arbitrary: fc.oneof(...commands) })

/**
 * Of the commands of one client, those that the server takes as the engine does: what it does otherwise and what would
 * leave another state behind is left out, as nothing after it could be compared.
 */
function comparableWith(peer: PeerName): (command: readonly string[]) => boolean {
  let inside = false
  let deleted = false
  return (command) => {
    const name = command[0]
    // 7.0 lets XSETID go below the highest deleted ID.
    if (name === 'XDEL') deleted = true
    if (peer === 'redis 7.0' && name === 'XSETID' && deleted) return false
    // Valkey gives a transaction up when MULTI or WATCH come inside it, Redis refuses them and goes on.
    if (peer === 'valkey 9.1') {
      if (inside && (name === 'MULTI' || name === 'WATCH')) return false
      if (name === 'MULTI') inside = true
      else if (name === 'EXEC' || name === 'DISCARD') inside = false
    }
    // Up to 8.2.3 a trim with ~ removes nothing unless references are kept; later it goes through the nodes.
    if (peer === 'redis 8.2' && (name === 'XADD' || name === 'XTRIM')) {
      return !(command.includes('~') && (command.includes('DELREF') || command.includes('ACKED')))
    }
    // From 7.2 on whoever waits runs its command again; 7.0 serves it out of the write, empty replies included.
    return !(peer === 'redis 7.0' && command.includes('BLOCK') && command.includes('0'))
  }
}

function inOrder(peer: PeerName, sequence: fc.Arbitrary<string[][]>): fc.Arbitrary<string[][]> {
  return sequence.map((commands) => commands.filter(comparableWith(peer)))
}

/** Stream commands that the server knows. */
function streamCommandsOf(peer: PeerName): Words[] {
  return peer === 'redis 8.2' ? [...streamCommands, ...streamCommandsOf82] : streamCommands
}

export const streamSequence = (peer: PeerName) =>
  inOrder(
    peer,
    fc.array(
      fc.oneof(some(streamCommandsOf(peer), 20), some(transactionCommands, 1), some(serverCommands, 1), {
        weight: 1,
        arbitrary: words(pick('DEL', 'UNLINK'), stream),
      }),
      { minLength: 1, maxLength: 60, size: 'max' },
    ),
  )

export const keyspaceSequence = (peer: PeerName) =>
  inOrder(
    peer,
    fc.array(
      fc.oneof(
        some(keyspaceCommands, 20),
        some(streamCommandsOf(peer), 2),
        some(transactionCommands, 2),
        some(serverCommands, 1),
      ),
      { minLength: 1, maxLength: 60, size: 'max' },
    ),
  )

/** Asked at the end of every sequence: the whole state, key by key. */
export const finalState: readonly string[][] = [
  ['DISCARD'],
  ...['0', '1'].flatMap((database) => [
    ['SELECT', database],
    ['KEYS', '*'],
    ['DBSIZE'],
    ...['s', 't'].flatMap((name) => [
      ['XINFO', 'STREAM', name],
      ['XINFO', 'STREAM', name, 'FULL', 'COUNT', '0'],
      ['XINFO', 'GROUPS', name],
      ['XPENDING', name, 'g'],
      ['XPENDING', name, 'g', '-', '+', '100'],
    ]),
    ...['str', 'n', 'new', 'missing', 'h', 'z', 'lex', 's'].flatMap((name) => [
      ['TYPE', name],
      ['GET', name],
      ['HGETALL', name],
      ['ZRANGE', name, '0', '-1', 'WITHSCORES'],
      ['PEXPIRETIME', name],
    ]),
  ]),
]

/** One command of one of several clients. */
export interface Step {
  readonly client: number
  readonly command: string[]
}

export const CLIENTS = 3

const several: Words[] = [
  words('XADD', 's', rising, 'f', 'v'),
  words('XADD', stream, rising, 'f', 'v'),
  words('XADD', 's', 'MAXLEN', pick('0', '1'), rising, 'f', 'v'),
  words('XREAD', maybe(words('COUNT', pick('1', '2'))), 'BLOCK', '0', 'STREAMS', stream, pick('$', '$', '0', '5-1')),
  words('XREAD', 'BLOCK', '0', 'STREAMS', 's', 't', pick('$', '0'), '$'),
  words('XGROUP', 'CREATE', stream, 'g', pick('$', '0'), 'MKSTREAM'),
  words('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM'),
  words(
    'XREADGROUP',
    'GROUP',
    'g',
    consumer,
    maybe(words('COUNT', pick('1', '2'))),
    'BLOCK',
    '0',
    maybe(pick('NOACK'), 4),
    'STREAMS',
    's',
    '>',
  ),
  words('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', '1', 'BLOCK', '0', 'STREAMS', 's', '>'),
  words('XREADGROUP', 'GROUP', 'g', consumer, 'BLOCK', '0', 'STREAMS', 's', 't', '>', pick('>', '0')),
  words('XACK', 's', 'g', list(rising)),
  words('XDEL', stream, list(rising)),
  words('XTRIM', 's', 'MAXLEN', '0'),
  words('XGROUP', 'SETID', 's', 'g', pick('0', '$', '5-1')),
  words('XGROUP', 'DESTROY', stream, 'g'),
  words('XGROUP', 'DELCONSUMER', 's', 'g', consumer),
  words('XCLAIM', 's', 'g', consumer, '0', list(rising)),
  words('XAUTOCLAIM', 's', 'g', consumer, '0', '-'),
  words('CLIENT', 'UNBLOCK', pick('@0', '@1', '@2'), maybe(pick('TIMEOUT', 'ERROR'), 1)),
  words('MULTI'),
  words('EXEC'),
  words('EXEC'),
  words('DISCARD'),
  words('WATCH', pick('s', 't', 'new')),
  words('UNWATCH'),
]

/** What takes a stream away from under those who wait for it. */
const severalTaking: Words[] = [
  words('DEL', stream),
  words('UNLINK', stream),
  words('SET', stream, 'v'),
  words('RENAME', stream, stream),
  words('RENAME', pick('s', 'new'), pick('t', 'new', 's')),
  words('COPY', stream, pick('s', 't', 'new'), maybe(pick('REPLACE'), 1)),
  words('FLUSHALL'),
  words('FLUSHDB'),
  words('SWAPDB', '0', '1'),
  words('MOVE', stream, '1'),
  words('SELECT', pick('0', '0', '1')),
  words('PEXPIREAT', stream, '1'),
]

/** Commands of several clients; whoever waits is skipped until it was served. */
export const severalClients = (peer: PeerName): fc.Arbitrary<Step[]> =>
  fc
    .array(
      fc.record({
        client: fc.integer({ min: 0, max: CLIENTS - 1 }),
        command: fc.oneof(
          some(several, 16),
          some(severalTaking, 2),
          some(streamCommandsOf(peer), 4),
          some(keyspaceCommands, 2),
        ),
      }),
      { minLength: 1, maxLength: 60, size: 'max' },
    )
    .map((steps) => {
      const takes = Array.from({ length: CLIENTS }, () => comparableWith(peer))
      return steps.filter(({ client, command }) => takes[client](command))
    })
