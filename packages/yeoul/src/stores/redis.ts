import { registerKey, sequenceKey } from '../runtime/keys.js'
import type {
  Appended,
  AppendOptions,
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
  TrimRequest,
} from '../runtime/store.js'
import { StoreError } from '../runtime/store.js'
import * as appends from './functions/append.js'
import * as deliveries from './functions/deliveries.js'
import * as groups from './functions/groups.js'
import * as schedules from './functions/schedule.js'
import type { Argument, Reply } from './functions/step.js'
import { AppendBatch, type WaitingAppend } from './redis/append-batch.js'
import { RedisChannels } from './redis/channels.js'
import type { ClientOptions } from './redis/client.js'
import { ClusterLink } from './redis/cluster.js'
import { Confirmations } from './redis/durability.js'
import { closed, isReply, refused } from './redis/errors.js'
import { ascending } from './redis/held.js'
import type { Link } from './redis/link.js'
import { probe } from './redis/probe.js'
import { entriesOf, StreamReading } from './redis/reading.js'
import { SingleLink } from './redis/single.js'
import { StepRunner } from './redis/steps.js'

export interface RedisTarget {
  /** One server, or any nodes of a cluster. */
  nodes: readonly { host: string; port: number }[]
  cluster: boolean
  tls?: boolean
  username?: string
  password?: string
  database?: number
}

export interface RedisOptions {
  /** ms without any answer after which a connection is given up (noticed within a sixth more); default 3000. */
  deadline?: number
  /** ms a blocking read may stay unanswered beyond its block time; default 1500. */
  grace?: number
  /** False: use scripts even where the server has functions (for servers that forbid FUNCTION). */
  functions?: boolean
  /** Name of the connections in CLIENT LIST. */
  name?: string
}

/** More strings than this in one entry cannot be handed to a step (Lua unpacks them). */
const mostStrings = 7000
/** Letters moved by one call, so that no call holds the server long. */
const mostLetters = 100

/** Redis 6.2 or newer, Valkey, a yeoul server; one server or a cluster. */
export class RedisStore implements StreamStore {
  readonly address: string
  private link: Link
  private steps: StepRunner
  private streams: StreamReading
  private subscriptions: RedisChannels
  private confirmations: Confirmations | undefined
  private readonly client: ClientOptions
  private readonly grace: number
  private readonly batch = new AppendBatch((entries) => this.sendAppends(entries))
  private readonly listeners: ((event: StoreEvent) => void)[] = []
  private readonly broken = new Set<'commands' | 'channels'>()
  private closing: Promise<void> | undefined

  constructor(
    private readonly target: RedisTarget,
    private readonly options: RedisOptions = {},
  ) {
    const [{ host, port }] = target.nodes
    this.client = {
      host,
      port,
      tls: target.tls ?? false,
      username: target.username,
      password: target.password,
      database: target.database ?? 0,
      deadline: options.deadline ?? 3000,
      name: options.name,
    }
    this.grace = options.grace ?? 1500
    const scheme = target.tls ? 'rediss' : 'redis'
    const hosts = target.nodes.map((node) => `${node.host}:${node.port}`).join(',')
    this.address = target.cluster ? `${scheme}://${hosts} (cluster)` : `${scheme}://${hosts}/${this.client.database}`
    this.link = target.cluster
      ? new ClusterLink(this.address, target.nodes, this.client, this.eventsOf('commands'))
      : new SingleLink(this.address, this.client, this.eventsOf('commands'))
    this.steps = new StepRunner(this.link)
    this.streams = new StreamReading(this.link, this.grace)
    this.subscriptions = new RedisChannels(this.link, this.client.deadline, this.eventsOf('channels'))
  }

  get channels(): RedisChannels {
    return this.subscriptions
  }

  async open(): Promise<StoreFacts> {
    await this.link.open()
    try {
      let facts = await probe(this.link)
      if (facts.clusterNode && !this.link.cluster && this.client.database === 0) {
        // The URL names one node of a cluster: the others are found through it.
        await this.link.close()
        this.link = new ClusterLink(
          `${this.address} (cluster)`,
          this.target.nodes,
          this.client,
          this.eventsOf('commands'),
        )
        this.steps = new StepRunner(this.link)
        this.streams = new StreamReading(this.link, this.grace)
        this.subscriptions = new RedisChannels(this.link, this.client.deadline, this.eventsOf('channels'))
        await this.link.open()
        facts = { ...facts, cluster: true }
      }
      const { functions, clusterNode: _, ...rest } = facts
      this.confirmations = new Confirmations(this.link, rest)
      await this.steps.install(functions && this.options.functions !== false, facts.kind === 'yeoul')
      return rest
    } catch (error) {
      await this.link.close()
      throw error
    }
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      this.batch.flush()
      this.subscriptions.close()
      this.confirmations?.close()
      await this.streams.close()
      await this.link.close()
    })()
    return this.closing
  }

  onEvent(listener: (event: StoreEvent) => void): void {
    this.listeners.push(listener)
  }

  // Writing

  append(stream: string, fields: Fields, options: AppendOptions = {}): Promise<Appended> {
    const plain = options.once === undefined && options.sequence === undefined && options.bound === undefined
    const fits = fields.length > 0 && fields.length % 2 === 0 && fields.length <= mostStrings
    // The usual case has no promise but its own.
    return plain && fits ? this.batch.add(stream, fields) : this.appendAlone(stream, fields, options, plain)
  }

  private async appendAlone(stream: string, fields: Fields, options: AppendOptions, plain: boolean): Promise<Appended> {
    checkFields(fields)
    if (plain) {
      const id = (await this.write(stream, ['XADD', stream, '*', ...fields])) as string
      return { id, duplicate: false }
    }
    checkUnpackable(fields)
    return this.run(appends.append, { stream, fields, options })
  }

  async schedule(
    stream: string,
    fields: Fields,
    { due, key, once }: { due: number; key: string; once?: { window: number } },
  ): Promise<Scheduled> {
    checkFields(fields)
    checkUnpackable(fields)
    return this.run(schedules.schedule, { stream, fields, due, key, once })
  }

  unschedule(stream: string, key: string): Promise<boolean> {
    return this.run(schedules.unschedule, { stream, key })
  }

  promote(stream: string, limit: number) {
    return this.run(schedules.promote, { stream, limit })
  }

  async remove(stream: string, ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0
    return (await this.write(stream, ['XDEL', stream, ...ids])) as number
  }

  async trim(stream: string, options: TrimRequest): Promise<{ removed: number; unread: number; length: number }> {
    const bounded = options.maxLength !== undefined || options.minId !== undefined
    if (!bounded && !options.acknowledged) {
      return { removed: 0, unread: 0, length: (await this.ask(stream, ['XLEN', stream])) as number }
    }
    const minId = options.minId === undefined || options.minId.includes('-') ? options.minId : `${options.minId}-0`
    return this.run(groups.trim, { stream, options: { ...options, minId, force: bounded && options.force } })
  }

  async confirming(stream: string, durability: Exclude<Durability, 'memory'>): Promise<() => Promise<void>> {
    if (this.confirmations === undefined || this.closing) throw closed(this.address)
    return this.confirmations.prepare(stream, durability)
  }

  // Reading

  async range(
    stream: string,
    from: string,
    to: string,
    { count, reverse }: { count?: number; reverse?: boolean } = {},
  ): Promise<Entry[]> {
    const limit = count === undefined ? [] : ['COUNT', String(count)]
    const args = reverse ? ['XREVRANGE', stream, to, from, ...limit] : ['XRANGE', stream, from, to, ...limit]
    return entriesOf(await this.ask(stream, args, true))
  }

  read(
    after: ReadonlyMap<string, string>,
    options: { count?: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    this.batch.flush()
    return this.streams.read([...after.keys()], options, false, (streams, block) => [
      'XREAD',
      ...(options.count === undefined ? [] : ['COUNT', String(options.count)]),
      ...block,
      'STREAMS',
      ...streams,
      ...streams.map((stream) => after.get(stream)!),
    ])
  }

  // Groups

  ensureGroup(stream: string, group: string, start: string): Promise<boolean> {
    return this.run(groups.ensureGroup, { stream, group, start })
  }

  checkpoint(stream: string, group: string, id: string): Promise<void> {
    return this.run(groups.checkpoint, { stream, group, id })
  }

  setGroup(stream: string, group: string, id: string): Promise<void> {
    return this.run(groups.setGroup, { stream, group, id })
  }

  removeGroup(stream: string, group: string): Promise<boolean> {
    return this.run(groups.removeGroup, { stream, group })
  }

  readGroup(
    streams: readonly string[],
    group: string,
    consumer: string,
    options: { count: number; block?: number; signal?: AbortSignal },
  ): Promise<StreamEntries[]> {
    this.batch.flush()
    return this.streams.read(streams, options, true, (streams, block) => [
      'XREADGROUP',
      'GROUP',
      group,
      consumer,
      'COUNT',
      String(options.count),
      ...block,
      'STREAMS',
      ...streams,
      ...streams.map(() => '>'),
    ])
  }

  async settle(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<string[]> {
    if (held.length === 0) return []
    const holding = { stream, group, consumer, deliveries: ascending(held) }
    return this.run(deliveries.areSame(held) ? deliveries.settleSame : deliveries.settle, holding)
  }

  async heartbeat(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<string[]> {
    if (held.length === 0) return []
    return this.run(deliveries.heartbeat, { stream, group, consumer, deliveries: ascending(held) })
  }

  claim(
    stream: string,
    group: string,
    consumer: string,
    { minIdle, count, cursor = '0-0' }: { minIdle: number; count: number; cursor?: string },
  ) {
    return this.run(deliveries.claim, { stream, group, consumer, minIdle, count, cursor })
  }

  async claimIds(
    stream: string,
    group: string,
    consumer: string,
    ids: readonly string[],
    minIdle: number,
  ): Promise<Delivery[]> {
    if (ids.length === 0) return []
    return this.run(deliveries.claimIds, { stream, group, consumer, ids, minIdle })
  }

  async release(stream: string, group: string, consumer: string, held: readonly Held[]): Promise<void> {
    if (held.length === 0) return
    await this.run(deliveries.release, { stream, group, consumer, deliveries: ascending(held) })
  }

  async deadLetter(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    target: { stream: string; fields: Fields },
  ): Promise<string | null> {
    checkFields(target.fields)
    checkUnpackable(target.fields)
    return this.run(deliveries.deadLetter, { stream, group, consumer, delivery, target })
  }

  async reschedule(
    stream: string,
    group: string,
    consumer: string,
    delivery: Held,
    later: { due: number; key: string; fields: Fields },
  ): Promise<boolean> {
    checkFields(later.fields)
    checkUnpackable(later.fields)
    return this.run(deliveries.reschedule, { stream, group, consumer, delivery, later })
  }

  async redrive(
    deadStream: string,
    target: string,
    letters: readonly { id: string; fields: Fields }[],
  ): Promise<(string | null)[]> {
    for (const { fields } of letters) {
      checkFields(fields)
      checkUnpackable(fields)
    }
    const answers: (string | null)[] = []
    for (let at = 0; at < letters.length; at += mostLetters) {
      try {
        const part = letters.slice(at, at + mostLetters)
        answers.push(...(await this.run(schedules.redrive, { deadStream, target, letters: part })))
      } catch (error) {
        // Letters before these have moved: which ones, only looking can tell.
        if (at === 0 || !(error instanceof StoreError) || error.outcome === 'unknown') throw error
        throw new StoreError(error.code, error.message, 'unknown', { cause: error })
      }
    }
    return answers
  }

  removeConsumer(stream: string, group: string, consumer: string): Promise<boolean> {
    return this.run(groups.removeConsumer, { stream, group, consumer })
  }

  async pending(
    stream: string,
    group: string,
    { from = '-', to = '+', count, consumer, minIdle }: Parameters<StreamStore['pending']>[2],
  ): Promise<PendingDelivery[]> {
    const idle = minIdle === undefined ? [] : ['IDLE', String(minIdle)]
    const of = consumer === undefined ? [] : [consumer]
    const reply = await this.ask(stream, ['XPENDING', stream, group, ...idle, from, to, String(count), ...of])
    return (reply as [string, string, number, number][]).map(([id, owner, ms, deliveries]) => ({
      id,
      consumer: owner,
      idle: ms,
      deliveries,
    }))
  }

  // Facts

  info(stream: string): Promise<StreamInfo | null> {
    return this.run(groups.info, { stream })
  }

  groups(stream: string): Promise<GroupInfo[]> {
    return this.run(groups.groups, { stream })
  }

  async consumers(stream: string, group: string): Promise<ConsumerInfo[]> {
    const reply = await this.ask(stream, ['XINFO', 'CONSUMERS', stream, group])
    return (reply as Reply[][]).map((row) => {
      const field = (name: string) => row[row.indexOf(name) + 1]
      const inactive = row.includes('inactive') ? (field('inactive') as number) : -1
      return {
        name: row[1] as string,
        pending: field('pending') as number,
        idle: field('idle') as number,
        inactive: inactive < 0 ? null : inactive,
      }
    })
  }

  async scheduled(stream: string): Promise<{ waiting: number; nextDue: number | null }> {
    const { waiting, nextDue } = await this.run(schedules.promote, { stream, limit: 0 })
    return { waiting, nextDue }
  }

  scheduledEntries(stream: string, offset: number, count: number): Promise<ScheduledEntry[]> {
    return this.run(schedules.scheduledEntries, { stream, offset, count })
  }

  async register(register: string, name: string, record: string): Promise<void> {
    const key = registerKey(register)
    await this.write(key, ['HSET', key, name, record])
  }

  async unregister(register: string, name: string): Promise<void> {
    const key = registerKey(register)
    await this.write(key, ['HDEL', key, name])
  }

  async registered(register: string): Promise<Map<string, string>> {
    const key = registerKey(register)
    const flat = (await this.ask(key, ['HGETALL', key])) as string[]
    const records = new Map<string, string>()
    for (let i = 0; i < flat.length; i += 2) records.set(flat[i], flat[i + 1])
    return records
  }

  async sequences(stream: string, names: readonly string[]): Promise<number[]> {
    if (names.length === 0) return []
    const key = sequenceKey(stream)
    const reply = (await this.ask(key, ['HMGET', key, ...names])) as (string | null)[]
    return reply.map((number) => Number(number ?? 0))
  }

  async ping(): Promise<void> {
    await this.ask(undefined, ['PING'])
  }

  // How calls are sent: appends gathered before are always sent first, so that calls take effect in the order made.

  private run: StepRunner['run'] = (step, input) => {
    this.batch.flush()
    return this.steps.run(step, input)
  }

  private write(key: string, args: Argument[]): Promise<Reply> {
    this.batch.flush()
    return this.link.send(key, args, { write: true })
  }

  private ask(key: string | undefined, args: Argument[], binary = false): Promise<Reply> {
    this.batch.flush()
    return this.link.send(key, args, { write: false, binary })
  }

  private sendAppends(entries: WaitingAppend[]): void {
    if (this.link.cluster) {
      // Streams live on different nodes; of one stream the order is kept.
      const byStream = new Map<string, WaitingAppend[]>()
      for (const entry of entries) {
        const list = byStream.get(entry.stream)
        if (list) list.push(entry)
        else byStream.set(entry.stream, [entry])
      }
      for (const list of byStream.values()) this.sendAppendsTogether(list)
    } else this.sendAppendsTogether(entries)
  }

  private sendAppendsTogether(entries: WaitingAppend[]): void {
    if (entries.length < 3) {
      for (const { stream, fields, resolve, reject } of entries) {
        this.link
          .send(stream, ['XADD', stream, '*', ...fields], { write: true })
          .then((id) => resolve({ id: id as string, duplicate: false }), reject)
      }
      return
    }
    this.steps.run(appends.areSame(entries) ? appends.appendSame : appends.appendAll, entries).then(
      (answers) => {
        for (let i = 0; i < answers.length; i++) {
          const answer = answers[i]
          if (isReply(answer)) entries[i].reject(refused(answer, this.address))
          else entries[i].resolve({ id: answer as string, duplicate: false })
        }
      },
      (error: Error) => {
        for (const { reject } of entries) reject(error)
      },
    )
  }

  /** The store is connected when all its kinds of connections are. */
  private eventsOf(kind: 'commands' | 'channels'): (event: StoreEvent) => void {
    return (event) => {
      if (event.type === 'disconnected') this.broken.add(kind)
      if (event.type === 'connected') {
        this.broken.delete(kind)
        if (this.broken.size > 0) return
      }
      for (const listener of this.listeners) listener(event)
    }
  }
}

function checkFields(fields: Fields): void {
  if (fields.length === 0 || fields.length % 2 !== 0) {
    throw new StoreError('REFUSED', `an entry needs names and values in turn; got ${fields.length} strings`, 'none')
  }
}

function checkUnpackable(fields: Fields): void {
  if (fields.length > mostStrings) {
    throw new StoreError(
      'REFUSED',
      `an entry of ${fields.length / 2} fields cannot pass through a server-side step; at most ${mostStrings / 2} can`,
      'none',
    )
  }
}
