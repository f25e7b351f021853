import { randomUUID } from 'node:crypto'
import type { BoundGate } from './bound.js'
import type { Clock } from './clock.js'
import { type Duration, milliseconds } from './duration.js'
import { FIELD } from './entry-fields.js'
import { fromStore, PartialPublishError, YeoulError } from './errors.js'
import type { Format } from './format.js'
import type { TopicMetrics } from './metrics.js'
import type { Appended, AppendOptions, Durability, StreamStore } from './store.js'
import { endSpan, startPublish, tracingEnabled } from './tracing.js'

export interface PublishOptions {
  /** What the message is about: an order, a customer, a room. */
  key?: string
  /** Appears in the topic only after this time. */
  delay?: Duration
  /** Appears in the topic only at this moment (a Date, or ms since the epoch). */
  at?: Date | number
  /** A second publish with the same id within `dedupeWindow` answers the first one's id and appends nothing. */
  dedupe?: string
  /** Default 24h; of a delayed message it begins when the message is due. */
  dedupeWindow?: Duration
  /** Numbers the messages of `key` 1, 2, 3 … without a gap, in log order. */
  sequence?: boolean
  headers?: Readonly<Record<string, string>>
  /**
   * Where the message must be before publishing resolves: 'memory' (default) = taken in by the store, at the durability it is
   * configured for; 'disk' = synced to its disk; `{ replicas: n }` = acknowledged by so many replicas (WAIT). Rejects before
   * anything is published where the store cannot say, and with `outcome: 'unknown'` when it does not say so in time: the message is
   * in the log then, and publishing it again with the same `dedupe` id only waits again.
   */
  durability?: Durability
  /** Ends the wait for room in a bounded topic. What was sent is not taken back. */
  signal?: AbortSignal
}

export interface Published {
  /** The entry's id; of a delayed message the key by which `cancel` finds it. */
  id: string
  /** An earlier publish had the same `dedupe` id. */
  duplicate: boolean
  sequence?: number
  /** Of a delayed message: when it appears, ms since the epoch. */
  due?: number
}

const DEDUPE_WINDOW: Duration = '24h'
/** Messages of one `publishMany` in flight at a time. */
const IN_FLIGHT = 1_000

export class Producer<In> {
  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    private readonly stream: string,
    private readonly format: Format<In, unknown>,
    private readonly metrics: TopicMetrics,
    private readonly gate: BoundGate | undefined,
    private readonly onScheduled: (due: number) => void,
  ) {}

  async publish(value: In, options: PublishOptions = {}): Promise<Published> {
    const { signal } = options
    signal?.throwIfAborted()
    const append = appendOptions(options)
    const due = dueTime(options, this.clock)
    const checked = this.format.check(value)
    if (checked) await checked
    const fields = this.format.encode(value)
    addFields(fields, options)
    const span = tracingEnabled() ? startPublish(this.stream, fields) : undefined
    const startedAt = this.clock.monotonic()
    try {
      const confirm = options.durability === undefined ? undefined : await this.confirming(options.durability)
      const published =
        due === undefined
          ? this.appended(
              await (this.gate
                ? this.gate.append(fields, append ?? {}, signal)
                : this.store.append(this.stream, fields, append)),
              append,
            )
          : await this.schedule(fields, due, append?.once)
      if (confirm) await confirm()
      this.metrics.publishDuration.observe((this.clock.monotonic() - startedAt) / 1_000)
      if (span) {
        span.setAttribute('messaging.message.id', published.id)
        endSpan(span)
      }
      return published
    } catch (error) {
      this.metrics.publishFailures++
      if (span) endSpan(span, error)
      if (signal?.aborted && error === signal.reason) throw error
      throw fromStore(error, `publishing to ${this.stream}`)
    }
  }

  async publishMany(
    values: readonly In[],
    options?: PublishOptions | ((value: In, index: number) => PublishOptions),
  ): Promise<Published[]> {
    const results: PromiseSettledResult<Published>[] = []
    for (let from = 0; from < values.length; from += IN_FLIGHT) {
      const part = values.slice(from, from + IN_FLIGHT)
      const publishes = part.map(async (value, i) =>
        this.publish(value, typeof options === 'function' ? options(value, from + i) : options),
      )
      results.push(...(await Promise.allSettled(publishes)))
    }
    if (results.some((result) => result.status === 'rejected')) throw new PartialPublishError(results)
    return results.map((result) => (result as PromiseFulfilledResult<Published>).value)
  }

  private async confirming(durability: Durability): Promise<(() => Promise<void>) | undefined> {
    if (durability === 'memory') return undefined
    const replicas = typeof durability === 'object' ? durability.replicas : 1
    if ((typeof durability === 'object' || durability === 'disk') && Number.isInteger(replicas) && replicas >= 1) {
      return this.store.confirming(this.stream, durability)
    }
    throw new YeoulError('INVALID_OPTION', `durability: ${JSON.stringify(durability)} is unknown`, {
      advice: "Choose 'memory', 'disk', or { replicas: n } with n of at least 1.",
    })
  }

  private appended(appended: Appended, options: AppendOptions | undefined): Published {
    if (!appended.duplicate) {
      this.metrics.published++
      return appended
    }
    this.metrics.duplicates++
    const { id } = appended
    // The first publish of this id was a delayed one.
    return id.startsWith('@') ? { id: options!.once!.id, duplicate: true, due: Number(id.slice(1)) } : appended
  }

  private async schedule(fields: (string | Buffer)[], due: number, once: AppendOptions['once']): Promise<Published> {
    const key = once?.id ?? randomUUID()
    const scheduled = await this.store.schedule(this.stream, fields, { due, key, once })
    if (scheduled.duplicate) {
      this.metrics.duplicates++
      if (scheduled.id !== null) return { id: scheduled.id, duplicate: true }
      return { id: key, duplicate: true, due: scheduled.due ?? due }
    }
    this.metrics.scheduled++
    this.onScheduled(due)
    return { id: key, duplicate: false, due }
  }
}

function appendOptions(options: PublishOptions): AppendOptions | undefined {
  const { dedupe, dedupeWindow, sequence, key } = options
  if (dedupe === undefined && !sequence) return undefined
  if (dedupe === '') throw new YeoulError('INVALID_OPTION', 'dedupe: the id is empty')
  if (sequence && key === undefined) {
    throw new YeoulError('INVALID_OPTION', 'sequence: numbers are given per key, and there is no key', {
      advice: 'Give `key` too.',
    })
  }
  return {
    once:
      dedupe === undefined
        ? undefined
        : { id: dedupe, window: milliseconds(dedupeWindow ?? DEDUPE_WINDOW, 'dedupeWindow') },
    sequence: sequence ? key : undefined,
  }
}

function dueTime(options: PublishOptions, clock: Clock): number | undefined {
  const { delay, at, sequence } = options
  if (delay === undefined && at === undefined) return undefined
  if (delay !== undefined && at !== undefined) {
    throw new YeoulError('INVALID_OPTION', 'delay and at: both are given', { advice: 'Give one of them.' })
  }
  if (sequence) {
    throw new YeoulError('INVALID_OPTION', 'sequence: a delayed message has no place in the log yet', {
      advice: 'Publish it without delay, or without a number.',
    })
  }
  const due = at === undefined ? clock.now() + milliseconds(delay!, 'delay') : Number(at)
  if (!Number.isFinite(due) || due < 0) {
    throw new YeoulError('INVALID_OPTION', `at: ${String(at)} is no moment`, {
      advice: 'Give a Date or milliseconds since the epoch.',
    })
  }
  return Math.ceil(due)
}

function addFields(fields: (string | Buffer)[], options: PublishOptions): void {
  if (options.key !== undefined) {
    if (fields.includes(FIELD.key) && fields.indexOf(FIELD.key) % 2 === 0) {
      throw new YeoulError('INVALID_OPTION', 'key: the value has a field of that name already')
    }
    fields.push(FIELD.key, options.key)
  }
  if (options.headers) {
    for (const [name, value] of Object.entries(options.headers)) fields.push(FIELD.header + name, value)
  }
}
