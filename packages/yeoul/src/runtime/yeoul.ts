import { hostname } from 'node:os'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Caretaker } from './caretaker.js'
import { type Clock, systemClock } from './clock.js'
import type { Codec } from './codec.js'
import { fromStore, YeoulError } from './errors.js'
import { Events, type EventType, type YeoulEvents } from './events.js'
import { Inspector } from './inspector.js'
import { Metrics } from './metrics.js'
import { type RegisteredTopic, Registry } from './registry.js'
import type { Channels, StoreFacts, StreamStore } from './store.js'
import { Topic, type TopicOptions, type TopicSetting } from './topic.js'
import { type Verification, Verifier, type VerifyOptions } from './verification.js'
import type { WorkerControl, WorkerHealth } from './worker.js'

export interface YeoulOptions {
  /** Part of the consumer names of this process's workers. By default the host's name. */
  name?: string
  /** Default: the system's. */
  clock?: Clock
}

export interface Health {
  /** The store can be reached and every running worker completed a read cycle lately. */
  healthy: boolean
  store: { address: string; connected: boolean; error?: string }
  workers: WorkerHealth[]
}

type Settings<C> = Omit<TopicOptions, 'codec' | 'schema'> & { codec: C; schema?: undefined }

/** One process's connection to a store, with everything that runs on it. */
export class Yeoul {
  readonly facts: StoreFacts & { readonly address: string }
  readonly channels: Channels
  readonly inspector: Inspector
  readonly metrics = new Metrics()
  private readonly events = new Events()
  private readonly registry: Registry
  private readonly caretaker: Caretaker
  private readonly clock: Clock
  private readonly host: string
  private readonly workers = new Set<WorkerControl>()
  private connected = true
  private connectionError: string | undefined
  private closing: Promise<void> | undefined

  private constructor(
    /** The port itself, for what the runtime does not cover. */
    readonly store: StreamStore,
    facts: StoreFacts,
    options: YeoulOptions,
  ) {
    this.facts = { ...facts, address: store.address }
    this.channels = store.channels
    this.clock = options.clock ?? systemClock
    this.host = options.name ?? hostname()
    this.registry = new Registry(store)
    this.caretaker = new Caretaker(store, this.clock, this.events)
    this.inspector = new Inspector(store, this.clock, this.registry, () => ({
      ...this.facts,
      connected: this.connected,
    }))
    this.followStore()
  }

  /** Opens the store and takes it over: `close()` closes it. */
  static async open(store: StreamStore, options: YeoulOptions = {}): Promise<Yeoul> {
    try {
      const yeoul = new Yeoul(store, await store.open(), options)
      // After the caller had the chance to listen.
      setImmediate(() => {
        for (const text of yeoul.facts.warnings) yeoul.events.emit('warning', { text })
      })
      return yeoul
    } catch (error) {
      throw fromStore(error, 'connect')
    }
  }

  topic<S extends StandardSchemaV1>(
    name: string,
    options: TopicOptions & { schema: S },
  ): Topic<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>>
  topic(name: string, options: Settings<'text'>): Topic<string>
  topic(name: string, options: Settings<'bytes'>): Topic<Buffer>
  topic(name: string, options: Settings<'fields'>): Topic<Record<string, string>>
  topic<T>(name: string, options: Settings<Codec<T>>): Topic<T>
  /** JSON of whatever type you name; without a schema nothing checks it. */
  topic<T = unknown>(name: string, options?: Omit<TopicOptions, 'codec' | 'schema'> & { codec?: 'json' }): Topic<T>
  topic(name: string, options: TopicOptions = {}): unknown {
    const setting: TopicSetting = {
      store: this.store,
      clock: this.clock,
      events: this.events,
      registry: this.registry,
      caretaker: this.caretaker,
      host: this.host,
      metrics: this.metrics,
      onStateChange: (worker, state) => {
        if (state === 'starting') {
          if (this.closing) throw new YeoulError('CLOSED', 'a worker cannot start: close() was called')
          this.workers.add(worker)
        } else if (state === 'idle' || state === 'stopped') {
          this.workers.delete(worker)
        }
      },
    }
    return new Topic<never, unknown>(setting, name, options)
  }

  /** Every topic that any process registered, with the groups that had workers. */
  async topics(): Promise<RegisteredTopic[]> {
    try {
      return await this.registry.topics()
    } catch (error) {
      throw fromStore(error, 'listing topics')
    }
  }

  health(): Health {
    const workers = [...this.workers].map((worker) => worker.health)
    return {
      healthy: this.connected && workers.every((worker) => worker.healthy || worker.state !== 'running'),
      store: { address: this.store.address, connected: this.connected, error: this.connectionError },
      workers,
    }
  }

  /** Answers the function that ends the listening. */
  on<K extends EventType>(type: K, listener: (event: YeoulEvents[K]) => void): () => void {
    return this.events.on(type, listener)
  }

  /**
   * Says of every message of a topic, for each group, where it is: waiting, delayed, pending, acknowledged, dead, expired, or
   * missing. Reads the whole topic in pages; writes nothing.
   */
  verify(topic: string, options: VerifyOptions = {}): Promise<Verification> {
    return new Verifier(this.store, this.clock, this.registry, topic, options).verify()
  }

  /** A round trip to the store. */
  async ping(): Promise<void> {
    try {
      await this.store.ping()
    } catch (error) {
      throw fromStore(error, `pinging ${this.store.address}`)
    }
  }

  /** Stops every worker, each within its `stopTimeout`, then closes the store. May be called again. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    await Promise.allSettled([...this.workers].map((worker) => worker.stop()))
    await this.store.close()
  }

  private followStore(): void {
    const { address } = this.store
    this.store.onEvent((event) => {
      if (event.type === 'warning') {
        this.events.emit('warning', { text: event.text })
      } else if (event.type === 'connected') {
        this.connected = true
        this.connectionError = undefined
        this.events.emit('connected', { address })
      } else {
        this.connected = false
        this.connectionError = event.error.message
        this.events.emit('disconnected', { address, error: event.error })
      }
    })
  }
}
