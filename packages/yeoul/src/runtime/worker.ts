import { Acknowledger } from './acknowledger.js'
import { Attempt } from './attempt.js'
import { type Backoff, backoffDelay } from './backoff.js'
import { type BatchHandler, BatchRunner } from './batch.js'
import type { Caretaker } from './caretaker.js'
import { Checkpointer } from './checkpointer.js'
import { type Clock, pause } from './clock.js'
import { DeadLetterMove } from './dead-letter.js'
import { Deadlines } from './deadlines.js'
import { type Duration, milliseconds } from './duration.js'
import { fromStore, YeoulError } from './errors.js'
import { type EventSink, Events, type EventType, type WorkerState, type YeoulEvents } from './events.js'
import type { Format } from './format.js'
import { type Handler, MessageRunner, type Runner } from './handler.js'
import { Heartbeat } from './heartbeat.js'
import { Holdings } from './holdings.js'
import { releasedChannel } from './keys.js'
import { type Member, report } from './member.js'
import type { GroupMetrics, TopicMetrics } from './metrics.js'
import { Outcome } from './outcome.js'
import { Prefetch } from './prefetch.js'
import { Presence } from './presence.js'
import { READ_BLOCK, Reader } from './reader.js'
import { Reclaimer } from './reclaimer.js'
import type { Registry, WorkerBeat } from './registry.js'
import { Retries } from './retry.js'
import { groupStart, type StartFrom } from './start.js'
import type { Delivery, Entry, StreamStore, Subscription } from './store.js'
import type { Trimmer } from './trimmer.js'

export interface WorkerOptions {
  /** Handlers at a time. Default 16; of a batch worker batches, default 1. */
  concurrency?: number
  /**
   * Attempts before a message goes to the dead letters. Default 5. A crash of the worker counts as an attempt of everything it
   * had; the last attempt left is made alone, so that one message that kills its workers takes no others along. With 1 nothing
   * is read ahead, and what a crashed worker had goes to the dead letters.
   */
  attempts?: number
  /** Default: exponential, 1 s doubling up to 5 min, ±20 %. */
  backoff?: Backoff
  /** Per attempt; default none. A handler over time has failed, whether or not it heeds its signal. */
  timeout?: Duration
  /** Without a sign of life for this long, a message is taken over by another worker of the group. Default 30s, at least 100ms. */
  visibilityTimeout?: Duration
  /** Where a new group begins; default '0', the first entry. An existing group goes on where it was. */
  from?: StartFrom
  /** Name within the group; must not be used twice at a time. Default: unique, of host, process and number. */
  consumer?: string
  /** Most messages held at a time, read ahead of the handlers; the worker finds the amount that fits within it. Default 1000. */
  prefetch?: number
  /** How long `stop()` lets handlers finish before it aborts their signals. Default 30s. */
  stopTimeout?: Duration
}

export interface BatchWorkerOptions extends WorkerOptions {
  /** `size`: messages in a batch at most, default 100. `wait`: how long the first one waits for others, default 5ms. */
  batch?: { size?: number; wait?: Duration }
}

export interface WorkerHealth {
  topic: string
  group: string
  consumer: string
  state: WorkerState
  /** Running, and a read cycle completed lately. */
  healthy: boolean
  reason?: string
  /** ms since the last completed read cycle; null = none yet. */
  lastCycleAgo: number | null
  /** Deliveries this worker owns now. */
  held: number
  /** Handlers under way. */
  running: number
}

/** What a worker takes from the topic and the process it belongs to. */
export interface WorkerSetting {
  store: StreamStore
  clock: Clock
  events: EventSink
  registry: Registry
  caretaker: Caretaker
  host: string
  stream: string
  topicMetrics: TopicMetrics
  groupMetrics: GroupMetrics
  trimmer: Trimmer | undefined
  /** Registers the topic; called at start. */
  registerTopic: () => Promise<void>
  onStateChange: (worker: WorkerControl, state: WorkerState) => void
}

/** What the process needs of every worker, whatever its messages are. */
export interface WorkerControl {
  readonly health: WorkerHealth
  stop(options?: { timeout?: Duration }): Promise<void>
}

export type Work<T> =
  | { kind: 'message'; handler: Handler<T> }
  | { kind: 'batch'; handler: BatchHandler<T>; size: number; wait: number }

/** Longest the health allows between read cycles: a blocked read, the store's deadline for it, and a pause. */
const CYCLE_LIMIT = READ_BLOCK * 3
/** How long `stop()` goes on repeating acknowledgements and moves that the store does not take (ms). */
const FLUSH_LIMIT = 5_000
/** A delay from here on leaves the stream (half the visibility timeout when that is less). */
const LONG_RETRY = 15_000

let workerCount = 0

/**
 * One consumer of a group. Composed of roles, each in its file: the reader reads ahead, the runner calls the handler, the outcome
 * decides, the acknowledger settles in batches; heartbeat, reclaimer, checkpointer and presence run beside them.
 */
export class Worker<T = unknown> implements WorkerControl {
  readonly topic: string
  readonly group: string
  readonly consumer: string
  private current: WorkerState = 'idle'
  private readonly events: Events
  private readonly member: Member
  private readonly ended = new AbortController()
  private readonly deadlines: Deadlines
  private readonly holdings: Holdings<T>
  private readonly prefetch: Prefetch
  private readonly runner: Runner<T>
  private readonly outcome: Outcome<T>
  private readonly retries: Retries<T>
  private readonly acknowledger: Acknowledger<T>
  private readonly reader: Reader
  private readonly heartbeat: Heartbeat<T>
  private readonly reclaimer: Reclaimer<T>
  private readonly checkpointer: Checkpointer
  private readonly presence: Presence
  private readonly attempts: number
  private readonly concurrency: number
  private readonly from: StartFrom
  private readonly stopTimeout: number
  private startedAt = 0
  /** Settles, without an error, when `start()` has. */
  private starting: Promise<void> | undefined
  private stopping: Promise<void> | undefined
  private released: Subscription | undefined

  constructor(
    private readonly setting: WorkerSetting,
    private readonly format: Format<never, T>,
    group: string,
    work: Work<T>,
    options: WorkerOptions,
  ) {
    if (group === '') throw new YeoulError('INVALID_OPTION', 'group: the name is empty')
    this.topic = format.topic
    this.group = group
    this.concurrency = count(options.concurrency ?? (work.kind === 'batch' ? 1 : 16), 'concurrency')
    this.attempts = count(options.attempts ?? 5, 'attempts')
    this.from = options.from ?? '0'
    groupStart(this.from, 0)
    this.stopTimeout = milliseconds(options.stopTimeout ?? '30s', 'stopTimeout')
    const timeout = options.timeout === undefined ? 0 : milliseconds(options.timeout, 'timeout')
    const visibilityTimeout = milliseconds(options.visibilityTimeout ?? '30s', 'visibilityTimeout')
    if (visibilityTimeout < 100) {
      throw new YeoulError(
        'INVALID_OPTION',
        `visibilityTimeout: ${visibilityTimeout} ms is shorter than heartbeats can keep`,
        {
          advice: 'Give at least 100 ms; 30s suits most.',
        },
      )
    }
    this.consumer =
      options.consumer ?? `${setting.host}-${process.pid}-${(++workerCount).toString(36)}${randomSuffix()}`
    this.events = new Events(setting.events)
    const { store, clock, stream } = setting
    const member: Member = {
      store,
      clock,
      topic: this.topic,
      stream,
      group,
      consumer: this.consumer,
      visibilityTimeout,
      events: this.events,
      metrics: setting.groupMetrics,
      ended: this.ended.signal,
    }
    this.member = member
    this.deadlines = new Deadlines(clock)
    this.holdings = new Holdings(member.metrics)
    const atOnce = work.kind === 'batch' ? this.concurrency * work.size : this.concurrency
    const prefetch = count(options.prefetch ?? 1_000, 'prefetch')
    this.prefetch = new Prefetch(
      atOnce,
      // With one attempt a crash must not burn that of a message no handler has had: nothing is read ahead.
      this.attempts === 1 ? atOnce : Math.max(atOnce, prefetch),
      () => this.holdings.size,
      () => this.retries.size,
    )
    this.holdings.onRemove(() => this.prefetch.onRemoved())
    const onLost = (attempt: Attempt<T>) => this.outcome.lost(attempt)
    this.acknowledger = new Acknowledger(member, this.holdings)
    this.retries = new Retries(
      member,
      this.holdings,
      this.deadlines,
      Math.min(LONG_RETRY, visibilityTimeout / 2),
      (attempt) => this.dispatch(attempt),
      onLost,
      (due) => setting.caretaker.scheduled(stream, due),
      () => this.prefetch.onRemoved(),
    )
    this.outcome = new Outcome(
      member,
      this.holdings,
      this.acknowledger,
      this.retries,
      new DeadLetterMove(member, this.holdings, onLost),
      this.attempts,
      backoffDelay(options.backoff),
    )
    const onStart = (_attempt: Attempt<T>, waited: number) => this.prefetch.onStarted(waited)
    this.runner =
      work.kind === 'message'
        ? new MessageRunner(
            member,
            format,
            work.handler,
            this.outcome,
            this.deadlines,
            this.concurrency,
            timeout,
            onStart,
          )
        : new BatchRunner(
            member,
            format,
            work.handler,
            this.outcome,
            this.deadlines,
            this.concurrency,
            timeout,
            work.size,
            work.wait,
            onStart,
          )
    this.reader = new Reader(
      member,
      {
        room: () => this.prefetch.room(),
        whenRoom: (signal) => this.prefetch.whenRoom(signal),
        accept: (entries, asked) => this.acceptEntries(entries, asked),
      },
      () => this.recoverGroup(),
      () => this.reclaimer.recover(),
    )
    this.heartbeat = new Heartbeat(member, this.holdings, onLost)
    this.reclaimer = new Reclaimer(
      member,
      this.holdings,
      this.attempts,
      () => this.prefetch.room(),
      (deliveries) => this.acceptDeliveries(deliveries),
      () => this.reader.lostAnswer(),
    )
    this.checkpointer = new Checkpointer(member)
    this.presence = new Presence(member, setting.registry, () => this.beat())
  }

  get state(): WorkerState {
    return this.current
  }

  get health(): WorkerHealth {
    const { lastCycleAt, lastError, full } = this.reader
    const ago = lastCycleAt === null ? null : this.member.clock.monotonic() - lastCycleAt
    const reason =
      this.current !== 'running'
        ? `the worker is ${this.current}`
        : (lastError ??
          (!full && ago !== null && ago > CYCLE_LIMIT ? `no read cycle for ${Math.round(ago)} ms` : undefined))
    return {
      topic: this.topic,
      group: this.group,
      consumer: this.consumer,
      state: this.current,
      healthy: reason === undefined,
      reason,
      lastCycleAgo: ago,
      held: this.holdings.size,
      running: this.runner.running,
    }
  }

  on<K extends EventType>(type: K, listener: (event: YeoulEvents[K]) => void): () => void {
    return this.events.on(type, listener)
  }

  /** Makes the group if need be and begins to read. Rejects when the store refuses; the worker may then be started again. */
  async start(): Promise<void> {
    if (this.current !== 'idle') {
      throw new YeoulError('WORKER_STATE', `the worker of ${this.topic} for group ${this.group} is ${this.current}`)
    }
    const begun = this.begin()
    this.starting = begun.catch(() => {})
    try {
      await begun
    } finally {
      this.starting = undefined
    }
  }

  private async begin(): Promise<void> {
    const { store, clock, registry, stream } = this.setting
    this.enter('starting')
    try {
      await store.ensureGroup(stream, this.group, groupStart(this.from, clock.now()))
      await this.setting.registerTopic()
      await registry.addGroup(this.topic, this.group, clock.now())
      this.released = await store.channels.subscribe({ channels: [releasedChannel(stream)] }, (group) => {
        if (group.toString('utf8') === this.group) this.reclaimer.poke()
      })
    } catch (error) {
      this.enter('idle')
      throw fromStore(error, `starting the worker of ${this.topic} for group ${this.group}`)
    }
    this.startedAt = clock.now()
    this.enter('running')
    this.setting.caretaker.acquire(stream, this.setting.topicMetrics)
    this.setting.trimmer?.start()
    this.heartbeat.start()
    this.checkpointer.start()
    this.presence.start()
    this.reclaimer.start()
    this.reader.start()
  }

  /**
   * Stops reading, hands back what has not begun, lets handlers finish until the timeout, aborts and hands back what has not
   * finished then, acknowledges what has, and leaves the group. Never rejects for what the store does; it reports. May be
   * called again, and while `start()` is under way: every call resolves when the worker is stopped.
   */
  stop(options: { timeout?: Duration } = {}): Promise<void> {
    if (this.stopping) return this.stopping
    if (this.current === 'idle') {
      this.enter('stopped')
      return Promise.resolve()
    }
    const timeout = options.timeout === undefined ? this.stopTimeout : milliseconds(options.timeout, 'timeout')
    this.stopping = this.starting
      ? this.starting.then(() => (this.current === 'running' ? this.drain(timeout) : this.enter('stopped')))
      : this.drain(timeout)
    return this.stopping
  }

  /** The order matters: nothing new comes in before what is here goes out, and heartbeats end last. */
  private async drain(timeout: number): Promise<void> {
    this.enter('stopping')
    const { store, clock, caretaker, stream } = this.setting
    const where = `stopping the worker of ${this.topic} for group ${this.group}`
    const attempt = async (step: () => Promise<unknown>) => {
      try {
        await step()
      } catch (error) {
        report(this.member, error, where)
      }
    }
    await attempt(async () => this.released?.close())
    await this.reclaimer.stop()
    await this.reader.stop()
    await attempt(() => this.release(this.runner.close()))
    const late = new AbortController()
    await Promise.race([this.runner.idle(), pause(clock, timeout, late.signal)])
    late.abort()
    const reason = new YeoulError('STOPPING', `the worker stopped before the handler finished (${timeout} ms)`)
    await attempt(() => this.release(this.runner.abandon(reason)))
    const flush = clock.setTimer(FLUSH_LIMIT, () => this.ended.abort())
    await attempt(() => this.retries.handOver())
    await this.acknowledger.drain()
    await this.holdings.whenEmpty(this.ended.signal)
    flush.cancel()
    await this.heartbeat.stop()
    this.deadlines.clear()
    await attempt(() => this.checkpointer.stop())
    await this.setting.trimmer?.stop()
    await caretaker.release(stream)
    this.ended.abort()
    let left = false
    await attempt(async () => {
      left = await store.removeConsumer(stream, this.group, this.consumer)
    })
    this.enter('stopped')
    await attempt(() => this.presence.stop(left))
  }

  private async release(attempts: Attempt<T>[]): Promise<void> {
    const owned = attempts.filter((attempt) => !attempt.lost)
    for (const attempt of attempts) this.holdings.remove(attempt)
    if (owned.length === 0) return
    const { store, stream } = this.setting
    await store.release(stream, this.group, this.consumer, owned)
    this.member.metrics.released += owned.length
    await store.channels.publish(releasedChannel(stream), this.group)
  }

  private acceptEntries(entries: readonly Entry[], asked: number): void {
    if (entries.length === 0) return
    this.prefetch.onRead(entries.length, asked, this.runner.queued)
    const now = this.member.clock.monotonic()
    for (const entry of entries) this.accept(entry.id, entry.fields, 1, now)
  }

  private acceptDeliveries(deliveries: readonly Delivery[]): void {
    const now = this.member.clock.monotonic()
    for (const delivery of deliveries) this.accept(delivery.id, delivery.fields, delivery.deliveries, now)
  }

  private accept(id: string, fields: readonly Buffer[], deliveries: number, now: number): void {
    this.member.metrics.delivered++
    const attempt = new Attempt<T>(this.member, this.format.message(id, fields), deliveries, now)
    this.holdings.add(attempt)
    const only = attempt.message.onlyGroup
    if (only !== undefined && only !== this.group) this.acknowledger.add(attempt)
    else this.dispatch(attempt)
  }

  private dispatch(attempt: Attempt<T>): void {
    if (attempt.message.attempt > this.attempts) this.outcome.exhaustedUnseen(attempt)
    else if (this.current === 'stopping') void this.releaseLate(attempt)
    else this.runner.submit(attempt)
  }

  /** Came in while the worker was stopping. */
  private async releaseLate(attempt: Attempt<T>): Promise<void> {
    try {
      await this.release([attempt])
    } catch (error) {
      report(this.member, error, `handing back ${this.topic} ${attempt.id}`)
    }
  }

  /** The start given by `from` is for a new group; one that was lost must not skip what came meanwhile. */
  private async recoverGroup(): Promise<void> {
    await this.setting.store.ensureGroup(this.setting.stream, this.group, this.checkpointer.last ?? '0')
    this.events.emit('group-recovered', { topic: this.topic, group: this.group })
    const { registry, clock } = this.setting
    registry.forget(this.topic)
    await this.setting.registerTopic()
    await registry.addGroup(this.topic, this.group, clock.now())
  }

  private beat(): WorkerBeat {
    return {
      topic: this.topic,
      group: this.group,
      consumer: this.consumer,
      host: this.setting.host,
      pid: process.pid,
      startedAt: this.startedAt,
      beatAt: this.member.clock.now(),
      concurrency: this.concurrency,
      state: this.current,
    }
  }

  private enter(state: WorkerState): void {
    // First, because it may refuse (the process is closing).
    this.setting.onStateChange(this, state)
    this.current = state
    this.events.emit('worker-state', { topic: this.topic, group: this.group, consumer: this.consumer, state })
  }
}

function count(value: number, option: string): number {
  if (Number.isInteger(value) && value >= 1) return value
  throw new YeoulError('INVALID_OPTION', `${option}: ${value} is no whole number of at least 1`)
}

function randomSuffix(): string {
  return `-${Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .padStart(6, '0')}`
}
