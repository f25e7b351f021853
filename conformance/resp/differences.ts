import type { Value } from './resp.js'

/**
 * What must not be compared: time, order that Redis leaves open, and what newer versions do otherwise. Each rule names
 * the command it is for and why; everything else is compared byte by byte.
 */
export interface Difference {
  readonly command: RegExp
  readonly why: string
  readonly apply: (value: Value, command: readonly string[]) => Value
}

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

/** Delivery times of FULL: only those the test set itself (small ones) are compared. */
function maskTimes(value: Value): Value {
  if (isItems(value)) return { ...value, items: value.items.map(maskTimes) }
  return value.type === ':' && Number(value.text) > 1e11 ? MASKED : value
}

export const DIFFERENCES: readonly Difference[] = [
  {
    command: /^XINFO$/,
    why: 'times pass; inner nodes of a radix tree are no part of the meaning; 7.2 adds inactive and active-time; 7.4 corrects lag and entries-read once entries were removed',
    apply: (value) =>
      maskTimes(
        fields(value, (name, field) => {
          if (['inactive', 'active-time'].includes(name)) return undefined
          if (['radix-tree-nodes', 'idle', 'seen-time', 'lag', 'entries-read'].includes(name)) return MASKED
          return name === 'consumers' ? busy(field) : field
        }),
      ),
  },
  {
    command: /^XINFO$/,
    why: '7.2 makes the consumer at every attempt to read or claim, 7.0 when there is something for it',
    apply: (value, command) => (command[1]?.toUpperCase() === 'CONSUMERS' ? busy(value) : value),
  },
  {
    command: /^XGROUP$/,
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
  { command: /^KEYS$/, why: 'the order of keys is open', apply: sorted },
  {
    command: /^SCAN$/,
    why: 'the order of keys is open',
    apply: (value) => (isItems(value) ? { ...value, items: [value.items[0], sorted(value.items[1])] } : value),
  },
  {
    command: /^XREAD(GROUP)?$/,
    why: '7.4 reads the last entry where the ID is +',
    apply: (value, command) => (command.includes('+') ? MASKED : value),
  },
  {
    command: /^XREAD(GROUP)?$/,
    why: '7.4 speaks of + where an ID is missing',
    apply: (value) => (value.type === '-' && value.text.startsWith('ERR Unbalanced') ? MASKED : value),
  },
]

export function comparable(value: Value, command: readonly string[]): Value {
  const name = command[0].toUpperCase()
  return DIFFERENCES.reduce((seen, rule) => (rule.command.test(name) ? rule.apply(seen, command) : seen), value)
}
