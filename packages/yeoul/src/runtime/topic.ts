import type { TopicContract } from './async-api.js'
import type { BatchHandler } from './batch.js'
import { type Bound, BoundGate } from './bound.js'
import { DeadLetters } from './dead-letters.js'
import { type Duration, milliseconds } from './duration.js'
import { fromStore, YeoulError } from './errors.js'
import { Format, type FormatOptions } from './format.js'
import type { Handler } from './handler.js'
import { sharesSlot } from './keys.js'
import { report } from './member.js'
import type { Message } from './message.js'
import type { TopicMetrics } from './metrics.js'
import { Producer, type Published, type PublishOptions } from './producer.js'
import { Reading, type ReadOptions } from './reading.js'
import { groupStart, type StartFrom } from './start.js'
import type { StreamInfo } from './store.js'
import { type Retention, Trimmer } from './trimmer.js'
import { type BatchWorkerOptions, Worker, type WorkerOptions, type WorkerSetting } from './worker.js'

export interface TopicOptions extends FormatOptions {
  bound?: Bound
  retention?: Retention
}

export interface TrimOptions {
  /** Entries to keep. */
  maxLength?: number
  olderThan?: Duration
  minId?: string
  /** Also takes what a group has not handled; the answer counts it as `unread`. */
  force?: boolean
  /** At most so many entries now. */
  limit?: number
}

export type TopicSetting = Omit<
  WorkerSetting,
  'stream' | 'topicMetrics' | 'groupMetrics' | 'trimmer' | 'registerTopic'
> & {
  metrics: { topic(topic: string): TopicMetrics; group(topic: string, group: string): WorkerSetting['groupMetrics'] }
}

/** A stream with a type: what may be published to it, and what its readers get. */
export class Topic<In, Out = In> {
  private readonly format: Format<In, Out>
  private readonly producer: Producer<In>
  private readonly trimmer: Trimmer | undefined
  private readonly topicMetrics: TopicMetrics
  private registered = false

  constructor(
    private readonly setting: TopicSetting,
    readonly name: string,
    options: TopicOptions,
  ) {
    if (name === '' || name.startsWith('yeoul:')) {
      throw new YeoulError('INVALID_OPTION', `topic: ${JSON.stringify(name)} is no name for a topic`, {
        advice: "Choose a name that is not empty and does not begin with 'yeoul:', which the runtime's own keys do.",
      })
    }
    if (!sharesSlot(name)) {
      throw new YeoulError('INVALID_OPTION', `topic: ${JSON.stringify(name)} has a } that ends no hash tag`, {
        advice:
          'Choose a name without braces, or with one whole hash tag such as {shop}:orders: its keys must share a slot.',
      })
    }
    const { store, clock, events, caretaker } = setting
    this.format = new Format<In, Out>(name, options)
    this.topicMetrics = setting.metrics.topic(name)
    const gate = options.bound ? new BoundGate(store, clock, events, this.topicMetrics, name, options.bound) : undefined
    this.producer = new Producer(store, clock, name, this.format, this.topicMetrics, gate, (due) =>
      caretaker.scheduled(name, due),
    )
    this.trimmer = options.retention
      ? new Trimmer(store, clock, events, this.topicMetrics, name, options.retention)
      : undefined
  }

  /** What the topic says of itself, for documents (see asyncApi). */
  get contract(): TopicContract {
    const { codecName: codec, field, schema, versions } = this.format
    return { name: this.name, codec, field, schema, version: versions.current }
  }

  /**
   * Resolves when the message is in the log, at the store's durability. Rejects with INVALID_VALUE, UNENCODABLE, BOUND_REACHED, or
   * an error of the store whose `outcome` says whether it may be in the log all the same; to publish again without doubling, give
   * `dedupe`.
   */
  publish(value: In, options?: PublishOptions): Promise<Published> {
    if (!this.registered) this.announce()
    return this.producer.publish(value, options)
  }

  /** In the order given. Rejects with PartialPublishError when some were not published. */
  publishMany(
    values: readonly In[],
    options?: PublishOptions | ((value: In, index: number) => PublishOptions),
  ): Promise<Published[]> {
    if (!this.registered) this.announce()
    return this.producer.publishMany(values, options)
  }

  /** Takes a delayed message out of the schedule, by the `id` that publishing it answered; false when it is not there (any more). */
  cancel(id: string): Promise<boolean> {
    return this.ask(this.setting.store.unschedule(this.name, id))
  }

  worker(group: string, handler: Handler<Out>, options: WorkerOptions = {}): Worker {
    return untyped(new Worker(this.workerSetting(group), this.format, group, { kind: 'message', handler }, options))
  }

  batchWorker(group: string, handler: BatchHandler<Out>, options: BatchWorkerOptions = {}): Worker {
    const size = options.batch?.size ?? 100
    if (!(Number.isInteger(size) && size >= 1)) {
      throw new YeoulError('INVALID_OPTION', `batch.size: ${size} is no whole number of at least 1`)
    }
    const wait = milliseconds(options.batch?.wait ?? '5ms', 'batch.wait')
    return untyped(
      new Worker(this.workerSetting(group), this.format, group, { kind: 'batch', handler, size, wait }, options),
    )
  }

  /**
   * Reads without a group. What does not decode is yielded too, with `undecodable` set. Following outlives broken connections;
   * other failures of the store reject.
   */
  read(options: ReadOptions = {}): AsyncGenerator<Message<Out>, void, undefined> {
    const { store, clock, events } = this.setting
    return new Reading(store, clock, events, this.name, this.format, options).messages()
  }

  deadLetters(group: string): DeadLetters<In, Out> {
    const { store, clock, metrics } = this.setting
    return new DeadLetters(store, clock, this.name, group, this.format, metrics.group(this.name, group))
  }

  /** The last number given out for each key by publishing with `sequence`; 0 = none yet. */
  sequences(keys: readonly string[]): Promise<number[]> {
    return this.ask(this.setting.store.sequences(this.name, keys))
  }

  /** Makes the group before its first worker does; false when it exists. */
  async ensureGroup(group: string, from: StartFrom = '0'): Promise<boolean> {
    const { store, clock, registry } = this.setting
    const made = await this.ask(store.ensureGroup(this.name, group, groupStart(from, clock.now())))
    await this.ask(registry.addGroup(this.name, group, clock.now()))
    return made
  }

  /** Trims now, within what every group has acknowledged unless forced. Without bounds: all that is acknowledged. */
  async trim(options: TrimOptions = {}): Promise<{ removed: number; unread: number; length: number }> {
    const { olderThan, minId, maxLength, force, limit } = options
    if (olderThan !== undefined && minId !== undefined) {
      throw new YeoulError('INVALID_OPTION', 'olderThan and minId: both are given', { advice: 'Give one of them.' })
    }
    const oldest =
      olderThan === undefined
        ? minId
        : `${Math.max(0, Math.floor(this.setting.clock.now() - milliseconds(olderThan, 'olderThan')))}-0`
    const trimmed = await this.ask(
      this.setting.store.trim(this.name, { acknowledged: !force, maxLength, minId: oldest, force, limit }),
    )
    this.topicMetrics.trimmed += trimmed.removed
    this.topicMetrics.trimmedUnread += trimmed.unread
    return trimmed
  }

  /** Null when nothing was ever published. */
  info(): Promise<StreamInfo | null> {
    return this.ask(this.setting.store.info(this.name))
  }

  private workerSetting(group: string): WorkerSetting {
    const { metrics, ...setting } = this.setting
    return {
      ...setting,
      stream: this.name,
      topicMetrics: this.topicMetrics,
      groupMetrics: metrics.group(this.name, group),
      trimmer: this.trimmer,
      registerTopic: () => this.register(),
    }
  }

  private announce(): void {
    this.registered = true
    this.register().catch((error) => {
      this.registered = false
      report(this.setting, error, `registering the topic ${this.name}`)
    })
  }

  private register(): Promise<void> {
    const { codecName, field, schema } = this.format
    const since = this.setting.clock.now()
    return this.setting.registry.addTopic(this.name, { codec: codecName, field, schema: schema !== undefined, since })
  }

  private async ask<R>(answer: Promise<R>): Promise<R> {
    try {
      return await answer
    } catch (error) {
      throw fromStore(error, `topic ${this.name}`)
    }
  }
}

/** Nothing of a worker's face depends on its messages; as one type, workers of several topics fit in one list. */
function untyped<T>(worker: Worker<T>): Worker {
  return worker as unknown as Worker
}
