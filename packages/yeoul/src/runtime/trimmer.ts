import type { Clock } from './clock.js'
import { type Duration, milliseconds } from './duration.js'
import { YeoulError } from './errors.js'
import type { EventSink } from './events.js'
import { report } from './member.js'
import type { TopicMetrics } from './metrics.js'
import { Periodic } from './periodic.js'
import type { StreamStore } from './store.js'

/** What a topic keeps of what every group has acknowledged. Without any of them, everything. */
export interface Retention {
  /** Entries; default no bound. */
  maxLength?: number
  /** Since they were published; default no bound. */
  maxAge?: Duration
}

const INTERVAL = 10_000
const LARGEST_STEP = 10_000

/** Keeps a stream within its topic's retention, in bounded steps, never taking what a group has not acknowledged. */
export class Trimmer {
  private readonly periodic: Periodic
  private readonly maxAge: number | undefined
  private users = 0

  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    readonly events: EventSink,
    private readonly metrics: TopicMetrics,
    private readonly stream: string,
    private readonly retention: Retention,
  ) {
    const { maxLength } = retention
    if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 0)) {
      throw new YeoulError('INVALID_OPTION', `retention.maxLength: ${maxLength} is no number of entries`)
    }
    this.maxAge = retention.maxAge === undefined ? undefined : milliseconds(retention.maxAge, 'retention.maxAge')
    this.periodic = new Periodic(
      clock,
      INTERVAL,
      () => this.trim(),
      (error) => report(this, error, `trimming ${stream}`),
    )
  }

  /** Runs while one worker of the topic does: as many `stop()` as `start()` end it. */
  start(): void {
    if (this.users++ === 0) this.periodic.start(true)
  }

  async stop(): Promise<void> {
    if (--this.users === 0) await this.periodic.stop()
  }

  private async trim(): Promise<void> {
    if (this.retention.maxLength !== undefined) await this.repeat({ maxLength: this.retention.maxLength })
    if (this.maxAge !== undefined) await this.repeat({ minId: `${Math.max(0, this.clock.now() - this.maxAge)}-0` })
  }

  private async repeat(bound: { maxLength: number } | { minId: string }): Promise<void> {
    for (;;) {
      const { removed } = await this.store.trim(this.stream, { acknowledged: true, ...bound, limit: LARGEST_STEP })
      this.metrics.trimmed += removed
      if (removed < LARGEST_STEP) return
    }
  }
}
