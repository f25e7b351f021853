import type { Clock } from './clock.js'
import type { EventSink } from './events.js'
import { dueChannel } from './keys.js'
import { report } from './member.js'
import type { TopicMetrics } from './metrics.js'
import { Promoter } from './promoter.js'
import type { StreamStore } from './store.js'

/** Runs one promoter per stream of this process, while a worker of the stream runs. */
export class Caretaker {
  private readonly promoters = new Map<string, { promoter: Promoter; users: number }>()
  /** The earliest due time announced and not yet past, per stream. */
  private readonly announced = new Map<string, number>()

  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    readonly events: EventSink,
  ) {}

  acquire(stream: string, metrics: TopicMetrics): void {
    const kept = this.promoters.get(stream)
    if (kept) {
      kept.users++
      return
    }
    const promoter = new Promoter(this.store, this.clock, this.events, metrics, stream)
    this.promoters.set(stream, { promoter, users: 1 })
    promoter.start()
  }

  async release(stream: string): Promise<void> {
    const kept = this.promoters.get(stream)
    if (!kept || --kept.users > 0) return
    this.promoters.delete(stream)
    await kept.promoter.stop()
  }

  /**
   * Something of this stream becomes due then: tells the promoters, here and elsewhere. What is due after something announced that
   * still lies ahead needs no word: whoever wakes for that one learns when the next is due.
   */
  scheduled(stream: string, due: number): void {
    this.promoters.get(stream)?.promoter.expect(due)
    const announced = this.announced.get(stream)
    if (announced !== undefined && announced > this.clock.now() && due >= announced) return
    this.announced.set(stream, due)
    this.store.channels
      .publish(dueChannel(stream), String(due))
      .catch((error) => report(this, error, `announcing a delayed message of ${stream}`))
  }
}
