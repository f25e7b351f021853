/**
 * PORT: what the runtime needs of a place that keeps streams. Two stores implement it: `stores/embedded.ts` over the
 * engine and `stores/redis.ts` over Redis or Valkey. `conformance/store` is the suite that judges both.
 *
 * The contract, for every method:
 *
 * - **Atomic.** Each call takes effect wholly or not at all, also against other processes. The named steps (append with
 *   `once` or `sequence`, settle, deadLetter, schedule, promote, redrive, trim …) are atomic over all the keys they touch.
 * - **Order.** Calls made on one store without awaiting take effect in the order they were made, blocking reads excepted:
 *   those run beside the others and never delay them.
 * - **Durable.** A write resolves once it is in the log at the store's durability (embedded: the engine's `appendfsync`;
 *   Redis: the server has answered).
 * - **Failure.** A call rejects with `StoreError`. `outcome` says what is known: 'none' (nothing happened), or 'unknown' (the
 *   connection or the disk failed in the middle; it may have happened). A store reconnects by itself; it never repeats a
 *   write whose outcome is unknown.
 * - **Close.** `close()` ends blocking reads (they resolve empty), lets calls under way finish, and may be called twice.
 *
 * IDs are `ms-seq` text. Names and field strings are UTF-8; entries come back as bytes, so any client's entry is readable.
 * Times are milliseconds since the epoch by the store's clock.
 */
export interface StreamStore {
  /** What it talks to, for logs and errors; without credentials: `memory:`, `file:.yeoul`, `redis://127.0.0.1:6379/0`. */
  readonly address: string
  /** Connects, probes the server, installs the server-side steps. Called once, before anything else. */
  open(): Promise<StoreFacts>
  close(): Promise<void>

  // Writing

  /** Appends one entry. Many calls in one turn cost one round trip. */
  append(stream: string, fields: Fields, options?: AppendOptions): Promise<Appended>
  /**
   * Puts an entry aside until `due`, when `promote` appends it. `key` names it within the topic: the same key replaces, or,
   * with `once`, changes nothing from then until `once.window` ms after its due time, also when it was appended meanwhile.
   * The mark is the one of `append` with `once.id` = `key`: the two exclude each other too.
   */
  schedule(
    stream: string,
    fields: Fields,
    options: { due: number; key: string; once?: { window: number } },
  ): Promise<Scheduled>
  /** Takes a scheduled entry out again, its mark of `once` too; false when there is none of that key. */
  unschedule(stream: string, key: string): Promise<boolean>
  /** Appends what is due, oldest first, at most `limit`; answers how many, and when the next is due (null = none waits). */
  promote(stream: string, limit: number): Promise<{ promoted: number; nextDue: number | null; waiting: number }>
  /** Removes entries by id, wherever they are; answers how many were there. Pending marks of them stay. */
  remove(stream: string, ids: readonly string[]): Promise<number>
  /**
   * Trims from the head. `acknowledged`: only what every group has acknowledged (nothing, when no group exists);
   * `maxLength`/`minId` bound what is kept, within that unless `force` is set, which also counts what a group had not
   * handled.
   */
  trim(stream: string, options: TrimRequest): Promise<{ removed: number; unread: number; length: number }>

  /**
   * Gets ready to confirm writes to this stream beyond the store's own durability; before they are made. Rejects with REFUSED
   * when the store cannot. The answered function resolves when every write answered before its call is there, and rejects
   * with outcome 'unknown' when that is not known in time: the writes stay.
   */
  confirming(stream: string, durability: Exclude<Durability, 'memory'>): Promise<() => Promise<void>>

  // Reading

  /** Entries with from ≤ id ≤ to (`-`, `+`, `(id` as in XRANGE), ascending, or descending with `reverse`. */
  range(stream: string, from: string, to: string, options?: { count?: number; reverse?: boolean }): Promise<Entry[]>
  /** Entries after the given ids, without a group; waits up to `block` ms when there are none. `$` = from now on. */
  read(
    after: ReadonlyMap<string, string>,
    options: { count?: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]>

  // Groups

  /**
   * Makes the group if it is missing; true when it was made. It starts at `start` (`0` = the first entry, `$` = the end, an id),
   * or, when the group existed before and was lost, at its checkpoint (see `checkpoint`).
   */
  ensureGroup(stream: string, group: string, start: string): Promise<boolean>
  /** Remembers durably, beside the stream, how far the group has handled everything. Never moves back. */
  checkpoint(stream: string, group: string, id: string): Promise<void>
  /** Moves a group's cursor. What is pending stays pending. */
  setGroup(stream: string, group: string, id: string): Promise<void>
  removeGroup(stream: string, group: string): Promise<boolean>
  /**
   * New entries for this consumer, up to `count` a stream; waits up to `block` ms when there are none (the store's own
   * deadline guards a dead connection: it rejects then). Each counts as delivery 1 and stays pending until settled.
   * Rejects with code GROUP_MISSING when a group or stream is gone.
   */
  readGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    options: { count: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]>
  /**
   * Acknowledges deliveries that this consumer still owns with the very delivery count it knows: fenced. Answers the ids
   * that were NOT acknowledged because somebody else has taken them over (or acknowledged them) meanwhile.
   */
  settle(stream: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<string[]>
  /** Says "still at work": sets the idle time of deliveries that this consumer still owns to 0; answers the ids it lost. */
  heartbeat(stream: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<string[]>
  /**
   * Takes over deliveries idle for `minIdle` ms or more, oldest id first from `cursor`; each counts one delivery more. Entries
   * deleted meanwhile are dropped from the pending list, named, and written down under `missingKey`; so it is in `claimIds`,
   * `heartbeat` and `release`. `next` = '0-0' when the scan is complete.
   */
  claim(
    stream: string,
    group: string,
    consumer: string,
    options: { minIdle: number; count: number; cursor?: string },
  ): Promise<{ next: string; deliveries: Delivery[]; deleted: string[] }>
  /** Takes over exactly these, if idle for `minIdle`: a retry of one's own pending entry counts as a new delivery. */
  claimIds(
    stream: string,
    group: string,
    consumer: string,
    ids: readonly string[],
    minIdle: number,
  ): Promise<Delivery[]>
  /** Hands deliveries that this consumer owns back at once: claimable immediately, the delivery not counted. */
  release(stream: string, group: string, consumer: string, deliveries: readonly Held[]): Promise<void>
  /** Moves one delivery to the dead-letter stream: append there and acknowledge here in one step. Null when fenced. */
  deadLetter(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    target: { stream: string; fields: Fields },
  ): Promise<string | null>
  /** Acknowledges here and schedules `fields` for later in one step (a long retry leaves the stream). False when fenced. */
  reschedule(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    later: { due: number; key: string; fields: Fields },
  ): Promise<boolean>
  /**
   * Moves letters from a dead-letter stream to `target`: append there (with the given fields) and delete here in one step a letter,
   * so a crash in the middle neither loses nor doubles. Answers the new id of each, null for a letter no longer there.
   */
  redrive(
    deadStream: string,
    target: string,
    letters: readonly { id: string; fields: Fields }[],
  ): Promise<(string | null)[]>
  /** Removes a consumer if it holds nothing; false when it holds pending entries or does not exist. */
  removeConsumer(stream: string, group: string, consumer: string): Promise<boolean>
  pending(
    stream: string,
    group: string,
    options: { from?: string; to?: string; count: number; consumer?: string; minIdle?: number },
  ): Promise<PendingDelivery[]>

  // Facts

  /** Null when the stream does not exist. */
  info(stream: string): Promise<StreamInfo | null>
  /** O(groups): nothing here walks entries. Empty when the stream does not exist. */
  groups(stream: string): Promise<GroupInfo[]>
  consumers(stream: string, group: string): Promise<ConsumerInfo[]>
  /** Waiting in the schedule of this stream. */
  scheduled(stream: string): Promise<{ waiting: number; nextDue: number | null }>
  /** What waits, by due time, from the `offset`-th on; what is promoted meanwhile shifts the rest. */
  scheduledEntries(stream: string, offset: number, count: number): Promise<ScheduledEntry[]>
  /** The registry: small named records shared by all processes (topics, their settings, worker beats). */
  register(register: string, name: string, record: string): Promise<void>
  unregister(register: string, name: string): Promise<void>
  registered(register: string): Promise<Map<string, string>>
  /** The last number given out for a sequence (see AppendOptions.sequence); 0 when none yet. */
  sequences(stream: string, names: readonly string[]): Promise<number[]>
  /** A round trip; rejects when the store cannot be used. */
  ping(): Promise<void>
  /** Connection state changes, failures in the background. */
  onEvent(listener: (event: StoreEvent) => void): void

  readonly channels: Channels
}

/**
 * Pub/Sub: at most once, to whoever listens at that moment. After a reconnect the store subscribes again and calls
 * `onGap`, because hints were missed.
 */
export interface Channels {
  /** Answers how many subscribers were reached, where the store knows. */
  publish(channel: string, message: string | Buffer): Promise<number>
  subscribe(
    selection: { channels?: readonly string[]; patterns?: readonly string[] },
    listener: (message: Buffer, channel: string) => void,
    onGap?: () => void,
  ): Promise<Subscription>
}

export interface Subscription {
  close(): Promise<void>
}

/** Names and values in turn: `['data', '{"id":1}', 'key', 'k']`. */
export type Fields = readonly (string | Buffer)[]

export interface Entry {
  id: string
  /** Names and values in turn, as bytes. Memory may be shared with the store: do not write into it. */
  fields: Buffer[]
}

export interface StreamEntries {
  stream: string
  entries: Entry[]
}

/** A delivery that a consumer holds. `deliveries` is its fence: whoever takes it over raises it. */
export interface Held {
  id: string
  deliveries: number
}

export interface Delivery extends Held {
  fields: Buffer[]
  /** ms since the previous delivery, before this claim. */
  idle: number
}

export interface PendingDelivery extends Held {
  consumer: string
  idle: number
}

export interface AppendOptions {
  /** Appends once per `id` within `window` ms: a repetition answers the first entry's id and `duplicate: true`. */
  once?: { id: string; window: number }
  /** Numbers the entry 1, 2, 3 … without a gap per name, in log order, and stores the number in field `_seq`. */
  sequence?: string
  /**
   * A bound, checked in the same step: `maxLength` entries in the stream, `maxLag` entries that the slowest group has not
   * acknowledged. Past it the append rejects with code BOUND_REACHED (outcome 'none').
   */
  bound?: { maxLength?: number; maxLag?: number }
}

/** Where a write must be before it counts: taken in by the store, synced to its disk, or acknowledged by so many replicas. */
export type Durability = 'memory' | 'disk' | { replicas: number }

export interface Scheduled {
  duplicate: boolean
  /** Of a duplicate whose first publish was appended at once: that entry's id. */
  id: string | null
  /** Of a duplicate whose first publish was scheduled: its due time. */
  due: number | null
}

export interface ScheduledEntry {
  key: string
  due: number
  fields: Buffer[]
}

export interface Appended {
  /** Of a duplicate whose first publish was scheduled: `@` and its due time. */
  id: string
  duplicate: boolean
  /** Present when `sequence` was asked for; of a duplicate: the first entry's number. */
  sequence?: number
}

export interface TrimRequest {
  acknowledged?: boolean
  maxLength?: number
  minId?: string
  force?: boolean
  /** At most so many in this call (bounded work). */
  limit?: number
}

export interface StreamInfo {
  length: number
  firstId: string | null
  lastId: string
  maxDeletedId: string
  entriesAdded: number
  groups: number
  trimmed: TrimRecord
  /** Bytes, where the store can tell cheaply. */
  memory: number | null
}

/** What `trim` has done to a stream so far. */
export interface TrimRecord {
  /** Entries. */
  removed: number
  /** Every entry before this id is gone by trimming (or was before); null = never trimmed. */
  below: string | null
  /** Every entry before this id may have been trimmed by force, handled or not; null = never forced. */
  forcedBelow: string | null
}

export interface GroupInfo {
  name: string
  consumers: number
  pending: number
  lastDeliveredId: string
  entriesRead: number | null
  /** Entries not delivered yet; null = unknown (never shown as 0). */
  lag: number | null
  /** Id of the oldest pending entry, null when nothing is pending. */
  oldestPendingId: string | null
  /** ms since the oldest pending delivery among the first ones of the list; null when nothing is pending. */
  oldestPendingIdle: number | null
  checkpoint: string | null
}

export interface ConsumerInfo {
  name: string
  pending: number
  /** ms since it last asked for anything. */
  idle: number
  /** ms since it last got anything; null = never, or the server does not say. */
  inactive: number | null
}

export interface StoreFacts {
  kind: 'embedded' | 'redis' | 'valkey' | 'yeoul'
  /** Server version, or yeoul's own. */
  version: string
  cluster: boolean
  /** Where an acknowledged write is: memory only, at most a second from disk, on disk. */
  durability: 'memory' | 'everysec' | 'always' | 'unknown'
  /** What an operator should know at once: evicting policy, no persistence … One sentence each, with what to do. */
  warnings: string[]
}

export type StoreEvent =
  | { type: 'connected' }
  | { type: 'disconnected'; error: Error }
  | { type: 'warning'; text: string }

export type StoreErrorCode =
  /** No connection, or it broke in the middle. */
  | 'CONNECTION'
  /** The store's own deadline passed without an answer. */
  | 'DEADLINE'
  | 'GROUP_MISSING'
  | 'BOUND_REACHED'
  /** The key holds something that is no stream. */
  | 'WRONG_TYPE'
  /** The server refuses writes for now: read-only replica, no disk, out of memory, loading, busy. */
  | 'UNAVAILABLE'
  | 'UNAUTHORIZED'
  /** `close()` was called. */
  | 'CLOSED'
  /** Any other answer of the server; the text is its own. */
  | 'REFUSED'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    /** Did a write happen? */
    readonly outcome: 'none' | 'unknown',
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }

  /** Whether the same call can succeed later without anybody changing anything. */
  get retriable(): boolean {
    return (
      this.code === 'CONNECTION' ||
      this.code === 'DEADLINE' ||
      this.code === 'UNAVAILABLE' ||
      this.code === 'BOUND_REACHED'
    )
  }
}
