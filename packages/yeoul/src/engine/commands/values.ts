import type { Database } from '../keyspace/database.js'
import { Hash } from '../keyspace/hash.js'
import { SortedSet } from '../keyspace/sorted-set.js'
import type { Group as StreamGroup } from '../stream/group.js'
import { Stream } from '../stream/stream.js'
import { CommandError, type EngineState, shown, wrongType } from './command.js'

/** What a key can hold. A string is a latin1 string. */
export type Value = string | Hash | SortedSet | Stream

export type TypeName = 'string' | 'hash' | 'zset' | 'stream'

export function typeOf(value: unknown): TypeName {
  if (typeof value === 'string') return 'string'
  if (value instanceof Stream) return 'stream'
  return value instanceof Hash ? 'hash' : 'zset'
}

/** The stream at `key`, undefined when there is no such key; throws WRONGTYPE. */
export function streamAt(database: Database, key: string, now: number): Stream | undefined {
  const value = database.get(key, now)
  if (value === undefined || value instanceof Stream) return value as Stream | undefined
  throw wrongType()
}

export function streamOrNew(engine: EngineState, database: Database, key: string, now: number): Stream {
  const stream = streamAt(database, key, now)
  if (stream !== undefined) return stream
  const created = new Stream(engine.nodeLimits)
  created.idempotency.duration = engine.config.streamIdmpDuration
  created.idempotency.maxSize = engine.config.streamIdmpMaxsize
  database.set(key, created)
  database.touch(key)
  engine.blocked.signal(database.index, key)
  return created
}

/** The group, or NOGROUP as most commands say it. */
export function groupAt(
  database: Database,
  key: string,
  name: string,
  now: number,
): { stream: Stream; group: StreamGroup } {
  const stream = streamAt(database, key, now)
  const group = stream?.groups.get(name)
  if (stream === undefined || group === undefined) {
    throw new CommandError(`NOGROUP No such key '${shown(key)}' or consumer group '${shown(name)}'`)
  }
  return { stream, group }
}

export function stringAt(database: Database, key: string, now: number): string | undefined {
  const value = database.get(key, now)
  if (value === undefined || typeof value === 'string') return value
  throw wrongType()
}

export function hashAt(database: Database, key: string, now: number): Hash | undefined {
  const value = database.get(key, now)
  if (value === undefined || value instanceof Hash) return value as Hash | undefined
  throw wrongType()
}

export function hashOrNew(database: Database, key: string, now: number): Hash {
  const hash = hashAt(database, key, now)
  if (hash !== undefined) return hash
  const created = new Hash()
  database.set(key, created)
  return created
}

export function sortedSetAt(database: Database, key: string, now: number): SortedSet | undefined {
  const value = database.get(key, now)
  if (value === undefined || value instanceof SortedSet) return value as SortedSet | undefined
  throw wrongType()
}

export function sortedSetOrNew(database: Database, key: string, now: number): SortedSet {
  const set = sortedSetAt(database, key, now)
  if (set !== undefined) return set
  const created = new SortedSet()
  database.set(key, created)
  return created
}

/** Bytes a value holds, roughly. */
export function memoryOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 40
  return (value as Hash | SortedSet | Stream).memory()
}
