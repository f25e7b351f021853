import type { Attempt } from './attempt.js'
import type { Holdings } from './holdings.js'
import { insist, type Member, report } from './member.js'

/** So many go in one call at most; reaching it sends a call though another is under way. */
const LARGEST_BATCH = 500

/**
 * Acknowledges in batches that form by themselves: what has succeeded in one turn of the event loop goes in one call, and
 * while a call is under way the next batch gathers. At a low rate nothing waits; at a high one a call carries hundreds.
 */
export class Acknowledger<T> {
  private gathered: Attempt<T>[] = []
  private scheduled = false
  private underWay = 0
  private idle: (() => void)[] = []

  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
  ) {}

  add(attempt: Attempt<T>): void {
    attempt.state = 'settling'
    this.gathered.push(attempt)
    if (this.gathered.length >= LARGEST_BATCH) this.send()
    else this.schedule()
  }

  /** Resolves when everything added has been answered or given up. */
  async drain(): Promise<void> {
    while (this.gathered.length > 0 || this.underWay > 0) {
      if (this.gathered.length > 0) this.send()
      await new Promise<void>((resolve) => this.idle.push(resolve))
    }
  }

  private schedule(): void {
    if (this.scheduled || this.underWay > 0) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      if (this.gathered.length > 0) this.send()
    })
  }

  private send(): void {
    const batch = this.gathered
    this.gathered = []
    this.underWay++
    this.settle(batch)
      .catch((error) => this.giveUp(batch, error))
      .then(() => {
        this.underWay--
        if (this.gathered.length > 0) this.schedule()
        const waiting = this.idle
        this.idle = []
        for (const resolve of waiting) resolve()
      })
  }

  private async settle(batch: Attempt<T>[]): Promise<void> {
    const { store, stream, group, consumer, events, metrics } = this.member
    const where = `acknowledging ${stream} for group ${group}`
    let uncertain = false
    const fenced = await insist(this.member, where, (perhaps) => {
      uncertain = perhaps
      return store.settle(stream, group, consumer, batch)
    })
    const lost = fenced.length > 0 ? new Set(fenced) : undefined
    for (const attempt of batch) {
      this.holdings.remove(attempt)
      if (lost?.has(attempt.id)) {
        metrics.fenced++
        events.emit('fenced', { topic: this.member.topic, group, id: attempt.message.id, certain: !uncertain })
      } else {
        metrics.acknowledged++
      }
    }
  }

  /** They stay pending in the store: whoever finds them idle handles them once more. */
  private giveUp(batch: Attempt<T>[], error: unknown): void {
    report(this.member, error, `acknowledging ${this.member.stream} for group ${this.member.group}`)
    for (const attempt of batch) this.holdings.giveUp(attempt)
  }
}
