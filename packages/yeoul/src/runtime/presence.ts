import { type Member, report } from './member.js'
import { Periodic } from './periodic.js'
import type { Registry, WorkerBeat } from './registry.js'

const INTERVAL = 10_000
/** Every n-th beat also looks after consumers that are gone. */
const CLEANING = 6
/** Without a beat for this long, and for three visibility timeouts, a worker counts as gone. */
const GONE_AFTER = 60_000

/**
 * Says in the registry that this worker is there, and removes consumers whose workers are gone, once they hold nothing: their
 * deliveries are taken over first, by the reclaimer. Consumers that no yeoul worker registered are left alone.
 */
export class Presence {
  private readonly periodic: Periodic
  private beats = 0

  constructor(
    private readonly member: Member,
    private readonly registry: Registry,
    private readonly describe: () => WorkerBeat,
  ) {
    this.periodic = new Periodic(
      member.clock,
      INTERVAL,
      () => this.beat(),
      (error) => report(member, error, `registering a worker of ${member.topic} for group ${member.group}`),
    )
  }

  start(): void {
    this.periodic.start(true)
  }

  /** `left`: the consumer is gone from the group. Otherwise the record stays, for others to remove both later. */
  async stop(left: boolean): Promise<void> {
    await this.periodic.stop()
    if (left) await this.registry.removeWorker(this.describe())
    else await this.registry.beat(this.describe())
  }

  private async beat(): Promise<void> {
    await this.registry.beat(this.describe())
    if (this.beats++ % CLEANING === 0) await this.removeGone()
  }

  private async removeGone(): Promise<void> {
    const { store, stream, topic, group, consumer, clock, visibilityTimeout } = this.member
    const oldest = clock.now() - Math.max(GONE_AFTER, 3 * visibilityTimeout)
    const gone = (await this.registry.workers()).filter(
      (beat) => beat.topic === topic && beat.group === group && beat.consumer !== consumer && beat.beatAt < oldest,
    )
    if (gone.length === 0) return
    const listed = new Map((await store.consumers(stream, group)).map((info) => [info.name, info]))
    for (const beat of gone) {
      const info = listed.get(beat.consumer)
      if (!info || (info.pending === 0 && (await store.removeConsumer(stream, group, beat.consumer)))) {
        await this.registry.removeWorker(beat)
      }
    }
  }
}
