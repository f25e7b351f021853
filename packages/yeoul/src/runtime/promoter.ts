import type { Clock, Timer } from './clock.js'
import type { EventSink } from './events.js'
import { dueChannel } from './keys.js'
import { repetitionDelay, report } from './member.js'
import type { TopicMetrics } from './metrics.js'
import type { StreamStore, Subscription } from './store.js'

const LARGEST_BATCH = 500
/** Longest sleep: a hint that something is due earlier may get lost. */
const LONGEST_SLEEP = 5_000

/**
 * Appends what is due from a stream's schedule. Sleeps until the next due time; whoever schedules something earlier says so on a
 * channel. Any number of processes may promote the same stream: each entry is appended by one of them.
 */
export class Promoter {
  private timer: Timer | undefined
  private wakeAt = Number.POSITIVE_INFINITY
  private running: Promise<void> | undefined
  private again = false
  private stopped = false
  private failures = 0
  private subscription: Promise<Subscription | undefined> | undefined

  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    readonly events: EventSink,
    private readonly metrics: TopicMetrics,
    private readonly stream: string,
  ) {}

  start(): void {
    this.subscription = this.store.channels
      .subscribe(
        { channels: [dueChannel(this.stream)] },
        (message) => this.expect(Number(message.toString('latin1'))),
        () => this.run(),
      )
      .catch((error) => {
        report(this, error, `listening for delayed messages of ${this.stream}`)
        return undefined
      })
    this.run()
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.timer?.cancel()
    await this.running
    const subscription = await this.subscription
    await subscription?.close().catch((error) => report(this, error, `closing the channel of ${this.stream}`))
  }

  /** Something becomes due then (ms since the epoch). */
  expect(due: number): void {
    if (this.stopped || !(due < this.wakeAt)) return
    this.sleepUntil(due)
  }

  private sleepUntil(due: number): void {
    this.timer?.cancel()
    this.wakeAt = due
    this.timer = this.clock.setTimer(Math.max(0, due - this.clock.now()), () => this.run())
  }

  private run(): void {
    if (this.stopped) return
    if (this.running) {
      this.again = true
      return
    }
    this.again = false
    this.wakeAt = Number.POSITIVE_INFINITY
    this.running = this.promote().then((next) => {
      this.running = undefined
      if (this.stopped) return
      if (this.again) this.run()
      else this.expect(next)
    })
  }

  /** Answers when to look again. */
  private async promote(): Promise<number> {
    try {
      for (;;) {
        const { promoted, nextDue } = await this.store.promote(this.stream, LARGEST_BATCH)
        this.failures = 0
        this.metrics.promoted += promoted
        if (promoted === LARGEST_BATCH && !this.stopped) continue
        const latest = this.clock.now() + LONGEST_SLEEP
        return nextDue === null ? latest : Math.min(nextDue, latest)
      }
    } catch (error) {
      this.failures++
      if (!this.stopped) report(this, error, `appending delayed messages of ${this.stream}`)
      return this.clock.now() + repetitionDelay(this.failures)
    }
  }
}
