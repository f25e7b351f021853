import type { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { Hash } from '../../packages/yeoul/src/engine/keyspace/hash.js'
import { SortedSet } from '../../packages/yeoul/src/engine/keyspace/sorted-set.js'
import { EntryId } from '../../packages/yeoul/src/engine/stream/entry-id.js'
import { Stream } from '../../packages/yeoul/src/engine/stream/stream.js'
import { readFields } from '../../packages/yeoul/src/engine/wire.js'
import { isStream, type Key, type Model, type StreamValue } from './model.js'

/** Both as lines of text, one a key, so that they can be compared and read. What is due by `now` is left out. */
export function linesOfModel(model: Model, now: number): string[] {
  const lines: string[] = []
  for (const [database, keys] of model.databases.entries()) {
    for (const [name, { value, expiry }] of keys) {
      if (expiry > now) lines.push(line(database, name, value, expiry))
    }
  }
  return lines.sort()
}

export function linesOfEngine(engine: Engine, now: number): string[] {
  const lines: string[] = []
  for (const { index, keys, values, expiries } of engine.databases) {
    for (let i = 0; i < keys.length; i++) {
      if (expiries[i] > now) lines.push(line(index, keys[i], plain(values[i]), expiries[i]))
    }
  }
  return lines.sort()
}

function line(database: number, name: string, value: Key['value'], expiry: number): string {
  return JSON.stringify([database, name, expiry === Number.POSITIVE_INFINITY ? 'stays' : expiry, ordered(value)])
}

function ordered(value: Key['value']): unknown {
  if (typeof value === 'string' || Array.isArray(value)) return value
  if (!isStream(value)) return Object.entries(value).sort()
  const { addedOnce, ...shown } = value
  const groups = Object.entries(value.groups).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...shown,
    groups: groups.map(([name, group]) => ({ name, ...group, consumers: [...group.consumers].sort() })),
  }
}

function plain(value: unknown): Key['value'] {
  if (typeof value === 'string') return value
  if (value instanceof Hash) return Object.fromEntries(value.fields.map((field, i) => [field, value.values[i]]))
  if (value instanceof SortedSet) {
    const members: { member: string; score: number }[] = []
    value.walk(0, value.size, (member, score) => members.push({ member, score }))
    return members
  }
  if (value instanceof Stream) return plainStream(value)
  throw new Error('a value of an unknown type')
}

function plainStream(stream: Stream): StreamValue {
  const entries: StreamValue['entries'] = []
  const cursor = stream.cursor()
  while (cursor.next()) {
    const fields = readFields(cursor.bytes, cursor.start, cursor.end).map((field) => field.toString('latin1'))
    entries.push({ id: cursor.id.toString(), fields })
  }
  const groups: StreamValue['groups'] = {}
  for (const group of stream.groups.values()) {
    const pending: StreamValue['groups'][string]['pending'] = []
    group.pending.walk(EntryId.zero(), (entry) => {
      pending.push({
        id: entry.id.toString(),
        consumer: entry.consumer?.name ?? '',
        time: entry.deliveryTime,
        count: entry.deliveryCount,
      })
      return 'next'
    })
    groups[group.name] = {
      lastId: group.lastId.toString(),
      read: group.entriesRead,
      consumers: [...group.consumers.keys()],
      pending,
    }
  }
  return {
    entries,
    lastId: stream.lastId.toString(),
    maxDeletedId: stream.maxDeletedId.toString(),
    added: stream.entriesAdded,
    groups,
  }
}
