import { type Clock, pause } from './clock.js'
import { type Duration, milliseconds } from './duration.js'
import { YeoulError } from './errors.js'
import type { EventSink } from './events.js'
import { report } from './member.js'
import type { TopicMetrics } from './metrics.js'
import { type Appended, type AppendOptions, type Fields, StoreError, type StreamStore } from './store.js'

export interface Bound {
  /** Entries in the stream. */
  maxLength?: number
  /** Entries that the slowest group has not acknowledged. */
  maxLag?: number
  /**
   * Default 'wait'. Past the bound, publishing waits for room (in order, up to `wait`), is rejected with BOUND_REACHED, or trims what every
   * group has acknowledged and is rejected only if that makes no room. Nothing unhandled is ever dropped.
   */
  onFull?: 'wait' | 'reject' | 'trim'
  /** How long a publish waits; default 30s. */
  wait?: Duration
}

/** Publishes that wait in this process at most; further ones are rejected at once. */
const MOST_WAITING = 10_000
const SHORTEST_POLL = 10
const LONGEST_POLL = 500

/** Keeps publishes within a topic's bound. The store checks it in the same step as the append; here is what happens when full. */
export class BoundGate {
  private readonly limits: { maxLength?: number; maxLag?: number }
  private readonly onFull: 'wait' | 'reject' | 'trim'
  private readonly wait: number
  private tail: Promise<unknown> = Promise.resolve()
  private waiting = 0

  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    readonly events: EventSink,
    private readonly metrics: TopicMetrics,
    private readonly stream: string,
    bound: Bound,
  ) {
    this.limits = { maxLength: entries(bound.maxLength, 'maxLength'), maxLag: entries(bound.maxLag, 'maxLag') }
    if (bound.maxLength === undefined && bound.maxLag === undefined) {
      throw new YeoulError('INVALID_OPTION', 'bound: neither maxLength nor maxLag is given')
    }
    this.onFull = bound.onFull ?? 'wait'
    if (!['wait', 'reject', 'trim'].includes(this.onFull)) {
      throw new YeoulError('INVALID_OPTION', `bound.onFull: ${JSON.stringify(bound.onFull)} is unknown`, {
        advice: "Choose 'wait', 'reject' or 'trim'.",
      })
    }
    this.wait = milliseconds(bound.wait ?? '30s', 'bound.wait')
  }

  async append(fields: Fields, options: AppendOptions, signal?: AbortSignal): Promise<Appended> {
    const bounded = { ...options, bound: this.limits }
    if (this.waiting === 0) {
      try {
        return await this.store.append(this.stream, fields, bounded)
      } catch (error) {
        if (!isFull(error)) throw error
        this.metrics.full++
        this.events.emit('full', { topic: this.stream })
        if (this.onFull === 'reject') throw error
        if (this.onFull === 'trim') {
          await this.trimAcknowledged()
          return this.store.append(this.stream, fields, bounded)
        }
      }
    }
    return this.queue(() => this.repeat(fields, bounded, signal))
  }

  /** One at a time, so that those who wait keep their order and only the first one asks the store. */
  private async queue(work: () => Promise<Appended>): Promise<Appended> {
    if (this.waiting >= MOST_WAITING) {
      throw new StoreError('BOUND_REACHED', `${MOST_WAITING} publishes are waiting for room in ${this.stream}`, 'none')
    }
    this.waiting++
    const turn = this.tail.then(work)
    this.tail = turn.catch(() => {}).then(() => this.waiting--)
    return turn
  }

  private async repeat(fields: Fields, options: AppendOptions, signal?: AbortSignal): Promise<Appended> {
    const until = this.clock.monotonic() + this.wait
    for (let poll = SHORTEST_POLL; ; poll = Math.min(poll * 2, LONGEST_POLL)) {
      signal?.throwIfAborted()
      try {
        return await this.store.append(this.stream, fields, options)
      } catch (error) {
        if (!isFull(error) || this.clock.monotonic() >= until) throw error
      }
      if (this.limits.maxLength !== undefined) {
        await this.trimAcknowledged().catch((error) => report(this, error, `making room in ${this.stream}`))
      }
      await pause(this.clock, Math.min(poll, Math.max(0, until - this.clock.monotonic())), signal)
    }
  }

  private async trimAcknowledged(): Promise<void> {
    const { maxLength } = this.limits
    const { removed } = await this.store.trim(this.stream, {
      acknowledged: true,
      // A tenth below the bound, so that not every append trims one entry.
      maxLength: maxLength === undefined ? undefined : Math.floor(maxLength * 0.9),
      limit: 10_000,
    })
    this.metrics.trimmed += removed
  }
}

function isFull(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'BOUND_REACHED'
}

function entries(value: number | undefined, name: string): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value > 0)) return value
  throw new YeoulError('INVALID_OPTION', `bound.${name}: ${value} is no number of entries`)
}
