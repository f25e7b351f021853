import type { Attempt } from './attempt.js'
import type { Holdings } from './holdings.js'
import { type Member, report } from './member.js'
import { Periodic } from './periodic.js'

const LARGEST_BATCH = 500

/**
 * Says "still at work" for every delivery held, queued and waiting ones too, three times within the visibility timeout. What
 * the store answers as lost is aborted and let go.
 */
export class Heartbeat<T> {
  private readonly periodic: Periodic

  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly onLost: (attempt: Attempt<T>) => void,
  ) {
    this.periodic = new Periodic(
      member.clock,
      member.visibilityTimeout / 3,
      () => this.beat(),
      (error) => report(member, error, `heartbeat of ${member.topic} for group ${member.group}`),
    )
  }

  start(): void {
    this.periodic.start()
  }

  stop(): Promise<void> {
    return this.periodic.stop()
  }

  private async beat(): Promise<void> {
    const { clock, visibilityTimeout } = this.member
    const recently = clock.monotonic() - visibilityTimeout / 6
    const due: Attempt<T>[] = []
    for (const attempt of this.holdings.values()) {
      if (attempt.beatAt <= recently && !attempt.lost && attempt.state !== 'settling') due.push(attempt)
    }
    for (let i = 0; i < due.length; i += LARGEST_BATCH) await this.send(due.slice(i, i + LARGEST_BATCH))
  }

  private async send(batch: Attempt<T>[]): Promise<void> {
    const { store, stream, group, consumer, clock } = this.member
    const sentAt = clock.monotonic()
    const lost = new Set(await store.heartbeat(stream, group, consumer, batch))
    for (const attempt of batch) {
      if (!lost.has(attempt.id)) attempt.beatAt = sentAt
      else if (attempt.state !== 'done' && attempt.state !== 'settling') this.onLost(attempt)
    }
  }
}
