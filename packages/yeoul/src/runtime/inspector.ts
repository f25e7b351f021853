import type { Clock } from './clock.js'
import { idTime } from './entry-fields.js'
import { deadStream } from './keys.js'
import type { RegisteredTopic, Registry, WorkerBeat } from './registry.js'
import type { ConsumerInfo, GroupInfo, PendingDelivery, StoreFacts, StreamStore } from './store.js'

export interface Overview {
  /** Milliseconds since the epoch. */
  at: number
  store: StoreFacts & { address: string; connected: boolean }
  topics: TopicOverview[]
}

export interface TopicOverview {
  name: string
  /** Whether there is a stream: nothing was published yet otherwise. */
  exists: boolean
  length: number
  /** Ever. */
  entriesAdded: number
  firstId: string | null
  lastId: string | null
  /** Bytes; null = the store cannot tell. */
  memory: number | null
  scheduled: { waiting: number; nextDue: number | null }
  groups: GroupOverview[]
}

export interface GroupOverview {
  name: string
  /** False for a group that had workers but is not on the server now. */
  exists: boolean
  /** Entries not delivered yet; null = unknown. */
  lag: number | null
  lagKind: 'exact' | 'unknown'
  /** Of an unknown lag: at least and at most so many entries; null when it is exact. */
  lagBounds: { least: number; most: number } | null
  pending: number
  oldestPendingId: string | null
  /** ms since its last delivery. */
  oldestPendingIdle: number | null
  /** ms since it was published. */
  oldestPendingAge: number | null
  consumers: number
  deadLetters: number
  lastDeliveredId: string | null
  checkpoint: string | null
  /** As they last said; those that stopped answering have an old `beatAt`. */
  workers: WorkerBeat[]
}

export interface GroupDetail extends GroupOverview {
  topic: string
  consumerList: (ConsumerInfo & { worker: WorkerBeat | null })[]
  /** The oldest ones. */
  pendingList: PendingDelivery[]
}

/** Where the server does not know a lag (entries were deleted), so many are counted. */
const MOST_COUNTED = 100

/**
 * The read model that CLI, console and metrics share. Costs the server a few calls per topic and group; nothing walks entries, but
 * for the first hundred of a group whose lag the server does not know.
 */
export class Inspector {
  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    private readonly registry: Registry,
    private readonly connection: () => Overview['store'],
  ) {}

  async overview(): Promise<Overview> {
    const [topics, workers] = await Promise.all([this.registry.topics(), this.registry.workers()])
    return {
      at: this.clock.now(),
      store: this.connection(),
      topics: await Promise.all(topics.map((topic) => this.describe(topic.name, topic.groups, workers))),
    }
  }

  /** Null when neither registered nor there. A stream that other clients made is described too. */
  async topic(name: string): Promise<TopicOverview | null> {
    const [registered, workers] = await Promise.all([this.registered(name), this.registry.workers()])
    const overview = await this.describe(name, registered?.groups ?? [], workers)
    return registered || overview.exists ? overview : null
  }

  async group(topic: string, group: string, options: { pending?: number } = {}): Promise<GroupDetail | null> {
    const overview = (await this.topic(topic))?.groups.find((candidate) => candidate.name === group)
    if (!overview) return null
    if (!overview.exists) return { ...overview, topic, consumerList: [], pendingList: [] }
    const [consumers, pendingList] = await Promise.all([
      this.store.consumers(topic, group),
      this.store.pending(topic, group, { count: options.pending ?? 100 }),
    ])
    const consumerList = consumers.map((consumer) => ({
      ...consumer,
      worker: overview.workers.find((worker) => worker.consumer === consumer.name) ?? null,
    }))
    return { ...overview, topic, consumerList, pendingList }
  }

  /** Entries behind the group's cursor, up to one more than is counted; null when the server knows, or there is no group. */
  private async count(topic: string, info: GroupInfo | undefined): Promise<number | null> {
    if (info === undefined || info.lag !== null) return null
    return (await this.store.range(topic, `(${info.lastDeliveredId}`, '+', { count: MOST_COUNTED + 1 })).length
  }

  private async registered(name: string): Promise<RegisteredTopic | undefined> {
    return (await this.registry.topics()).find((topic) => topic.name === name)
  }

  private async describe(
    name: string,
    seen: readonly string[],
    workers: readonly WorkerBeat[],
  ): Promise<TopicOverview> {
    const [info, groups, scheduled] = await Promise.all([
      this.store.info(name),
      this.store.groups(name),
      this.store.scheduled(name),
    ])
    const found = new Map(groups.map((group) => [group.name, group]))
    const names = [...new Set([...found.keys(), ...seen])].sort()
    const dead = await Promise.all(names.map((group) => this.store.info(deadStream(name, group))))
    const counted = await Promise.all(names.map((group) => this.count(name, found.get(group))))
    return {
      name,
      exists: info !== null,
      length: info?.length ?? 0,
      entriesAdded: info?.entriesAdded ?? 0,
      firstId: info?.firstId ?? null,
      lastId: info?.lastId ?? null,
      memory: info?.memory ?? null,
      scheduled,
      groups: names.map((group, i) =>
        this.describeGroup(
          group,
          found.get(group),
          dead[i]?.length ?? 0,
          counted[i],
          info?.length ?? 0,
          workers.filter((worker) => worker.topic === name && worker.group === group),
        ),
      ),
    }
  }

  private describeGroup(
    name: string,
    info: GroupInfo | undefined,
    deadLetters: number,
    counted: number | null,
    length: number,
    workers: WorkerBeat[],
  ): GroupOverview {
    const lag = info?.lag ?? (counted !== null && counted <= MOST_COUNTED ? counted : null)
    const oldest = info?.oldestPendingId ?? null
    return {
      name,
      exists: info !== undefined,
      lag,
      lagKind: lag === null ? 'unknown' : 'exact',
      lagBounds: lag === null && counted !== null ? { least: counted, most: Math.max(counted, length) } : null,
      pending: info?.pending ?? 0,
      oldestPendingId: oldest,
      oldestPendingIdle: info?.oldestPendingIdle ?? null,
      oldestPendingAge: oldest === null ? null : Math.max(0, this.clock.now() - idTime(oldest)),
      consumers: info?.consumers ?? 0,
      deadLetters,
      lastDeliveredId: info?.lastDeliveredId ?? null,
      checkpoint: info?.checkpoint ?? null,
      workers,
    }
  }
}
