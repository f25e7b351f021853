import { CommandError } from '../engine/commands/command.js'
import { deleteFields, setFields } from '../engine/commands/hashes.js'
import { hashAt } from '../engine/commands/values.js'
import type { Engine } from '../engine/engine.js'
import { EngineError } from '../engine/errors.js'
import * as appending from '../engine/steps/append.js'
import type { HeldDelivery, StepContext } from '../engine/steps/context.js'
import * as deliveries from '../engine/steps/deliveries.js'
import { pack, unpack, wireOf } from '../engine/steps/fields.js'
import * as groupSteps from '../engine/steps/groups.js'
import * as scheduling from '../engine/steps/schedule.js'
import { trim } from '../engine/steps/trim.js'
import type { Cursor } from '../engine/stream/cursor.js'
import { EntryId } from '../engine/stream/entry-id.js'
import { readFields, toName, toText } from '../engine/wire.js'
import {
  checkpointKey,
  missingKey,
  onceKey,
  registerKey,
  scheduledKey,
  scheduleKey,
  sequenceKey,
  trimmedKey,
} from '../runtime/keys.js'
import type {
  Appended,
  AppendOptions,
  Channels,
  ConsumerInfo,
  Delivery,
  Durability,
  Entry,
  Fields,
  GroupInfo,
  Held,
  PendingDelivery,
  Scheduled,
  ScheduledEntry,
  StoreEvent,
  StoreFacts,
  StreamEntries,
  StreamInfo,
  StreamStore,
  Subscription,
  TrimRequest,
} from '../runtime/store.js'
import { StoreError } from '../runtime/store.js'
import { scheduledAnswer } from './functions/schedule.js'
import { codeOf } from './reply-codes.js'

/** Opens the engine of a store that owns one. */
export type OpenEngine = () => Promise<Engine>

/**
 * The engine in this process. Every call is applied at once, in the order of the calls, and resolves when the log has it;
 * reads resolve when what they saw is in the log. Entries are views into the engine's memory, which is never rewritten.
 */
export class EmbeddedStore implements StreamStore {
  readonly channels: Channels
  private engine: Engine | undefined
  private closing: Promise<void> | undefined
  private failing = false
  private readonly waits = new Set<AbortController>()
  private readonly listeners: ((event: StoreEvent) => void)[] = []
  private readonly subscriptions = new Set<() => void>()
  private readonly underWay = new Set<Promise<unknown>>()

  constructor(
    readonly address: string,
    /** An engine that somebody else opened and closes, or how to open one. */
    private readonly source: Engine | OpenEngine,
    private readonly version: string,
  ) {
    this.channels = {
      publish: async (channel, message) => {
        const payload = typeof message === 'string' ? Buffer.from(message) : message
        return this.opened().pubsub.publish(toName(channel), payload)
      },
      subscribe: async (selection, listener) => this.subscribe(selection, listener),
    }
  }

  async open(): Promise<StoreFacts> {
    try {
      this.engine = typeof this.source === 'function' ? await this.source() : this.source
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new StoreError('CONNECTION', `cannot open ${this.address}: ${reason}`, 'none', { cause: error })
    }
    const { config, log } = this.engine
    const policy = config.appendfsync === 'always' || config.appendfsync === 'everysec' ? config.appendfsync : 'unknown'
    this.emit({ type: 'connected' })
    const durability = log === undefined ? 'memory' : policy
    return { kind: 'embedded', version: this.version, cluster: false, durability, warnings: [] }
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      for (const wait of this.waits) wait.abort()
      for (const end of this.subscriptions) end()
      await Promise.allSettled(this.underWay)
      if (typeof this.source === 'function') await this.engine?.close()
    })()
    return this.closing
  }

  onEvent(listener: (event: StoreEvent) => void): void {
    this.listeners.push(listener)
  }

  // Writing

  append(stream: string, fields: Fields, options: AppendOptions = {}): Promise<Appended> {
    return this.change(true, (context) => {
      checkFields(fields)
      const key = toName(stream)
      const { once, sequence, bound } = options
      if (once === undefined && sequence === undefined && bound === undefined) {
        return { id: appending.appendEntry(context, key, wireOf(fields)).toString(), duplicate: false }
      }
      const appended = appending.append(context, key, wireOf(fields), {
        once: once && { mark: toName(onceKey(stream, once.id)), window: once.window },
        sequence:
          sequence === undefined ? undefined : { counters: toName(sequenceKey(stream)), name: toName(sequence) },
        maxLength: bound?.maxLength,
        maxLag: bound?.maxLag,
      })
      const { id, duplicate } = appended
      return sequence === undefined ? { id, duplicate } : { id, duplicate, sequence: appended.sequence }
    })
  }

  schedule(
    stream: string,
    fields: Fields,
    { due, key, once }: { due: number; key: string; once?: { window: number } },
  ): Promise<Scheduled> {
    return this.change(true, (context) => {
      checkFields(fields)
      const later = { ...scheduleOf(stream), due, name: toName(key), packed: pack(fields) }
      const mark = once && { mark: toName(onceKey(stream, key)), window: once.window }
      return scheduledAnswer(scheduling.schedule(context, { ...later, once: mark }))
    })
  }

  unschedule(stream: string, key: string): Promise<boolean> {
    return this.change(false, (context) =>
      scheduling.unschedule(context, scheduleOf(stream), toName(key), toName(onceKey(stream, key))),
    )
  }

  promote(stream: string, limit: number): Promise<{ promoted: number; nextDue: number | null; waiting: number }> {
    return this.change(true, (context) => scheduling.promote(context, toName(stream), scheduleOf(stream), limit))
  }

  remove(stream: string, ids: readonly string[]): Promise<number> {
    return this.change(false, () => (ids.length === 0 ? 0 : this.opened().streams.delete(stream, ids)))
  }

  trim(stream: string, options: TrimRequest): Promise<{ removed: number; unread: number; length: number }> {
    const bounded = options.maxLength !== undefined || options.minId !== undefined
    return this.change(false, (context) => {
      if (!bounded && !options.acknowledged) {
        return { removed: 0, unread: 0, length: this.opened().streams.length(stream) }
      }
      return trim(context, keysOf(stream), {
        maxLength: options.maxLength,
        minId: options.minId === undefined ? undefined : parseId(options.minId),
        force: bounded && options.force === true,
        limit: options.limit ?? Number.POSITIVE_INFINITY,
      })
    })
  }

  async confirming(_stream: string, durability: Exclude<Durability, 'memory'>): Promise<() => Promise<void>> {
    const { log } = this.opened()
    if (durability !== 'disk') throw new StoreError('REFUSED', `${this.address} has no replicas.`, 'none')
    if (log === undefined) throw new StoreError('REFUSED', `${this.address} keeps nothing on disk.`, 'none')
    return () => log.sync().catch((error) => Promise.reject(this.failed(error, 'unknown')))
  }

  // Reading

  range(
    stream: string,
    from: string,
    to: string,
    options: { count?: number; reverse?: boolean } = {},
  ): Promise<Entry[]> {
    return this.look(() => this.opened().streams.range(stream, from, to, options))
  }

  read(
    after: ReadonlyMap<string, string>,
    { count, block = 0, signal }: { count?: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    return this.wait(signal, (ended) => this.opened().streams.waitRead(after, { count, block, signal: ended }))
  }

  // Groups

  ensureGroup(stream: string, group: string, start: string): Promise<boolean> {
    return this.change(true, (context) => groupSteps.ensureGroup(context, keysOf(stream), toName(group), start))
  }

  checkpoint(stream: string, group: string, id: string): Promise<void> {
    return this.change(true, (context) => {
      groupSteps.checkpoint(context, keysOf(stream).checkpoints, toName(group), id)
    })
  }

  setGroup(stream: string, group: string, id: string): Promise<void> {
    return this.change(false, (context) => groupSteps.setGroup(context, keysOf(stream), toName(group), id))
  }

  removeGroup(stream: string, group: string): Promise<boolean> {
    return this.change(false, (context) => groupSteps.removeGroup(context, keysOf(stream), toName(group)))
  }

  readGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    { count, block = 0, signal }: { count: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    return this.wait(signal, (ended) =>
      this.opened().streams.waitReadGroup(streams, group, consumer, { count, block, signal: ended }),
    )
  }

  settle(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<string[]> {
    return this.change(false, (context) =>
      held.length === 0
        ? []
        : deliveries.settle(context, holderOf(stream, group, consumer), held.map(heldOf)).map(String),
    )
  }

  heartbeat(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<string[]> {
    return this.change(false, (context) =>
      held.length === 0
        ? []
        : deliveries.heartbeat(context, holderOf(stream, group, consumer), held.map(heldOf)).map(String),
    )
  }

  claim(
    stream: string,
    group: string,
    consumer: string,
    { minIdle, count, cursor = '0-0' }: { minIdle: number; count: number; cursor?: string },
  ): Promise<{ next: string; deliveries: Delivery[]; deleted: string[] }> {
    return this.change(false, (context) => {
      const taken: Delivery[] = []
      const holder = holderOf(stream, group, consumer)
      const range = { minIdle, count, from: parseId(cursor) }
      const { next, deleted } = deliveries.claim(context, holder, range, collect(taken))
      return { next: next?.toString() ?? '0-0', deliveries: taken, deleted: deleted.map(String) }
    })
  }

  claimIds(
    stream: string,
    group: string,
    consumer: string,
    ids: readonly string[],
    minIdle: number,
  ): Promise<Delivery[]> {
    return this.change(false, (context) => {
      const taken: Delivery[] = []
      if (ids.length === 0) return taken
      deliveries.claimIds(context, holderOf(stream, group, consumer), ids.map(parseId), minIdle, collect(taken))
      return taken
    })
  }

  release(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<void> {
    return this.change(false, (context) => {
      if (held.length > 0) deliveries.release(context, holderOf(stream, group, consumer), held.map(heldOf))
    })
  }

  deadLetter(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    target: { stream: string; fields: Fields },
  ): Promise<string | null> {
    return this.change(true, (context) => {
      checkFields(target.fields)
      const letter = { key: toName(target.stream), fields: wireOf(target.fields) }
      return deliveries.deadLetter(context, holderOf(stream, group, consumer), heldOf(delivery), letter) ?? null
    })
  }

  reschedule(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    { due, key, fields }: { due: number; key: string; fields: Fields },
  ): Promise<boolean> {
    return this.change(true, (context) => {
      checkFields(fields)
      const later = { ...scheduleOf(stream), due, name: toName(key), packed: pack(fields) }
      return deliveries.reschedule(context, holderOf(stream, group, consumer), heldOf(delivery), later)
    })
  }

  redrive(
    deadStream: string,
    target: string,
    letters: readonly { id: string; fields: Fields }[],
  ): Promise<(string | null)[]> {
    return this.change(true, (context) => {
      for (const { fields } of letters) checkFields(fields)
      return letters.map(({ id, fields }) => {
        const letter = { id: parseId(id), fields: wireOf(fields) }
        return scheduling.redrive(context, toName(deadStream), toName(target), letter) ?? null
      })
    })
  }

  removeConsumer(stream: string, group: string, consumer: string): Promise<boolean> {
    return this.change(false, (context) =>
      groupSteps.removeConsumer(context, toName(stream), toName(group), toName(consumer)),
    )
  }

  pending(stream: string, group: string, options: Parameters<StreamStore['pending']>[2]): Promise<PendingDelivery[]> {
    return this.look(() => this.opened().streams.pending(stream, group, options))
  }

  // Facts

  info(stream: string): Promise<StreamInfo | null> {
    return this.look((context) => groupSteps.info(context, keysOf(stream)) ?? null)
  }

  groups(stream: string): Promise<GroupInfo[]> {
    return this.look((context) =>
      groupSteps.groups(context, keysOf(stream)).map((group) => ({
        ...group,
        name: toText(group.name),
        entriesRead: group.entriesRead < 0 ? null : group.entriesRead,
      })),
    )
  }

  consumers(stream: string, group: string): Promise<ConsumerInfo[]> {
    return this.look(() => this.opened().streams.consumers(stream, group))
  }

  scheduled(stream: string): Promise<{ waiting: number; nextDue: number | null }> {
    return this.look((context) => {
      const { waiting, nextDue } = scheduling.promote(context, toName(stream), scheduleOf(stream), 0)
      return { waiting, nextDue }
    })
  }

  scheduledEntries(stream: string, offset: number, count: number): Promise<ScheduledEntry[]> {
    return this.look((context) =>
      scheduling.scheduledEntries(context, scheduleOf(stream), offset, count).map(({ name, due, packed }) => ({
        key: toText(name),
        due,
        fields: unpack(packed),
      })),
    )
  }

  register(register: string, name: string, record: string): Promise<void> {
    return this.change(true, ({ engine, database, now }) => {
      setFields(engine, database, toName(registerKey(register)), [[toName(name), toName(record)]], now)
    })
  }

  unregister(register: string, name: string): Promise<void> {
    return this.change(false, ({ engine, database, now }) => {
      deleteFields(engine, database, toName(registerKey(register)), [toName(name)], now)
    })
  }

  registered(register: string): Promise<Map<string, string>> {
    return this.look(({ database, now }) => {
      const hash = hashAt(database, toName(registerKey(register)), now)
      const records = new Map<string, string>()
      for (const name of hash?.fields ?? []) records.set(toText(name), toText(hash?.get(name) ?? ''))
      return records
    })
  }

  sequences(stream: string, names: readonly string[]): Promise<number[]> {
    return this.look(({ database, now }) => {
      const hash = hashAt(database, toName(sequenceKey(stream)), now)
      return names.map((name) => Number(hash?.get(toName(name)) ?? 0))
    })
  }

  async ping(): Promise<void> {
    const { failure } = this.opened()
    if (failure !== undefined) throw this.failed(failure, 'none')
  }

  // How calls run

  private opened(): Engine {
    if (this.closing) throw new StoreError('CLOSED', `the store at ${this.address} is closed`, 'none')
    if (this.engine === undefined) throw new StoreError('CONNECTION', `${this.address} is not open`, 'none')
    return this.engine
  }

  private context(engine: Engine): StepContext {
    return { engine, database: engine.databases[0], now: engine.clock.now() }
  }

  /** A change: applied now, as one transaction; resolves when it is in the log. `growing`: refused when memory is short. */
  private change<T>(growing: boolean, run: (context: StepContext) => T): Promise<T> {
    let value: T
    let committed: Promise<void> | undefined
    try {
      const engine = this.opened()
      if (engine.failure !== undefined) throw this.failed(engine.failure, 'none')
      const { maxmemory } = engine.config
      if (growing && maxmemory > 0 && engine.usedMemory() > maxmemory) {
        throw new StoreError('UNAVAILABLE', `${this.address} holds more than maxmemory (${maxmemory} bytes)`, 'none')
      }
      value = engine.apply(() => run(this.context(engine)))
      committed = engine.committed()
    } catch (error) {
      return Promise.reject(this.refused(error))
    }
    return committed === undefined ? Promise.resolve(value) : this.durable(committed, value)
  }

  private async look<T>(run: (context: StepContext) => T): Promise<T> {
    let value: T
    let committed: Promise<void> | undefined
    try {
      const engine = this.opened()
      value = run(this.context(engine))
      committed = engine.committed()
    } catch (error) {
      throw this.refused(error)
    }
    return committed === undefined ? value : this.durable(committed, value)
  }

  private async durable<T>(committed: Promise<void>, value: T): Promise<T> {
    this.underWay.add(committed)
    try {
      await committed
      this.recovered()
      return value
    } catch (error) {
      throw this.failed(error, 'unknown')
    } finally {
      this.underWay.delete(committed)
    }
  }

  private async wait<T>(signal: AbortSignal | undefined, read: (ended: AbortSignal) => Promise<T[]>): Promise<T[]> {
    const ended = new AbortController()
    const end = () => ended.abort()
    if (signal?.aborted) return []
    signal?.addEventListener('abort', end, { once: true })
    this.waits.add(ended)
    try {
      const reading = read(ended.signal)
      this.underWay.add(reading)
      const found = await reading.finally(() => this.underWay.delete(reading))
      const committed = this.engine?.committed()
      return committed === undefined ? found : await this.durable(committed, found)
    } catch (error) {
      throw this.refused(error)
    } finally {
      signal?.removeEventListener('abort', end)
      this.waits.delete(ended)
    }
  }

  private subscribe(
    { channels = [], patterns = [] }: { channels?: readonly string[]; patterns?: readonly string[] },
    listener: (message: Buffer, channel: string) => void,
  ): Subscription {
    const selection = { channels: channels.map(toName), patterns: patterns.map(toName) }
    const end = this.opened().pubsub.subscribe(selection, (channel, payload) => listener(payload, toText(channel)))
    this.subscriptions.add(end)
    return {
      close: async () => {
        this.subscriptions.delete(end)
        end()
      },
    }
  }

  private refused(error: unknown): unknown {
    if (error instanceof CommandError || error instanceof EngineError) {
      return new StoreError(codeOf(error.text), `${this.address} answered: ${error.text}`, 'none', { cause: error })
    }
    return error
  }

  /** The log refuses writes: said once when it begins, and `connected` says when it is over. */
  private failed(error: unknown, outcome: 'none' | 'unknown'): StoreError {
    const reason = error instanceof Error ? error.message : String(error)
    const failure = new StoreError('UNAVAILABLE', `${this.address} cannot write its log: ${reason}`, outcome, {
      cause: error,
    })
    if (!this.failing) this.emit({ type: 'disconnected', error: failure })
    this.failing = true
    return failure
  }

  private recovered(): void {
    if (!this.failing) return
    this.failing = false
    this.emit({ type: 'connected' })
  }

  private emit(event: StoreEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

function keysOf(stream: string): { key: string; checkpoints: string; trimmed: string } {
  const trimmed = toName(trimmedKey(stream))
  return { key: toName(stream), checkpoints: toName(checkpointKey(stream)), trimmed }
}

function scheduleOf(stream: string): scheduling.ScheduleKeys {
  return { schedule: toName(scheduleKey(stream)), scheduled: toName(scheduledKey(stream)) }
}

function holderOf(stream: string, group: string, consumer: string): deliveries.Holder {
  return {
    key: toName(stream),
    group: toName(group),
    consumer: toName(consumer),
    missing: toName(missingKey(stream)),
  }
}

function heldOf({ id, deliveries: count }: Held): HeldDelivery {
  return { id: parseId(id), deliveries: count }
}

function collect(taken: Delivery[]): deliveries.Emit {
  return (id: EntryId, { bytes, start, end }: Cursor, count: number, idle: number) => {
    taken.push({ id: id.toString(), fields: readFields(bytes, start, end), deliveries: count, idle })
  }
}

function parseId(text: string): EntryId {
  const id = EntryId.parse(text)
  if (id === undefined) throw new StoreError('REFUSED', `"${text}" is no entry ID (ms-seq)`, 'none')
  return id
}

function checkFields(fields: Fields): void {
  if (fields.length === 0 || fields.length % 2 !== 0) {
    throw new StoreError('REFUSED', `an entry needs names and values in turn; got ${fields.length} strings`, 'none')
  }
}
