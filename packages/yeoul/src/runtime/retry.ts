import { Attempt } from './attempt.js'
import type { Deadline, Deadlines } from './deadlines.js'
import { FIELD, producerFields, writeFailures } from './entry-fields.js'
import type { Holdings } from './holdings.js'
import { insist, type Member, report } from './member.js'

/**
 * Short and long retries.
 *
 * A short one keeps its pending entry: the worker goes on holding it, heartbeats included, and when its time comes claims it
 * from itself, which counts the next delivery in the store. So the count survives a crash in between.
 *
 * A long one leaves the stream for the schedule: it neither stands in the way of trimming nor lengthens scans of the
 * pending list. Its copy carries the attempts made and is for this group only.
 */
export class Retries<T> {
  private readonly waiting = new Map<Attempt<T>, { deadline: Deadline; dueAt: number }>()
  private due: Attempt<T>[] = []

  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly deadlines: Deadlines,
    /** ms; a delay from here on is a long one. */
    private readonly longFrom: number,
    private readonly resume: (attempt: Attempt<T>) => void,
    private readonly onLost: (attempt: Attempt<T>) => void,
    private readonly onScheduled: (due: number) => void,
    private readonly onWaiting: () => void,
  ) {}

  get size(): number {
    return this.waiting.size
  }

  retry(attempt: Attempt<T>, delay: number): void {
    if (delay >= this.longFrom) void this.reschedule(attempt, delay)
    else this.wait(attempt, delay)
  }

  /** What still waits goes to the schedule with the rest of its delay. */
  async handOver(): Promise<void> {
    const now = this.member.clock.monotonic()
    const moves: Promise<void>[] = []
    for (const [attempt, { deadline, dueAt }] of this.waiting) {
      this.deadlines.cancel(deadline)
      moves.push(this.reschedule(attempt, Math.max(0, dueAt - now)))
    }
    for (const attempt of this.due) moves.push(this.reschedule(attempt, 0))
    this.waiting.clear()
    this.due = []
    await Promise.all(moves)
  }

  private wait(attempt: Attempt<T>, delay: number): void {
    attempt.state = 'waiting'
    this.member.metrics.retried++
    const deadline = this.deadlines.add(delay, () => {
      this.waiting.delete(attempt)
      this.due.push(attempt)
      if (this.due.length === 1) setImmediate(() => void this.claimDue())
    })
    this.waiting.set(attempt, { deadline, dueAt: this.member.clock.monotonic() + delay })
    this.onWaiting()
  }

  /**
   * The heartbeat comes first because a claim asks no questions: one that was taken over while it waited must not be taken back.
   * After it nobody else can claim for a whole visibility timeout.
   */
  private async claimDue(): Promise<void> {
    const batch = this.due.filter((attempt) => !attempt.lost)
    this.due = []
    if (batch.length === 0) return
    const { store, stream, group, consumer } = this.member
    try {
      const lost = new Set(await insist(this.member, 'retrying', () => store.heartbeat(stream, group, consumer, batch)))
      const mine = batch.filter((attempt) => !lost.has(attempt.id))
      for (const attempt of batch) if (lost.has(attempt.id)) this.onLost(attempt)
      if (mine.length > 0) await this.claim(mine)
    } catch (error) {
      report(this.member, error, `retrying ${this.member.topic} for group ${group}`)
      for (const attempt of batch) if (attempt.state === 'waiting') this.holdings.remove(attempt)
    }
  }

  private async claim(batch: Attempt<T>[]): Promise<void> {
    const { store, stream, group, consumer, clock } = this.member
    const ids = batch.map((attempt) => attempt.id)
    const claimed = new Map<string, number>()
    for (const delivery of await insist(this.member, 'retrying', () =>
      store.claimIds(stream, group, consumer, ids, 0),
    )) {
      claimed.set(delivery.id, delivery.deliveries)
    }
    const now = clock.monotonic()
    for (const attempt of batch) {
      const deliveries = claimed.get(attempt.id)
      if (deliveries === undefined) {
        this.onLost(attempt)
        continue
      }
      const next = new Attempt(this.member, attempt.message.again(), deliveries, now, attempt)
      this.holdings.replace(attempt, next)
      this.resume(next)
    }
  }

  private async reschedule(attempt: Attempt<T>, delay: number): Promise<void> {
    attempt.state = 'burying'
    const { store, stream, group, consumer, clock, metrics } = this.member
    const { message } = attempt
    const due = clock.now() + delay
    const fields = [
      ...producerFields(message.raw),
      FIELD.origin,
      message.id,
      FIELD.group,
      group,
      FIELD.attempt,
      String(message.attempt),
      FIELD.failures,
      writeFailures(attempt.failures),
    ]
    const redriven = message.fields.get(FIELD.redriven)
    if (redriven) fields.push(FIELD.redriven, redriven)
    try {
      const key = `retry:${group}:${message.id}`
      let uncertain = false
      const moved = await insist(this.member, 'rescheduling', (perhaps) => {
        uncertain = perhaps
        return store.reschedule(stream, group, consumer, attempt, { due, key, fields })
      })
      if (moved || uncertain) {
        metrics.rescheduled++
        this.holdings.remove(attempt)
        this.onScheduled(due)
      } else {
        this.onLost(attempt)
      }
    } catch (error) {
      report(this.member, error, `rescheduling ${this.member.topic} for group ${group}`)
      this.holdings.giveUp(attempt)
    }
  }
}
