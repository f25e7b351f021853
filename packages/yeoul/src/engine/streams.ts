import { intervalEnd, intervalStart } from './commands/arguments.js'
import { CommandError, type EngineState } from './commands/command.js'
import { consumerOf, deliverHistory, deliverNew, hasNew, type Reading, unlimited } from './commands/deliveries.js'
import { remember } from './commands/idempotence.js'
import type { References } from './commands/references.js'
import type { Trim } from './commands/trimming.js'
import { groupAt, memoryOf, streamAt, streamOrNew } from './commands/values.js'
import { acknowledge } from './commands/xack.js'
import { applyAppend } from './commands/xadd.js'
import { claimIdle } from './commands/xautoclaim.js'
import { claim } from './commands/xclaim.js'
import { deleteEntries } from './commands/xdel.js'
import { deleteWithReferences } from './commands/xdelex.js'
import { createGroup, destroyGroup, moveGroup, removeConsumer } from './commands/xgroup.js'
import { giveBack, type NackMode } from './commands/xnack.js'
import { listPending } from './commands/xpending.js'
import { trimStream } from './commands/xtrim.js'
import { EngineError } from './errors.js'
import type { Database } from './keyspace/database.js'
import { EntryId } from './stream/entry-id.js'
import { PendingEntry } from './stream/pending.js'
import type { Stream } from './stream/stream.js'
import { Delivery, Entry, type Fields, FieldWriter, toName, toText } from './wire.js'

export interface TrimRequest {
  /** Keep at most so many entries … */
  maxLength?: number
  /** … or none below this ID. */
  minId?: string
  /** Whole nodes only, as `~`. */
  approximate?: boolean
  /** With `approximate`: remove at most so many; 0 = no limit. */
  limit?: number
  /** What becomes of what groups hold of the entries; default: it stays. */
  references?: References
}

export interface StreamEntries {
  stream: string
  entries: Entry[]
}

export interface GroupEntries {
  stream: string
  entries: Delivery[]
}

export interface WaitOptions {
  /** ms to wait for entries; Infinity = for ever. */
  block?: number
  /** Ends the wait: it then answers nothing. */
  signal?: AbortSignal
}

export interface PendingDelivery {
  id: string
  /** '' = given back, nobody's. */
  consumer: string
  idle: number
  deliveries: number
}

/** What engine.ts adds to the state of commands, as far as this needs it. */
export interface StreamsEngine extends EngineState {
  /** Serves waiting readers after a change made here. */
  settle(): void
}

/**
 * Every stream operation for code of this process, without the wire: the same functions that the commands call.
 *
 * Names and field strings are UTF-8 text. Calls are synchronous and atomic and throw EngineError; a change is applied
 * when the call returns and durable when `engine.committed()` says so.
 */
export class Streams {
  readonly #engine: StreamsEngine
  readonly #database: Database
  readonly #writer = new FieldWriter()
  readonly #id = new EntryId()

  constructor(engine: StreamsEngine, database = 0) {
    this.#engine = engine
    this.#database = engine.databases[database]
  }

  /** The same for another numbered database. */
  in(database: number): Streams {
    if (this.#engine.databases[database] === undefined) throw new EngineError('ERR DB index is out of range')
    return new Streams(this.#engine, database)
  }

  /**
   * The new entry's ID; null when `create` is false and there is no such stream. With `idempotent`, what the producer
   * has appended under that ID of its own before answers the earlier entry's ID, and nothing is appended.
   */
  append(
    stream: string,
    fields: Fields,
    options: {
      id?: string
      create?: boolean
      trim?: TrimRequest
      idempotent?: { producer: string; id: string }
    } = {},
  ): string | null {
    if (fields.length === 0 || fields.length % 2 !== 0)
      throw new EngineError('ERR fields are pairs of a name and a value')
    const { idempotent } = options
    if (idempotent !== undefined) {
      if (options.id !== undefined) throw new EngineError('ERR an idempotent entry gets a generated ID')
      if (idempotent.producer === '' || idempotent.id === '') {
        throw new EngineError('ERR an idempotent entry needs a producer and an ID, neither of them empty')
      }
    }
    return this.#change(true, (now) => {
      const key = toName(stream)
      const trim = options.trim === undefined ? undefined : trimOf(options.trim)
      const target =
        options.create === false
          ? streamAt(this.#database, key, now)
          : streamOrNew(this.#engine, this.#database, key, now)
      if (target === undefined) return null
      const producer = idempotent === undefined ? '' : toName(idempotent.producer)
      const own = idempotent === undefined ? '' : toName(idempotent.id)
      const known = idempotent === undefined ? undefined : target.idempotency.find(producer, own)
      if (known !== undefined) {
        target.idempotency.duplicates++
        return known.toString()
      }
      const id = this.#id
      if (options.id === undefined) {
        if (!target.nextId(now, id)) {
          throw new CommandError('ERR The stream has exhausted the last possible ID, unable to add more items')
        }
      } else {
        id.set(parseId(options.id))
        if (id.compare(target.lastId) <= 0) {
          throw new CommandError('ERR The ID specified in XADD is equal or smaller than the target stream top item')
        }
      }
      const writer = this.#writer
      writer.write(fields)
      const [engine, database] = [this.#engine, this.#database]
      const pairs = fields.length / 2
      if (idempotent === undefined) {
        applyAppend(engine, database, key, target, id, writer.bytes, 0, writer.length, pairs, trim)
      } else {
        engine.transaction(() => {
          applyAppend(engine, database, key, target, id, writer.bytes, 0, writer.length, pairs, trim)
          remember(engine, database, key, target, producer, own, id)
        })
      }
      return id.toString()
    })
  }

  length(stream: string): number {
    return this.#stream(stream)?.length ?? 0
  }

  /** Entries with from ≤ id ≤ to (`-`, `+`, `(id` as in XRANGE). */
  range(stream: string, from: string, to: string, options: { count?: number; reverse?: boolean } = {}): Entry[] {
    return this.#read(() => {
      const { count = Number.POSITIVE_INFINITY, reverse = false } = options
      const start = intervalStart(from)
      const end = intervalEnd(to)
      const entries: Entry[] = []
      const cursor = this.#stream(stream)?.cursor()
      cursor?.seek(reverse ? end : start)
      while (cursor !== undefined && entries.length < count && (reverse ? cursor.previous() : cursor.next())) {
        if (reverse ? cursor.id.compare(start) < 0 : cursor.id.compare(end) > 0) break
        entries.push(new Entry(cursor))
      }
      return entries
    })
  }

  /** Entries above the given IDs (`$` = above the last one now); only streams that have some. */
  read(after: ReadonlyMap<string, string>, options: { count?: number } = {}): StreamEntries[] {
    return this.#read(() => this.#readAfter(this.#resolve(after), options.count))
  }

  /** As `read`, waiting for entries when there are none. */
  waitRead(after: ReadonlyMap<string, string>, options: { count?: number } & WaitOptions): Promise<StreamEntries[]> {
    const positions = this.#read(() => this.#resolve(after))
    return this.#wait([...positions.keys()], undefined, options, () => this.#readAfter(positions, options.count))
  }

  /** What the group has not delivered, to this consumer: pending until acknowledged, unless `noAck`. */
  readGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    options: { count?: number; noAck?: boolean } = {},
  ): GroupEntries[] {
    return this.#change(false, (now) => this.#deliver(streams, group, consumer, options, now))
  }

  /** As `readGroup`, waiting for entries when there are none. Rejects with NOGROUP when a group is gone. */
  waitReadGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    options: { count?: number; noAck?: boolean } & WaitOptions,
  ): Promise<GroupEntries[]> {
    return this.#wait(streams, group, options, (now) => this.#deliver(streams, group, consumer, options, now))
  }

  /** What is pending for the consumer above `after`, delivered once more. Deleted entries are left out. */
  history(
    stream: string,
    group: string,
    consumer: string,
    options: { after?: string; count?: number } = {},
  ): Delivery[] {
    return this.#change(false, (now) => {
      const reading = this.#reading(stream, group, consumer, now)
      const start = parseId(options.after ?? '0')
      const deliveries: Delivery[] = []
      if (!start.increment() && options.after !== undefined) return deliveries
      const pending = new PendingEntry()
      deliverHistory(reading, start, options.count ?? 0, unlimited(), (id, cursor) => {
        if (cursor === undefined) return
        reading.group.pending.get(id, pending)
        deliveries.push(new Delivery(cursor, pending.deliveryCount + 1, Math.max(now - pending.deliveryTime, 0)))
      })
      return deliveries
    })
  }

  /** Answers how many were pending. */
  acknowledge(stream: string, group: string, ids: readonly string[]): number {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const found = streamAt(this.#database, key, now)?.groups.get(toName(group))
      return found === undefined ? 0 : acknowledge(this.#engine, this.#database, key, found, ids.map(parseId))
    })
  }

  claim(
    stream: string,
    group: string,
    consumer: string,
    ids: readonly string[],
    options: { minIdle?: number; time?: number; deliveries?: number; force?: boolean; justId?: boolean } = {},
  ): Delivery[] {
    return this.#change(false, (now) => {
      const claimed: Delivery[] = []
      claim(
        this.#reading(stream, group, consumer, now),
        ids.map(parseId),
        {
          minIdle: options.minIdle ?? 0,
          time: Math.min(options.time ?? now, now),
          deliveries: options.deliveries,
          force: options.force ?? false,
          count: options.justId !== true,
        },
        (_, cursor, deliveries, idle) => void claimed.push(new Delivery(cursor, deliveries, idle)),
      )
      return claimed
    })
  }

  /** As XAUTOCLAIM. `next` = '0-0' at the end of the scan. */
  claimIdle(
    stream: string,
    group: string,
    consumer: string,
    options: { minIdle: number; count?: number; cursor?: string; justId?: boolean },
  ): { next: string; deliveries: Delivery[]; deleted: string[] } {
    return this.#change(false, (now) => {
      const claimed: Delivery[] = []
      const { next, deleted } = claimIdle(
        this.#reading(stream, group, consumer, now),
        intervalStart(options.cursor ?? '0'),
        { minIdle: options.minIdle, count: options.count ?? 100, justId: options.justId ?? false },
        (_, cursor, deliveries, idle) => void claimed.push(new Delivery(cursor, deliveries, idle)),
      )
      return { next: next.toString(), deliveries: claimed, deleted: deleted.map(String) }
    })
  }

  pending(
    stream: string,
    group: string,
    options: { from?: string; to?: string; count: number; consumer?: string; minIdle?: number },
  ): PendingDelivery[] {
    return this.#read(() => {
      const now = this.#engine.clock.now()
      const found = groupAt(this.#database, toName(stream), toName(group), now).group
      const list: PendingDelivery[] = []
      listPending(
        found,
        {
          start: intervalStart(options.from ?? '-'),
          end: intervalEnd(options.to ?? '+'),
          count: options.count,
          consumer: options.consumer === undefined ? undefined : toName(options.consumer),
          minIdle: options.minIdle,
          now,
        },
        (entry, idle) => {
          list.push({
            id: entry.id.toString(),
            consumer: toText(entry.consumer?.name ?? ''),
            idle,
            deliveries: entry.deliveryCount,
          })
        },
      )
      return list
    })
  }

  /** Answers how many were there. What groups hold of them stays pending. */
  delete(stream: string, ids: readonly string[]): number {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const found = streamAt(this.#database, key, now)
      return found === undefined ? 0 : deleteEntries(this.#engine, this.#database, key, found, ids.map(parseId))
    })
  }

  /**
   * As `delete`, with a word on what groups hold of the entries: it stays (`keep`), goes with them (`delete`), or keeps
   * those that some group has still to read or to acknowledge (`acknowledged`). One answer for each ID.
   */
  deleteReferenced(
    stream: string,
    ids: readonly string[],
    references: References,
  ): ('deleted' | 'referenced' | 'missing')[] {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const parsed = ids.map(parseId)
      const found = streamAt(this.#database, key, now)
      if (found === undefined) return ids.map(() => 'missing')
      const outcomes = deleteWithReferences(this.#engine, this.#database, key, found, parsed, references)
      return outcomes.map((outcome) => (outcome === 1 ? 'deleted' : outcome === 2 ? 'referenced' : 'missing'))
    })
  }

  /**
   * Gives deliveries back: nobody's, to be claimed by anybody at once. SILENT takes one off the delivery count, FAIL
   * leaves it, FATAL makes it the highest; `deliveries` sets it. Answers how many were somebody's.
   */
  giveBack(
    stream: string,
    group: string,
    ids: readonly string[],
    mode: NackMode,
    options: { deliveries?: number } = {},
  ): number {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const parsed = ids.map(parseId)
      const found = streamAt(this.#database, key, now)
      const held = found?.groups.get(toName(group))
      if (found === undefined || held === undefined) return 0
      return giveBack(this.#engine, this.#database, key, found, held, parsed, mode, options)
    })
  }

  /** Answers how many went. */
  trim(stream: string, request: TrimRequest): number {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const found = streamAt(this.#database, key, now)
      return found === undefined ? 0 : trimStream(this.#engine, this.#database, key, found, trimOf(request))
    })
  }

  /** False when the group exists. `start`: `$` = behind what is there now, or an ID. */
  createGroup(
    stream: string,
    group: string,
    start: string,
    options: { makeStream?: boolean; entriesRead?: number } = {},
  ): boolean {
    return this.#change(true, (now) => {
      const key = toName(stream)
      const id = start === '$' ? undefined : parseId(start)
      const found =
        options.makeStream === true
          ? streamOrNew(this.#engine, this.#database, key, now)
          : streamAt(this.#database, key, now)
      if (found === undefined) throw new CommandError('ERR no such key')
      return createGroup(
        this.#engine,
        this.#database,
        key,
        found,
        toName(group),
        id ?? found.lastId.clone(),
        options.entriesRead,
      )
    })
  }

  setGroup(stream: string, group: string, id: string, options: { entriesRead?: number } = {}): void {
    this.#change(false, (now) => {
      const key = toName(stream)
      const found = groupAt(this.#database, key, toName(group), now)
      const position = id === '$' ? found.stream.lastId : parseId(id)
      moveGroup(this.#engine, this.#database, key, found.group, position, options.entriesRead)
    })
  }

  destroyGroup(stream: string, group: string): boolean {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const found = streamAt(this.#database, key, now)
      return found !== undefined && destroyGroup(this.#engine, this.#database, key, found, toName(group))
    })
  }

  /** False when the consumer exists. */
  createConsumer(stream: string, group: string, consumer: string): boolean {
    return this.#change(false, (now) => {
      const found = groupAt(this.#database, toName(stream), toName(group), now)
      if (found.group.consumers.has(toName(consumer))) return false
      consumerOf(this.#engine, this.#database, toName(stream), found.group, toName(consumer), now)
      return true
    })
  }

  /** Answers how many pending entries went with it. */
  removeConsumer(stream: string, group: string, consumer: string): number {
    return this.#change(false, (now) => {
      const key = toName(stream)
      const found = groupAt(this.#database, key, toName(group), now)
      return removeConsumer(this.#engine, this.#database, key, found.group, toName(consumer))
    })
  }

  /** Null when there is no such stream. */
  info(stream: string) {
    const found = this.#stream(stream)
    if (found === undefined) return null
    return {
      length: found.length,
      firstId: found.length === 0 ? null : found.firstId.toString(),
      lastId: found.lastId.toString(),
      maxDeletedId: found.maxDeletedId.toString(),
      entriesAdded: found.entriesAdded,
      groups: found.groups.size,
      /** Bytes. */
      memory: memoryOf(found),
    }
  }

  /** In byte order of the name; empty when there is no such stream. */
  groups(stream: string) {
    const found = this.#stream(stream)
    const first = new PendingEntry()
    const now = this.#engine.clock.now()
    return (found?.sortedGroups() ?? []).map((group) => {
      const oldest = group.pending.oldestDelivery()
      return {
        name: toText(group.name),
        consumers: group.consumers.size,
        pending: group.pending.size,
        lastDeliveredId: group.lastId.toString(),
        /** Null = unknown. */
        entriesRead: group.entriesRead === -1 ? null : group.entriesRead,
        /** Entries not delivered yet; null = unknown. */
        lag: (found as Stream).lag(group),
        oldestPendingId: group.pending.first(first) ? first.id.toString() : null,
        /** ms since the oldest delivery that is still pending. */
        oldestPendingIdle: oldest === null ? null : Math.max(now - oldest, 0),
      }
    })
  }

  /** In byte order of the name. */
  consumers(stream: string, group: string) {
    return this.#read(() => {
      const now = this.#engine.clock.now()
      const found = groupAt(this.#database, toName(stream), toName(group), now).group
      return found.sortedConsumers().map((consumer) => ({
        name: toText(consumer.name),
        pending: consumer.pending,
        /** ms since it last asked for anything. */
        idle: Math.max(now - consumer.seenTime, 0),
        /** ms since it last got anything; null = never. */
        inactive: consumer.activeTime < 0 ? null : Math.max(now - consumer.activeTime, 0),
      }))
    })
  }

  #stream(name: string): Stream | undefined {
    return this.#read(() => streamAt(this.#database, toName(name), this.#engine.clock.now()))
  }

  #reading(stream: string, group: string, consumer: string, now: number): Reading {
    const engine = this.#engine
    const database = this.#database
    const key = toName(stream)
    const found = groupAt(database, key, toName(group), now)
    const owner = consumerOf(engine, database, key, found.group, toName(consumer), now)
    return { engine, database, key, stream: found.stream, group: found.group, consumer: owner, now }
  }

  #resolve(after: ReadonlyMap<string, string>): Map<string, EntryId> {
    const positions = new Map<string, EntryId>()
    for (const [stream, id] of after) {
      positions.set(stream, id === '$' ? (this.#stream(stream)?.lastId.clone() ?? EntryId.zero()) : parseId(id))
    }
    return positions
  }

  #readAfter(positions: ReadonlyMap<string, EntryId>, count = Number.POSITIVE_INFINITY): StreamEntries[] {
    const found: StreamEntries[] = []
    for (const [stream, position] of positions) {
      const source = this.#stream(stream)
      if (source === undefined || source.lastId.compare(position) <= 0) continue
      const start = position.clone()
      if (!start.increment()) continue
      const cursor = source.cursor()
      cursor.seek(start)
      const entries: Entry[] = []
      while (entries.length < count && cursor.next()) entries.push(new Entry(cursor))
      if (entries.length > 0) found.push({ stream, entries })
    }
    return found
  }

  #deliver(
    streams: readonly string[],
    group: string,
    consumer: string,
    { count = 0, noAck = false }: { count?: number; noAck?: boolean },
    now: number,
  ): GroupEntries[] {
    for (const stream of streams) groupAt(this.#database, toName(stream), toName(group), now)
    const found: GroupEntries[] = []
    for (const stream of streams) {
      const reading = this.#reading(stream, group, consumer, now)
      if (!hasNew(reading.stream, reading.group)) continue
      const entries: Delivery[] = []
      deliverNew(reading, count, noAck, unlimited(), (cursor) => void entries.push(new Delivery(cursor, 1, 0)))
      if (entries.length > 0) found.push({ stream, entries })
    }
    return found
  }

  /** Tries at once, and again whenever one of the streams changes. */
  #wait<T>(
    streams: readonly string[],
    group: string | undefined,
    { block = 0, signal }: WaitOptions,
    attempt: (now: number) => T[],
  ): Promise<T[]> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return resolve([])
      const found = this.#change(false, attempt)
      if (found.length > 0 || block <= 0) return resolve(found)
      const leave = () => {
        reader.end()
        resolve([])
      }
      const reader = this.#engine.blocked.park({
        database: this.#database.index,
        keys: streams.map(toName),
        group: group === undefined ? undefined : toName(group),
        timeout: block,
        session: undefined,
        attempt: (now) => {
          try {
            const late = attempt(now)
            if (late.length === 0) return false
            resolve(late)
          } catch (error) {
            // Who reads without a group goes on waiting while something else stands at the key.
            if (group === undefined && error instanceof EngineError) return false
            reject(error instanceof CommandError ? new EngineError(error.text) : error)
          }
          signal?.removeEventListener('abort', leave)
          return true
        },
        expire: () => {
          signal?.removeEventListener('abort', leave)
          resolve([])
        },
        refuse: () => {
          signal?.removeEventListener('abort', leave)
          resolve([])
        },
      })
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  #read<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw error instanceof CommandError ? new EngineError(error.text) : error
    }
  }

  /** `growing`: refused when memory is short, as commands with denyoom are. */
  #change<T>(growing: boolean, run: (now: number) => T): T {
    const engine = this.#engine
    const { maxmemory } = engine.config
    if (growing && maxmemory > 0 && engine.usedMemory() > maxmemory) {
      throw new EngineError("OOM command not allowed when used memory > 'maxmemory'.")
    }
    const failure = engine.log?.failure
    if (failure !== undefined) throw new EngineError(`MISCONF Errors writing to the AOF file: ${failure.message}`)
    try {
      return run(engine.clock.now())
    } catch (error) {
      throw error instanceof CommandError ? new EngineError(error.text) : error
    } finally {
      if (engine.blocked.due) engine.settle()
    }
  }
}

function parseId(text: string): EntryId {
  const id = EntryId.parse(text)
  if (id === undefined) throw new CommandError('ERR Invalid stream ID specified as stream command argument')
  return id
}

function trimOf(request: TrimRequest): Trim {
  const { maxLength, minId, approximate = false, limit } = request
  if ((maxLength === undefined) === (minId === undefined)) {
    throw new CommandError('ERR a trim needs either maxLength or minId')
  }
  if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 0)) {
    throw new CommandError('ERR The MAXLEN argument must be >= 0.')
  }
  return {
    maxLength,
    minId: minId === undefined ? undefined : parseId(minId),
    approximate,
    limit: approximate ? limit : undefined,
    references: request.references ?? 'keep',
  }
}
