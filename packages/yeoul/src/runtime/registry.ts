import type { WorkerState } from './events.js'
import type { StreamStore } from './store.js'

/** One worker of one process, as it last said. */
export interface WorkerBeat {
  topic: string
  group: string
  consumer: string
  host: string
  pid: number
  /** Milliseconds since the epoch, like `beatAt`. */
  startedAt: number
  beatAt: number
  concurrency: number
  state: WorkerState
}

export interface RegisteredTopic {
  name: string
  codec: string
  field: string
  /** Whether a schema checks its values. */
  schema: boolean
  /** Milliseconds since the epoch. */
  since: number
  /** Every group that ever had a worker here. */
  groups: string[]
}

type TopicRecord = Omit<RegisteredTopic, 'name' | 'groups'>

const TOPICS = 'topics'
const GROUPS = 'groups'
const WORKERS = 'workers'

/**
 * What the processes tell each other about topics, groups and workers, as JSON records in the store's registers. Names in the
 * `groups` and `workers` registers are JSON arrays, because topics and groups may hold any character.
 */
export class Registry {
  private readonly known = new Set<string>()

  constructor(private readonly store: StreamStore) {}

  /** Once per process and topic; an earlier record of the same topic is replaced, so the newest settings show. */
  async addTopic(name: string, record: TopicRecord): Promise<void> {
    if (this.known.has(name)) return
    this.known.add(name)
    try {
      await this.store.register(TOPICS, name, JSON.stringify(record))
    } catch (error) {
      this.known.delete(name)
      throw error
    }
  }

  /** The server may have lost it: the next `addTopic` writes it again. */
  forget(name: string): void {
    this.known.delete(name)
  }

  async addGroup(topic: string, group: string, since: number): Promise<void> {
    await this.store.register(GROUPS, JSON.stringify([topic, group]), JSON.stringify({ since }))
  }

  async topics(): Promise<RegisteredTopic[]> {
    const [topics, groups] = await Promise.all([this.store.registered(TOPICS), this.store.registered(GROUPS)])
    const found = new Map<string, RegisteredTopic>()
    for (const [name, text] of topics) {
      const record = parse<TopicRecord>(text)
      if (record) found.set(name, { ...record, name, groups: [] })
    }
    for (const name of groups.keys()) {
      const pair = parse<[string, string]>(name)
      if (pair) found.get(pair[0])?.groups.push(pair[1])
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async beat(beat: WorkerBeat): Promise<void> {
    await this.store.register(WORKERS, workerName(beat), JSON.stringify(beat))
  }

  async removeWorker(worker: Pick<WorkerBeat, 'topic' | 'group' | 'consumer'>): Promise<void> {
    await this.store.unregister(WORKERS, workerName(worker))
  }

  async workers(): Promise<WorkerBeat[]> {
    const beats: WorkerBeat[] = []
    for (const text of (await this.store.registered(WORKERS)).values()) {
      const beat = parse<WorkerBeat>(text)
      if (beat) beats.push(beat)
    }
    return beats
  }
}

function workerName(worker: Pick<WorkerBeat, 'topic' | 'group' | 'consumer'>): string {
  return JSON.stringify([worker.topic, worker.group, worker.consumer])
}

/** Undefined for a record that is none of ours. */
function parse<R>(text: string): R | undefined {
  try {
    return JSON.parse(text) as R
  } catch {
    return undefined
  }
}
