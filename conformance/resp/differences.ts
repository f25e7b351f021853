import type { PeerName } from './peers.js'
import type { Value } from './resp.js'

/**
 * What must not be compared: time, order that Redis leaves open, and what newer versions do otherwise. Each rule names
 * the command it is for and why; everything else is compared byte by byte.
 */
export interface Difference {
  readonly command: RegExp
  /** Absent: all of them. */
  readonly peers?: readonly PeerName[]
  readonly why: string
  readonly apply: (value: Value, command: readonly string[]) => Value
}

const IDEMPOTENCE = ['idmp-duration', 'idmp-maxsize', 'pids-tracked', 'iids-tracked', 'iids-added', 'iids-duplicates']

const MASKED: Value = { type: '+', text: '(not compared)' }

function isItems(value: Value): value is Extract<Value, { items: Value[] }> {
  return 'items' in value
}

function sorted(value: Value): Value {
  if (!isItems(value)) return value
  return { ...value, items: [...value.items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) }
}

/** Rewrites the values of these fields in maps (or flat arrays of names and values), at any depth. */
function fields(value: Value, change: (name: string, value: Value) => Value | undefined): Value {
  if (!isItems(value)) return value
  const items: Value[] = []
  const named = value.items.length % 2 === 0
  for (let i = 0; i < value.items.length; i++) {
    const item = value.items[i]
    const name = named && i % 2 === 0 && item.type === '$' ? item.text : undefined
    if (name === undefined) {
      items.push(fields(item, change))
      continue
    }
    const changed = change(name, value.items[i + 1])
    i++
    if (changed !== undefined) items.push(item, changed === MASKED ? changed : fields(changed, change))
  }
  return { ...value, items }
}

/** Only consumers that hold something; a mere number of consumers says nothing then. */
function busy(value: Value): Value {
  if (!isItems(value)) return value.type === ':' ? MASKED : value
  return {
    ...value,
    items: value.items.filter((row) => {
      if (!isItems(row)) return true
      const at = row.items.findIndex((item) => item.type === '$' && ['pending', 'pel-count'].includes(item.text))
      const pending = row.items[at + 1]
      return pending.type !== ':' || pending.text !== '0'
    }),
  }
}

/**
 * Delivery times of FULL: only those the test set itself (small ones) are compared. Counters that XSETID has put at the end
 * of 64 bits are not, either: Redis wraps around there, and here they are exact up to 2^53.
 */
function maskTimes(value: Value): Value {
  if (isItems(value)) return { ...value, items: value.items.map(maskTimes) }
  return value.type === ':' && Math.abs(Number(value.text)) > 1e11 ? MASKED : value
}

export const DIFFERENCES: readonly Difference[] = [
  {
    command: /^XINFO$/,
    why: 'times pass; the inner nodes of the radix tree are no part of the meaning',
    apply: (value) =>
      maskTimes(
        fields(value, (name, field) =>
          ['radix-tree-nodes', 'idle', 'seen-time', 'inactive', 'active-time'].includes(name) ? MASKED : field,
        ),
      ),
  },
  {
    command: /^XINFO$/,
    why: '8.6 remembers idempotent producers',
    apply: (value) => fields(value, (name, field) => (IDEMPOTENCE.includes(name) ? undefined : field)),
  },
  {
    command: /^XINFO$/,
    peers: ['redis 7.0'],
    why: '7.2 adds inactive and active-time',
    apply: (value) => fields(value, (name, field) => (['inactive', 'active-time'].includes(name) ? undefined : field)),
  },
  {
    command: /^XINFO$/,
    peers: ['redis 7.0', 'valkey 9.1'],
    why: '7.4 corrects lag and entries-read once entries were removed, and caps ENTRIESREAD',
    apply: (value) => fields(value, (name, field) => (['lag', 'entries-read'].includes(name) ? MASKED : field)),
  },
  {
    command: /^XINFO$/,
    peers: ['redis 7.0'],
    why: '7.2 makes the consumer at every attempt to read or claim, 7.0 when there is something for it',
    apply: (value, command) =>
      fields(command[1]?.toUpperCase() === 'CONSUMERS' ? busy(value) : value, (name, field) =>
        name === 'consumers' ? busy(field) : field,
      ),
  },
  {
    command: /^XGROUP$/,
    peers: ['redis 7.0'],
    why: 'as before: the consumer may exist already',
    apply: (value, command) => (command[1]?.toUpperCase() === 'CREATECONSUMER' && value.type === ':' ? MASKED : value),
  },
  {
    command: /^XPENDING$/,
    why: 'idle time passes',
    apply: (value, command) => {
      if (command.length === 3 || !isItems(value)) return value
      return {
        ...value,
        items: value.items.map((row) =>
          isItems(row) ? { ...row, items: row.items.map((item, i) => (i === 2 ? MASKED : item)) } : row,
        ),
      }
    },
  },
  {
    command: /^(TTL|PTTL|PEXPIRETIME|EXPIRETIME)$/,
    why: 'time passes',
    apply: (value) => (value.type === ':' && Number(value.text) > 0 ? MASKED : value),
  },
  {
    command: /^OBJECT$/,
    why: 'raw or embstr tells how a string came to be, which is not kept',
    apply: (value) => (value.type === '$' && ['raw', 'embstr', 'int'].includes(value.text) ? MASKED : value),
  },
  {
    command: /^GETEX$/,
    peers: ['valkey 9.1'],
    why: 'valkey judges the time before it looks for the key, Redis when there is one',
    apply: (value) =>
      value.type === 'null' || (value.type === '-' && /invalid expire time|not an integer|WRONGTYPE/.test(value.text))
        ? MASKED
        : value,
  },
  {
    command: /^OBJECT$/,
    why: 'counts of references tell how a server keeps values: shared numbers before 8.2, arguments of a queued command',
    apply: (value) => (value.type === ':' && value.text !== '0' ? MASKED : value),
  },
  {
    command: /^SCAN$/,
    peers: ['valkey 9.1'],
    why: 'valkey refuses types it does not know, Redis finds no keys of them',
    apply: (value, command) => (command.includes('nonsense') ? MASKED : value),
  },
  {
    command: /^XSETID$/,
    peers: ['redis 7.0'],
    why: 'of an ID below the last entry and below the highest deleted one, 7.0 names the former, newer versions the latter',
    apply: (value) => (value.type === '-' && value.text.includes('in XSETID is smaller') ? MASKED : value),
  },
  { command: /^KEYS$/, why: 'the order of keys is open', apply: sorted },
  {
    command: /^SCAN$/,
    why: 'the order of keys is open',
    apply: (value) => (isItems(value) ? { ...value, items: [value.items[0], sorted(value.items[1])] } : value),
  },
  {
    command: /^XREAD(GROUP)?$/,
    peers: ['redis 7.0', 'valkey 9.1'],
    why: '7.4 reads the last entry where the ID is +',
    apply: (value, command) => (command.includes('+') ? MASKED : value),
  },
  {
    command: /^XREAD(GROUP)?$/,
    peers: ['redis 7.0', 'valkey 9.1'],
    why: '7.4 speaks of + where an ID is missing',
    apply: (value) => (value.type === '-' && value.text.startsWith('ERR Unbalanced') ? MASKED : value),
  },
]

function comparable(peer: PeerName, value: Value, command: readonly string[]): Value {
  const name = command[0].toUpperCase()
  return DIFFERENCES.reduce(
    (seen, rule) =>
      rule.command.test(name) && (rule.peers?.includes(peer) ?? true) ? rule.apply(seen, command) : seen,
    value,
  )
}

/** Makes what may differ equal; the replies of EXEC are those of the commands queued before it. */
export function normalise(peer: PeerName, commands: readonly string[][], replies: readonly Value[]): Value[] {
  let queued: string[][] = []
  return commands.map((command, i) => {
    const reply = replies[i]
    const name = command[0].toUpperCase()
    if (reply.type === '+' && reply.text === 'QUEUED') {
      queued.push(command)
      return reply
    }
    if (name === 'EXEC' && 'items' in reply) {
      const run = queued
      queued = []
      return { ...reply, items: reply.items.map((item, k) => comparable(peer, item, run[k])) }
    }
    if (name === 'EXEC' || name === 'DISCARD') queued = []
    return comparable(peer, reply, command)
  })
}

/** Keyspace events as a listener gets them, those left out that not every version has. */
export function comparableEvents(peer: PeerName, messages: readonly Value[]): Value[] {
  return messages.filter((message) => {
    if (!isItems(message)) return true
    const words = message.items.map((item) => ('text' in item ? item.text : ''))
    // 7.2 makes the consumer at every attempt to read or claim, 7.0 when there is something for it.
    if (peer === 'redis 7.0') return !words.some((word) => /xgroup-(create|del)consumer/.test(word))
    // A time that has passed deletes the key: `del` in Redis, `expired` in valkey.
    if (peer === 'valkey 9.1') return !words.some((word) => /^(del|expired)$|__:(del|expired)$/.test(word))
    return true
  })
}
