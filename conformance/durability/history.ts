import { type GroupValue, isStream, type Model, type StreamValue } from './model.js'
import { pick, type Random } from './random.js'

export interface HistoryOptions {
  /** Keys may be given an expiry. */
  expiring: boolean
  /** Commands that not every Redis knows, or shows the effect of. */
  newer: boolean
}

/**
 * One random command that changes something, or would if what it names were there. Mostly it names what is: entries
 * that exist, deliveries that are pending, with the delivery counts that fences ask for.
 */
export function nextCommand(
  below: Random,
  model: Model,
  database: number,
  now: number,
  { expiring, newer }: HistoryOptions,
): string[] {
  const keys = model.databases[database]
  const name = pick(below, ['s', 's', 's', 't'])
  const value = keys.get(name)?.value
  const stream = value !== undefined && isStream(value) ? value : undefined
  const group = pick(below, ['g', 'g', 'h'])
  const consumer = pick(below, ['a', 'b', 'c\xff'])
  const at: Place = { below, name, stream, groupName: group, group: stream?.groups[group], consumer }
  const commands = [...always, ...(expiring ? withExpiry : []), ...(newer ? newerCommands : [])]
  let choice = below(commands.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, make] of commands) {
    if (choice < weight) return make(at, now)
    choice -= weight
  }
  throw new Error('unreachable')
}

interface Place {
  below: Random
  name: string
  stream: StreamValue | undefined
  groupName: string
  group: GroupValue | undefined
  consumer: string
}

type Make = (at: Place, now: number) => string[]

function fields({ below }: Place): string[] {
  const size = below(12) === 0 ? 700 + below(1500) : below(30)
  return ['data', pick(below, ['v', '\r\n', '\xff\x00#c:', '*1']).padEnd(size, 'x')]
}

function entryIds({ below, stream }: Place, most = 3): string[] {
  const ids = stream?.entries.map(({ id }) => id) ?? []
  return Array.from({ length: 1 + below(most) }, () => (ids.length > 0 && below(8) > 0 ? pick(below, ids) : '7-7'))
}

function pendingIds({ below, group }: Place, most = 4): string[] {
  const ids = group?.pending.map(({ id }) => id) ?? []
  return Array.from({ length: 1 + below(most) }, () => (ids.length > 0 && below(8) > 0 ? pick(below, ids) : '7-7'))
}

/** A delivery with the count that its holder knows, and now and then a wrong one. */
function held(place: Place): { consumer: string; words: string[] } {
  const { below, group } = place
  if (group === undefined || group.pending.length === 0) return { consumer: place.consumer, words: ['7-7', '1'] }
  const one = pick(below, group.pending)
  const count = one.count + (below(6) === 0 ? 1 : 0)
  // XNACK FATAL leaves the highest count there is.
  return { consumer: one.consumer, words: [one.id, count >= 2 ** 63 ? '9223372036854775807' : String(count)] }
}

function bound(place: Place): string[] {
  return place.below(2) === 0 ? ['MAXLEN', String(place.below(8))] : ['MINID', entryIds(place, 1)[0]]
}

function pack(words: string[]): string {
  return words.map((word) => `${word.length}:${word}`).join('')
}

const text = ['str', 'other', 's']
const hash = ['hash', 'other']
const set = ['zset', 'other']
const member = ['m', 'n', 'o']
const any = ['s', 't', 'str', 'hash', 'zset', 'other', 'times', 'packed']

const always: [weight: number, Make][] = [
  [14, (at) => ['XADD', at.name, '*', ...fields(at)]],
  [3, (at) => ['XADD', at.name, ...bound(at), '*', ...fields(at)]],
  [2, (at) => ['XADD', at.name, 'NOMKSTREAM', `${1 + at.below(50)}-${at.below(3)}`, ...fields(at)]],
  [3, (at) => ['XTRIM', at.name, ...bound(at)]],
  [4, (at) => ['XDEL', at.name, ...entryIds(at)]],
  [5, (at) => ['XGROUP', 'CREATE', at.name, at.groupName, pick(at.below, ['0', '$']), 'MKSTREAM']],
  [2, (at) => ['XGROUP', 'SETID', at.name, at.groupName, pick(at.below, ['0', '$', entryIds(at, 1)[0]])]],
  [1, (at) => ['XGROUP', 'DESTROY', at.name, at.groupName]],
  [1, (at) => ['XGROUP', 'CREATECONSUMER', at.name, at.groupName, at.consumer]],
  [1, (at) => ['XGROUP', 'DELCONSUMER', at.name, at.groupName, at.consumer]],
  [12, (at) => [...reading(at), 'COUNT', String(1 + at.below(6)), 'STREAMS', at.name, '>']],
  [1, (at) => [...reading(at), 'NOACK', 'STREAMS', at.name, '>']],
  [2, (at) => [...reading(at), 'COUNT', String(1 + at.below(4)), 'STREAMS', at.name, '0']],
  [8, (at) => ['XACK', at.name, at.groupName, ...pendingIds(at)]],
  [4, (at) => ['XCLAIM', at.name, at.groupName, at.consumer, idle(at), ...pendingIds(at), ...claiming(at)]],
  [1, (at) => ['XCLAIM', at.name, at.groupName, at.consumer, '0', ...entryIds(at), 'FORCE', 'RETRYCOUNT', '3']],
  [3, (at) => ['XAUTOCLAIM', at.name, at.groupName, at.consumer, idle(at), '0', 'COUNT', String(1 + at.below(4))]],
  [2, (at) => ['SET', pick(at.below, text), pick(at.below, ['1', '22', 'word'])]],
  [2, (at) => ['INCR', pick(at.below, text)]],
  [1, (at) => ['APPEND', pick(at.below, text), '7']],
  [2, (at) => ['HSET', pick(at.below, hash), pick(at.below, member), pick(at.below, ['1', 'x'])]],
  [2, (at) => ['HINCRBY', pick(at.below, hash), pick(at.below, member), '5']],
  [1, (at) => ['HDEL', pick(at.below, hash), pick(at.below, member), 'm']],
  [2, (at) => ['ZADD', pick(at.below, set), pick(at.below, ['1', '2.5', '-3']), pick(at.below, member)]],
  [1, (at) => ['ZINCRBY', pick(at.below, set), '1.5', pick(at.below, member)]],
  [1, (at) => ['ZREM', pick(at.below, set), pick(at.below, member)]],
  [1, (at) => ['ZPOPMIN', pick(at.below, set)]],
  [1, (at) => ['DEL', pick(at.below, any)]],
  [1, (at) => ['RENAME', pick(at.below, any), pick(at.below, any)]],
  [1, (at) => ['COPY', pick(at.below, any), pick(at.below, any), 'REPLACE']],
  [1, (at) => ['MOVE', pick(at.below, any), '1']],
  [3, (at) => ['FCALL', 'yeoul_append', '3', at.name, 'mark:', 'counters', '', '1', 'n', '', '', ...fields(at)]],
  [3, (at) => [...holding('settle', '1', at, [at.name]), ...held(at).words]],
  [2, (at) => [...holding('heartbeat', '1', at, [at.name]), ...held(at).words]],
  [2, (at) => step('deadletter', [at.name, 'dead'], at, (words) => [...words, ...fields(at)])],
  [
    2,
    (at, now) =>
      step('reschedule', [at.name, 'times', 'packed'], at, (words) => [
        ...words,
        String(now + at.below(300)),
        `d${at.below(5)}`,
        pack(fields(at)),
      ]),
  ],
  [
    2,
    (at, now) => [
      ...['FCALL', 'yeoul_schedule', '3', 'times', 'packed', 'mark:', String(now + at.below(300))],
      ...[`d${at.below(5)}`, pack(fields(at)), ''],
    ],
  ],
  [2, (at) => ['FCALL', 'yeoul_promote', '3', at.name, 'times', 'packed', String(1 + at.below(3))]],
]

const withExpiry: [weight: number, Make][] = [
  [2, (at) => ['SET', pick(at.below, text), '5', 'PX', String(1 + at.below(500))]],
  [2, (at) => ['PEXPIRE', pick(at.below, any), String(1 + at.below(900))]],
  [1, (at) => ['PERSIST', pick(at.below, any)]],
  [
    2,
    (at, now) => [
      ...['FCALL', 'yeoul_schedule', '3', 'times', 'packed', `mark:${at.below(4)}`, String(now + at.below(300))],
      ...[`d${at.below(5)}`, pack(fields(at)), String(1 + at.below(400))],
    ],
  ],
  [
    4,
    (at) => [
      ...['FCALL', 'yeoul_append', '3', at.name, `mark:${at.below(4)}`, 'counters', String(1 + at.below(400))],
      ...['1', 'n', '', '', ...fields(at)],
    ],
  ],
]

const newerCommands: [weight: number, Make][] = [
  [4, (at) => ['XADD', at.name, 'IDMP', pick(at.below, ['p', 'q']), String(at.below(6)), '*', ...fields(at)]],
  [
    3,
    (at) => ['XNACK', at.name, at.groupName, pick(at.below, ['SILENT', 'FAIL', 'FATAL']), ...counted(pendingIds(at))],
  ],
  [2, (at) => ['XDELEX', at.name, pick(at.below, ['KEEPREF', 'DELREF', 'ACKED']), ...counted(entryIds(at))]],
  [2, (at) => ['XACKDEL', at.name, at.groupName, pick(at.below, ['KEEPREF', 'DELREF']), ...counted(pendingIds(at))]],
]

function counted(ids: string[]): string[] {
  return ['IDS', String(ids.length), ...ids]
}

function reading(at: Place): string[] {
  return ['XREADGROUP', 'GROUP', at.groupName, at.consumer]
}

function idle({ below }: Place): string {
  return below(3) === 0 ? '50' : '0'
}

function claiming({ below }: Place): string[] {
  const words: string[] = []
  if (below(4) === 0) words.push('RETRYCOUNT', String(below(9)))
  if (below(4) === 0) words.push('JUSTID')
  return words
}

function holding(name: string, count: string, at: Place, keys: string[]): string[] {
  return ['FCALL', `yeoul_${name}`, count, ...keys, at.groupName, at.group?.pending[0]?.consumer ?? at.consumer]
}

function step(name: string, keys: string[], at: Place, rest: (delivery: string[]) => string[]): string[] {
  const { consumer, words } = held(at)
  return ['FCALL', `yeoul_${name}`, String(keys.length), ...keys, at.groupName, consumer, ...rest(words)]
}
