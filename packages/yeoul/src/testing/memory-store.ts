import type { Clock, Timer } from '../runtime/clock.js'
import { missingKey } from '../runtime/keys.js'
import {
  type Appended,
  type AppendOptions,
  type Channels,
  type ConsumerInfo,
  type Delivery,
  type Entry,
  type Fields,
  type GroupInfo,
  type Held,
  type PendingDelivery,
  type Scheduled,
  type ScheduledEntry,
  StoreError,
  type StoreEvent,
  type StoreFacts,
  type StreamEntries,
  type StreamInfo,
  type StreamStore,
  type Subscription,
  type TrimRequest,
} from '../runtime/store.js'

interface PendingMark {
  consumer: string
  deliveries: number
  deliveredAt: number
}

interface FakeGroup {
  last: string
  read: number
  pending: Map<string, PendingMark>
  consumers: Map<string, { seenAt: number; activeAt: number | null }>
}

interface FakeStream {
  entries: Entry[]
  last: string
  added: number
  maxDeleted: string
  trimmed: { removed: number; below: string | null; forcedBelow: string | null }
  groups: Map<string, FakeGroup>
}

interface Parked {
  wake: () => void
}

/** Far in the past: what was handed back is idle for longer than any visibility timeout. */
const RELEASED = Number.NEGATIVE_INFINITY

/**
 * The StreamStore contract in the plainest way, for tests of the runtime on a virtual clock: arrays and maps, several "processes"
 * share one `World`, and the next calls of a method can be made to fail.
 */
export class World {
  readonly streams = new Map<string, FakeStream>()
  readonly scheduled = new Map<string, Map<string, { due: number; fields: Buffer[] }>>()
  readonly once = new Map<string, { appended: Appended; until: number }>()
  readonly sequences = new Map<string, number>()
  readonly checkpoints = new Map<string, string>()
  readonly registers = new Map<string, Map<string, string>>()
  readonly listeners = new Set<{
    channels: ReadonlySet<string>
    listener: (message: Buffer, channel: string) => void
  }>()
  readonly parked = new Set<Parked>()

  constructor(readonly clock: Clock) {}

  wake(): void {
    for (const parked of [...this.parked]) parked.wake()
  }

  stream(name: string): FakeStream {
    let stream = this.streams.get(name)
    if (!stream) {
      stream = { entries: [], last: '0-0', added: 0, maxDeleted: '0-0', trimmed: neverTrimmed(), groups: new Map() }
      this.streams.set(name, stream)
    }
    return stream
  }

  append(name: string, fields: Fields): string {
    const stream = this.stream(name)
    const [ms, sequence] = split(stream.last)
    const now = this.clock.now()
    const id = now > ms ? `${now}-0` : `${ms}-${sequence + 1}`
    stream.entries.push({ id, fields: fields.map((field) => Buffer.from(field as string)) })
    stream.last = id
    stream.added++
    this.wake()
    return id
  }
}

export class MemoryStore implements StreamStore {
  readonly address = 'fake:'
  readonly channels: Channels
  /** Errors that the next calls of a method reject with, before anything happens. */
  readonly failures = new Map<keyof StreamStore, StoreError[]>()
  /** Calls per method. */
  readonly calls = new Map<keyof StreamStore, number>()
  private readonly eventListeners: ((event: StoreEvent) => void)[] = []
  private closed = false

  constructor(readonly world: World) {
    this.channels = new FakeChannels(world)
  }

  fail(method: keyof StreamStore, ...errors: StoreError[]): void {
    this.failures.set(method, [...(this.failures.get(method) ?? []), ...errors])
  }

  emit(event: StoreEvent): void {
    for (const listener of this.eventListeners) listener(event)
  }

  async open(): Promise<StoreFacts> {
    return { kind: 'embedded', version: 'fake', cluster: false, durability: 'memory', warnings: [] }
  }

  async close(): Promise<void> {
    this.closed = true
    this.world.wake()
  }

  async append(name: string, fields: Fields, options: AppendOptions = {}): Promise<Appended> {
    this.begin('append')
    const { once, sequence, bound } = options
    const onceKey = once && `${name} ${once.id}`
    if (onceKey !== undefined) {
      const seen = this.world.once.get(onceKey)
      if (seen && seen.until > this.now) return { ...seen.appended, duplicate: true }
    }
    const stream = this.world.stream(name)
    if (bound?.maxLength !== undefined && stream.entries.length >= bound.maxLength) throw full(name)
    if (bound?.maxLag !== undefined) {
      for (const group of stream.groups.values()) {
        const waiting = stream.entries.filter((entry) => compare(entry.id, group.last) > 0).length + group.pending.size
        if (waiting >= bound.maxLag) throw full(name)
      }
    }
    const appended: Appended = { id: '', duplicate: false }
    let all = fields
    if (sequence !== undefined) {
      const key = `${name} ${sequence}`
      appended.sequence = (this.world.sequences.get(key) ?? 0) + 1
      this.world.sequences.set(key, appended.sequence)
      all = [...fields, '_seq', String(appended.sequence)]
    }
    appended.id = this.world.append(name, all)
    if (once && onceKey !== undefined) this.world.once.set(onceKey, { appended, until: this.now + once.window })
    return appended
  }

  async schedule(
    name: string,
    fields: Fields,
    options: { due: number; key: string; once?: { window: number } },
  ): Promise<Scheduled> {
    this.begin('schedule')
    const { due, key, once } = options
    const mark = `${name} ${key}`
    const seen = once && this.world.once.get(mark)
    if (seen && seen.until > this.now) {
      const { id } = seen.appended
      return id.startsWith('@')
        ? { duplicate: true, id: null, due: Number(id.slice(1)) }
        : { duplicate: true, id, due: null }
    }
    this.putAside(name, fields, options)
    if (once) {
      const until = Math.max(due, this.now) + once.window
      this.world.once.set(mark, { appended: { id: `@${due}`, duplicate: false }, until })
    }
    return { duplicate: false, id: null, due: null }
  }

  async scheduledEntries(name: string, offset: number, count: number): Promise<ScheduledEntry[]> {
    this.begin('scheduledEntries')
    return [...(this.world.scheduled.get(name) ?? [])]
      .map(([key, { due, fields }]) => ({ key, due, fields }))
      .sort((a, b) => a.due - b.due)
      .slice(offset, offset + count)
  }

  async unschedule(name: string, key: string): Promise<boolean> {
    this.begin('unschedule')
    const removed = this.world.scheduled.get(name)?.delete(key) ?? false
    if (removed && this.world.once.get(`${name} ${key}`)?.appended.id.startsWith('@')) {
      this.world.once.delete(`${name} ${key}`)
    }
    return removed
  }

  async promote(name: string, limit: number) {
    this.begin('promote')
    const waiting = this.world.scheduled.get(name) ?? new Map()
    const due = [...waiting]
      .filter(([, entry]) => entry.due <= this.now)
      .sort((a, b) => a[1].due - b[1].due)
      .slice(0, limit)
    for (const [key, entry] of due) {
      waiting.delete(key)
      this.world.append(name, entry.fields)
    }
    return { promoted: due.length, ...nextOf(waiting) }
  }

  async remove(name: string, ids: readonly string[]): Promise<number> {
    this.begin('remove')
    const stream = this.world.stream(name)
    const gone = new Set(ids)
    const before = stream.entries.length
    stream.entries = stream.entries.filter((entry) => !gone.has(entry.id))
    return before - stream.entries.length
  }

  async trim(name: string, options: TrimRequest) {
    this.begin('trim')
    const stream = this.world.stream(name)
    const groups = [...stream.groups.values()]
    const handled = (id: string) =>
      groups.length > 0 && groups.every((group) => compare(id, group.last) <= 0 && !group.pending.has(id))
    const bounded = options.maxLength !== undefined || options.minId !== undefined
    let removed = 0
    let unread = 0
    while (stream.entries.length > 0 && removed < (options.limit ?? Number.POSITIVE_INFINITY)) {
      const { id } = stream.entries[0]
      const over =
        (options.maxLength !== undefined && stream.entries.length > options.maxLength) ||
        (options.minId !== undefined && compare(id, options.minId) < 0)
      if (bounded && !over) break
      if (!handled(id)) {
        if (!options.force) break
        unread++
      }
      stream.entries.shift()
      removed++
    }
    if (removed > 0) {
      const [ms, sequence] = split(stream.last)
      const below = stream.entries[0]?.id ?? `${ms}-${sequence + 1}`
      stream.trimmed.removed += removed
      stream.trimmed.below = below
      if (unread > 0) stream.trimmed.forcedBelow = below
    }
    return { removed, unread, length: stream.entries.length }
  }

  async confirming(): Promise<() => Promise<void>> {
    this.begin('confirming')
    throw new StoreError('REFUSED', 'fake: keeps nothing on disk and has no replicas.', 'none')
  }

  async range(name: string, from: string, to: string, options: { count?: number; reverse?: boolean } = {}) {
    this.begin('range')
    const found = (this.world.streams.get(name)?.entries ?? []).filter(
      (entry) => above(entry.id, from) && below(entry.id, to),
    )
    if (options.reverse) found.reverse()
    return found.slice(0, options.count ?? found.length)
  }

  async read(
    after: ReadonlyMap<string, string>,
    options: { count?: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    this.begin('read')
    const ends = new Map([...after].map(([name, id]) => [name, id === '$' ? this.world.stream(name).last : id]))
    return this.waitFor(options, () => {
      const found: StreamEntries[] = []
      for (const [stream, id] of ends) {
        const entries = (this.world.streams.get(stream)?.entries ?? []).filter((entry) => compare(entry.id, id) > 0)
        if (entries.length > 0) found.push({ stream, entries: entries.slice(0, options.count ?? entries.length) })
      }
      return found
    })
  }

  async ensureGroup(name: string, group: string, start: string): Promise<boolean> {
    this.begin('ensureGroup')
    const stream = this.world.stream(name)
    if (stream.groups.has(group)) return false
    const last = this.world.checkpoints.get(`${name} ${group}`) ?? (start === '$' ? stream.last : whole(start))
    stream.groups.set(group, { last, read: 0, pending: new Map(), consumers: new Map() })
    return true
  }

  async checkpoint(name: string, group: string, id: string): Promise<void> {
    this.begin('checkpoint')
    const key = `${name} ${group}`
    const before = this.world.checkpoints.get(key)
    if (before === undefined || compare(id, before) > 0) this.world.checkpoints.set(key, id)
  }

  async setGroup(name: string, group: string, id: string): Promise<void> {
    this.begin('setGroup')
    this.group(name, group).last = id === '$' ? this.world.stream(name).last : whole(id)
  }

  async removeGroup(name: string, group: string): Promise<boolean> {
    this.begin('removeGroup')
    const removed = this.world.streams.get(name)?.groups.delete(group) ?? false
    this.world.wake()
    return removed
  }

  async readGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    options: { count: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    this.begin('readGroup')
    return this.waitFor(options, () => {
      const found: StreamEntries[] = []
      for (const name of streams) {
        const state = this.group(name, group)
        this.touch(state, consumer)
        const entries = this.world
          .stream(name)
          .entries.filter((entry) => compare(entry.id, state.last) > 0)
          .slice(0, options.count)
        for (const entry of entries) {
          state.pending.set(entry.id, { consumer, deliveries: 1, deliveredAt: this.now })
          state.last = entry.id
          state.read++
        }
        if (entries.length > 0) {
          this.touch(state, consumer, true)
          found.push({ stream: name, entries })
        }
      }
      return found
    })
  }

  async settle(name: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<string[]> {
    this.begin('settle')
    const state = this.group(name, group)
    return deliveries.filter((held) => !this.take(state, consumer, held)).map((held) => held.id)
  }

  async heartbeat(name: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<string[]> {
    this.begin('heartbeat')
    const state = this.group(name, group)
    const lost: string[] = []
    for (const held of deliveries) {
      const mark = state.pending.get(held.id)
      if (owns(mark, consumer, held)) mark.deliveredAt = this.now
      else lost.push(held.id)
    }
    return lost
  }

  async claim(
    name: string,
    group: string,
    consumer: string,
    options: { minIdle: number; count: number; cursor?: string },
  ): Promise<{ next: string; deliveries: Delivery[]; deleted: string[] }> {
    this.begin('claim')
    const idle = this.idle(name, group, options.minIdle).filter(([id]) => compare(id, options.cursor ?? '0-0') >= 0)
    const taken = idle.slice(0, options.count).map(([id]) => id)
    const deliveries = this.takeOver(name, group, consumer, taken, options.minIdle)
    const found = new Set(deliveries.map((delivery) => delivery.id))
    return { next: idle[options.count]?.[0] ?? '0-0', deliveries, deleted: taken.filter((id) => !found.has(id)) }
  }

  async claimIds(name: string, group: string, consumer: string, ids: readonly string[], minIdle: number) {
    this.begin('claimIds')
    return this.takeOver(name, group, consumer, ids, minIdle)
  }

  async release(name: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<void> {
    this.begin('release')
    const state = this.group(name, group)
    for (const held of deliveries) {
      const mark = state.pending.get(held.id)
      if (!owns(mark, consumer, held)) continue
      mark.deliveries--
      mark.deliveredAt = RELEASED
    }
  }

  async deadLetter(
    name: string,
    group: string,
    consumer: string,
    delivery: Held,
    target: { stream: string; fields: Fields },
  ): Promise<string | null> {
    this.begin('deadLetter')
    if (!this.take(this.group(name, group), consumer, delivery)) return null
    return this.world.append(target.stream, target.fields)
  }

  async reschedule(
    name: string,
    group: string,
    consumer: string,
    delivery: Held,
    later: { due: number; key: string; fields: Fields },
  ): Promise<boolean> {
    this.begin('reschedule')
    if (!this.take(this.group(name, group), consumer, delivery)) return false
    this.putAside(name, later.fields, later)
    return true
  }

  async redrive(dead: string, target: string, letters: readonly { id: string; fields: Fields }[]) {
    this.begin('redrive')
    const stream = this.world.stream(dead)
    return letters.map(({ id, fields }) => {
      const at = stream.entries.findIndex((entry) => entry.id === id)
      if (at < 0) return null
      stream.entries.splice(at, 1)
      return this.world.append(target, fields)
    })
  }

  async removeConsumer(name: string, group: string, consumer: string): Promise<boolean> {
    this.begin('removeConsumer')
    const state = this.world.streams.get(name)?.groups.get(group)
    if (!state || [...state.pending.values()].some((mark) => mark.consumer === consumer)) return false
    return state.consumers.delete(consumer)
  }

  async pending(
    name: string,
    group: string,
    options: { from?: string; to?: string; count: number; consumer?: string; minIdle?: number },
  ): Promise<PendingDelivery[]> {
    this.begin('pending')
    return this.idle(name, group, options.minIdle ?? 0)
      .filter(([id]) => above(id, options.from ?? '-') && below(id, options.to ?? '+'))
      .filter(([, mark]) => options.consumer === undefined || mark.consumer === options.consumer)
      .slice(0, options.count)
      .map(([id, mark]) => ({
        id,
        consumer: mark.consumer,
        deliveries: mark.deliveries,
        idle: this.now - mark.deliveredAt,
      }))
  }

  async info(name: string): Promise<StreamInfo | null> {
    this.begin('info')
    const stream = this.world.streams.get(name)
    if (!stream) return null
    return {
      length: stream.entries.length,
      firstId: stream.entries[0]?.id ?? null,
      lastId: stream.last,
      maxDeletedId: stream.maxDeleted,
      entriesAdded: stream.added,
      groups: stream.groups.size,
      trimmed: { ...stream.trimmed },
      memory: null,
    }
  }

  async groups(name: string): Promise<GroupInfo[]> {
    this.begin('groups')
    const stream = this.world.streams.get(name)
    if (!stream) return []
    return [...stream.groups].map(([group, state]) => {
      const [oldest] = this.idle(name, group, Number.NEGATIVE_INFINITY)
      return {
        name: group,
        consumers: state.consumers.size,
        pending: state.pending.size,
        lastDeliveredId: state.last,
        entriesRead: state.read,
        lag: stream.entries.filter((entry) => compare(entry.id, state.last) > 0).length,
        oldestPendingId: oldest?.[0] ?? null,
        oldestPendingIdle: oldest ? this.now - oldest[1].deliveredAt : null,
        checkpoint: this.world.checkpoints.get(`${name} ${group}`) ?? null,
      }
    })
  }

  async consumers(name: string, group: string): Promise<ConsumerInfo[]> {
    this.begin('consumers')
    const state = this.group(name, group)
    return [...state.consumers].map(([consumer, { seenAt, activeAt }]) => ({
      name: consumer,
      pending: [...state.pending.values()].filter((mark) => mark.consumer === consumer).length,
      idle: this.now - seenAt,
      inactive: activeAt === null ? null : this.now - activeAt,
    }))
  }

  async scheduled(name: string): Promise<{ waiting: number; nextDue: number | null }> {
    this.begin('scheduled')
    return nextOf(this.world.scheduled.get(name) ?? new Map())
  }

  async register(register: string, name: string, record: string): Promise<void> {
    this.begin('register')
    const records = this.world.registers.get(register) ?? new Map<string, string>()
    this.world.registers.set(register, records.set(name, record))
  }

  async unregister(register: string, name: string): Promise<void> {
    this.begin('unregister')
    this.world.registers.get(register)?.delete(name)
  }

  async registered(register: string): Promise<Map<string, string>> {
    this.begin('registered')
    return new Map(this.world.registers.get(register))
  }

  async sequences(name: string, names: readonly string[]): Promise<number[]> {
    this.begin('sequences')
    return names.map((key) => this.world.sequences.get(`${name} ${key}`) ?? 0)
  }

  async ping(): Promise<void> {
    this.begin('ping')
  }

  onEvent(listener: (event: StoreEvent) => void): void {
    this.eventListeners.push(listener)
  }

  private get now(): number {
    return this.world.clock.now()
  }

  private begin(method: keyof StreamStore): void {
    if (this.closed) throw new StoreError('CLOSED', 'the store is closed', 'none')
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1)
    const failure = this.failures.get(method)?.shift()
    if (failure) throw failure
  }

  private group(name: string, group: string): FakeGroup {
    const state = this.world.streams.get(name)?.groups.get(group)
    if (!state) throw new StoreError('GROUP_MISSING', `no group ${group} of ${name}`, 'none')
    return state
  }

  private touch(state: FakeGroup, consumer: string, active = false): void {
    const before = state.consumers.get(consumer)
    state.consumers.set(consumer, { seenAt: this.now, activeAt: active ? this.now : (before?.activeAt ?? null) })
  }

  private take(state: FakeGroup, consumer: string, held: Held): boolean {
    return owns(state.pending.get(held.id), consumer, held) && state.pending.delete(held.id)
  }

  private idle(name: string, group: string, minIdle: number): [string, PendingMark][] {
    return [...this.group(name, group).pending]
      .filter(([, mark]) => this.now - mark.deliveredAt >= minIdle)
      .sort((a, b) => compare(a[0], b[0]))
  }

  private takeOver(name: string, group: string, consumer: string, ids: readonly string[], minIdle: number): Delivery[] {
    const state = this.group(name, group)
    const taken: Delivery[] = []
    for (const id of ids) {
      const mark = state.pending.get(id)
      if (!mark || this.now - mark.deliveredAt < minIdle) continue
      const entry = this.world.stream(name).entries.find((candidate) => candidate.id === id)
      if (!entry) {
        state.pending.delete(id)
        const fields = ['group', group, 'id', id, 'consumer', mark.consumer, 'deliveries', String(mark.deliveries)]
        this.world.append(missingKey(name), fields)
        continue
      }
      this.touch(state, consumer, true)
      const deliveries = mark.deliveries + 1
      taken.push({ id, deliveries, fields: entry.fields, idle: this.now - mark.deliveredAt })
      state.pending.set(id, { consumer, deliveries, deliveredAt: this.now })
    }
    return taken
  }

  private putAside(name: string, fields: Fields, { due, key }: { due: number; key: string }): void {
    const waiting = this.world.scheduled.get(name) ?? new Map()
    waiting.set(key, { due, fields: fields.map((field) => Buffer.from(field as string)) })
    this.world.scheduled.set(name, waiting)
  }

  private async waitFor(
    options: { block?: number; signal?: AbortSignal },
    look: () => StreamEntries[],
  ): Promise<StreamEntries[]> {
    const found = look()
    if (found.length > 0 || options.block === undefined || options.signal?.aborted) return found
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined
      const end = (answer: () => StreamEntries[]) => {
        this.world.parked.delete(parked)
        timer?.cancel()
        options.signal?.removeEventListener('abort', abort)
        try {
          resolve(answer())
        } catch (error) {
          reject(error)
        }
      }
      const abort = () => end(() => [])
      const parked: Parked = {
        wake: () => {
          if (this.closed) return end(() => [])
          try {
            const entries = look()
            if (entries.length > 0) end(() => entries)
          } catch (error) {
            end(() => {
              throw error
            })
          }
        },
      }
      this.world.parked.add(parked)
      timer = this.world.clock.setTimer(options.block!, () => end(() => []))
      options.signal?.addEventListener('abort', abort)
    })
  }
}

class FakeChannels implements Channels {
  constructor(private readonly world: World) {}

  async publish(channel: string, message: string | Buffer): Promise<number> {
    let reached = 0
    for (const { channels, listener } of this.world.listeners) {
      if (!channels.has(channel)) continue
      reached++
      setImmediate(() => listener(Buffer.from(message as string), channel))
    }
    return reached
  }

  async subscribe(
    selection: { channels?: readonly string[] },
    listener: (message: Buffer, channel: string) => void,
  ): Promise<Subscription> {
    const subscription = { channels: new Set(selection.channels), listener }
    this.world.listeners.add(subscription)
    return {
      close: async () => {
        this.world.listeners.delete(subscription)
      },
    }
  }
}

function owns(mark: PendingMark | undefined, consumer: string, held: Held): mark is PendingMark {
  return mark !== undefined && mark.consumer === consumer && mark.deliveries === held.deliveries
}

function full(name: string): StoreError {
  return new StoreError('BOUND_REACHED', `${name} is full`, 'none')
}

function neverTrimmed(): FakeStream['trimmed'] {
  return { removed: 0, below: null, forcedBelow: null }
}

function nextOf(waiting: Map<string, { due: number }>): { waiting: number; nextDue: number | null } {
  const dues = [...waiting.values()].map((entry) => entry.due)
  return { waiting: dues.length, nextDue: dues.length === 0 ? null : Math.min(...dues) }
}

function whole(id: string): string {
  return id.includes('-') ? id : `${id}-0`
}

function split(id: string): [number, number] {
  const [ms, sequence] = id.split('-')
  return [Number(ms), Number(sequence ?? 0)]
}

function compare(a: string, b: string): number {
  const [aMs, aSequence] = split(a)
  const [bMs, bSequence] = split(b)
  return aMs - bMs || aSequence - bSequence
}

function above(id: string, from: string): boolean {
  if (from === '-') return true
  return from.startsWith('(') ? compare(id, from.slice(1)) > 0 : compare(id, from) >= 0
}

function below(id: string, to: string): boolean {
  if (to === '+') return true
  if (to.startsWith('(')) return compare(id, to.slice(1)) < 0
  return to.includes('-') ? compare(id, to) <= 0 : split(id)[0] <= Number(to)
}
