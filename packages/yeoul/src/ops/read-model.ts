import type { GroupOverview, TopicOverview } from '../runtime/inspector.js'
import type { ConsumerInfo } from '../runtime/store.js'
import type { Yeoul } from '../runtime/yeoul.js'
import type { Consumer, Group, GroupState, Lag, Overview, Topic } from './api.js'

/** A worker whose last beat is older than this is not counted as alive, ms. */
const BEAT_LIMIT = 15_000
/** A consumer without a beat (a foreign client) that asked for something within this time reads, ms. */
const FOREIGN_LIMIT = 60_000
/** Rates and trends look back this far, ms. */
const WINDOW = 10_000
/** A snapshot younger than this is given again: ten consoles cost as much as one, ms. */
const FRESH = 500

interface Sample {
  at: number
  /** Entries ever added to the topic, or ever delivered to the group. */
  count: number | null
  lag: number | null
  /** Changes when the group makes headway, in whatever way. */
  headway: string
}

/**
 * What operators see, from the inspector's facts: states, rates, lag in entries and in time. The console, `/metrics` and
 * the command line all read this one model, so they never disagree. It holds a few seconds of samples per group and
 * nothing else; one snapshot costs the store O(topics + groups), however many look at it.
 */
export class ReadModel {
  #samples = new Map<string, Sample[]>()
  #latest: Promise<Overview> | undefined
  #takenAt = 0
  readonly #since = Date.now()

  constructor(private readonly yeoul: Yeoul) {}

  overview(): Promise<Overview> {
    const now = Date.now()
    if (this.#latest !== undefined && now - this.#takenAt < FRESH) return this.#latest
    this.#takenAt = now
    const taken = this.#take()
    this.#latest = taken
    taken.catch(() => {
      if (this.#latest === taken) this.#latest = undefined
    })
    return taken
  }

  async #take(): Promise<Overview> {
    const facts = await this.yeoul.inspector.overview()
    const topics = await Promise.all(facts.topics.map((topic) => this.#topic(topic, facts.at)))
    const seen = new Set(
      facts.topics.flatMap((topic) => [topic.name, ...topic.groups.map((group) => key(topic, group))]),
    )
    for (const name of this.#samples.keys()) if (!seen.has(name)) this.#samples.delete(name)
    return {
      at: facts.at,
      server: {
        kind: facts.store.kind,
        version: facts.store.version,
        cluster: facts.store.cluster,
        address: facts.store.address,
        durability: facts.store.durability,
        uptime: (Date.now() - this.#since) / 1000,
        warnings: facts.store.warnings,
      },
      topics,
    }
  }

  async #topic(topic: TopicOverview, at: number): Promise<Topic> {
    const samples = this.#sample(topic.name, { at, count: topic.entriesAdded, lag: null, headway: '' })
    return {
      name: topic.name,
      partitions: 1,
      length: topic.length,
      firstId: topic.firstId,
      lastId: topic.lastId,
      entriesAdded: topic.entriesAdded,
      memory: topic.memory,
      scheduled: topic.scheduled,
      inRate: rate(samples),
      groups: await Promise.all(topic.groups.map((group) => this.#group(topic, group, at))),
    }
  }

  async #group(topic: TopicOverview, group: GroupOverview, at: number): Promise<Group> {
    const list = group.exists ? await this.yeoul.store.consumers(topic.name, group.name) : []
    const consumers = list.map((consumer) => consumerView(consumer, group, at))
    const samples = this.#sample(key(topic, group), {
      at,
      count: group.lag === null ? null : topic.entriesAdded - group.lag,
      lag: group.lag,
      headway: `${group.lastDeliveredId}/${group.pending}/${group.oldestPendingId}`,
    })
    return {
      name: group.name,
      lag: await this.#lag(topic, group, at),
      pending: group.pending,
      oldestPendingSeconds: seconds(group.oldestPendingAge),
      consumers,
      dead: group.deadLetters,
      state: stateOf(group, consumers, samples, list),
      lastDeliveredId: group.lastDeliveredId ?? '0-0',
      outRate: rate(samples),
    }
  }

  /** Lag in time is the age of the first entry not delivered yet: one look at the stream, and only when there is one. */
  async #lag(topic: TopicOverview, group: GroupOverview, at: number): Promise<Lag> {
    if (!group.exists) {
      return { kind: 'unknown', entries: null, seconds: null, reason: 'The group does not exist on the server.' }
    }
    const waits = group.lag !== 0
    const first =
      waits && topic.exists && group.lastDeliveredId !== null
        ? (await this.yeoul.store.range(topic.name, `(${group.lastDeliveredId}`, '+', { count: 1 }))[0]
        : undefined
    const age = first === undefined ? 0 : Math.max(0, at - Number(first.id.split('-')[0])) / 1000
    if (group.lag !== null) return { kind: 'exact', entries: group.lag, seconds: age }
    // Nothing behind the cursor is a fact, whatever the counters have lost.
    if (first === undefined) return { kind: 'exact', entries: 0, seconds: 0 }
    return {
      kind: 'unknown',
      entries: null,
      seconds: age,
      reason: 'Entries were deleted or the group was moved, so the server cannot count what is left.',
    }
  }

  #sample(name: string, sample: Sample): Sample[] {
    let samples = this.#samples.get(name)
    if (samples === undefined) this.#samples.set(name, (samples = []))
    samples.push(sample)
    while (samples.length > 2 && sample.at - samples[0].at > WINDOW) samples.shift()
    return samples
  }
}

function key(topic: TopicOverview, group: GroupOverview): string {
  return `${topic.name}\n${group.name}`
}

function consumerView(consumer: ConsumerInfo, group: GroupOverview, at: number): Consumer {
  const beat = group.workers.find((worker) => worker.consumer === consumer.name)
  return {
    name: consumer.name,
    pending: consumer.pending,
    idleSeconds: consumer.idle / 1000,
    alive: beat === undefined ? null : at - beat.beatAt <= BEAT_LIMIT,
  }
}

function stateOf(
  group: GroupOverview,
  consumers: readonly Consumer[],
  samples: readonly Sample[],
  list: readonly ConsumerInfo[],
): GroupState {
  const alive = consumers.some((consumer, i) =>
    consumer.alive === null ? list[i].idle <= FOREIGN_LIMIT : consumer.alive,
  )
  // A worker that beats but was given nothing yet is no consumer of the server's list.
  const beating = group.workers.some((worker) => samples[samples.length - 1].at - worker.beatAt <= BEAT_LIMIT)
  if (!alive && !beating) return 'no-consumers'
  const waiting = (group.lag ?? 1) > 0 || group.pending > 0
  const first = samples[0]
  const last = samples[samples.length - 1]
  const watched = last.at - first.at >= WINDOW / 2
  if (waiting && watched && samples.every((sample) => sample.headway === last.headway) && group.lag !== null) {
    return 'stalled'
  }
  if (group.lag === null) return 'unknown-lag'
  if (group.lag === 0 || first.lag === null) return 'healthy'
  if (samples.some((sample) => sample.lag === 0)) return 'healthy'
  return group.lag > first.lag ? 'falling-behind' : group.lag < first.lag ? 'catching-up' : 'healthy'
}

/** A second, over the samples held; null until there are two of a known count. */
function rate(samples: readonly Sample[]): number | null {
  const first = samples[0]
  const last = samples[samples.length - 1]
  if (first.count === null || last.count === null || last.at <= first.at) return null
  return Math.max(0, ((last.count - first.count) * 1000) / (last.at - first.at))
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
