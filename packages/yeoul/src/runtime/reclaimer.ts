import type { Holdings } from './holdings.js'
import { type Member, report } from './member.js'
import { Periodic } from './periodic.js'
import { type Delivery, type PendingDelivery, StoreError } from './store.js'

const PAGE = 200

/**
 * Takes over what other consumers hold but have not touched for the visibility timeout; also what was delivered to this consumer
 * by an answer that never arrived.
 *
 * A crash burns an attempt of everything its worker held, also of what no handler had touched. So that bystanders of a message
 * that kills its worker do not end beside it in the dead letters, a delivery that would be the last one is taken alone: no other
 * such delivery is taken until it is done.
 */
export class Reclaimer<T> {
  private readonly periodic: Periodic
  private suspect: string | undefined
  /** The scan or recovery under way: one must not take what the other is about to take in. */
  private turn: Promise<unknown> = Promise.resolve()
  private startedAt = 0

  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly attempts: number,
    private readonly room: () => number,
    private readonly accept: (deliveries: readonly Delivery[]) => void,
    private readonly onLostAnswer: () => void,
  ) {
    this.periodic = new Periodic(
      member.clock,
      member.visibilityTimeout / 3,
      () => this.inTurn(() => this.scan()),
      (error) => report(member, error, `taking over of ${member.topic} for group ${member.group}`),
    )
    holdings.onRemove(() => {
      if (this.suspect === undefined || holdings.has(this.suspect)) return
      this.suspect = undefined
      this.periodic.poke()
    })
  }

  start(): void {
    this.startedAt = this.member.clock.monotonic()
    this.periodic.start(true)
  }

  /** Something was handed back, or there is reason to look now. */
  poke(): void {
    this.periodic.poke()
  }

  stop(): Promise<void> {
    return this.periodic.stop()
  }

  /**
   * Takes in what was delivered to this consumer since it started but never reached it. No handler has begun with it, so the lost
   * delivery does not count as an attempt. Must not run while a read is under way.
   */
  recover(): Promise<void> {
    return this.inTurn(async () => {
      const { store, stream, group, consumer, clock, visibilityTimeout } = this.member
      let from = '-'
      for (;;) {
        const page = await store.pending(stream, group, { from, count: PAGE, consumer })
        const age = clock.monotonic() - this.startedAt
        const own = page.filter(({ id, idle }) => idle < age && !this.holdings.has(id) && !this.holdings.gaveUp(id))
        if (own.length > 0) {
          await store.release(stream, group, consumer, own)
          const ids = own.map(({ id }) => id)
          // Idle since ever now, unless another worker was quicker: then it is that one's.
          this.accept(await store.claimIds(stream, group, consumer, ids, visibilityTimeout))
        }
        if (page.length < PAGE) return
        from = `(${page[page.length - 1].id}`
      }
    })
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.turn.then(work)
    this.turn = turn.catch(() => {})
    return turn
  }

  private async scan(): Promise<void> {
    const { store, stream, group, visibilityTimeout: minIdle } = this.member
    let from = '-'
    for (;;) {
      const room = this.room()
      if (room < 1) return
      const page = await store.pending(stream, group, { from, count: PAGE, minIdle })
      await this.takeOver(page.filter((delivery) => !this.holdings.has(delivery.id)).slice(0, room))
      if (page.length < PAGE) return
      from = `(${page[page.length - 1].id}`
    }
  }

  private async takeOver(idle: PendingDelivery[]): Promise<void> {
    const ids: string[] = []
    for (const delivery of idle) {
      if (this.attempts > 1 && delivery.deliveries + 1 === this.attempts) {
        if (this.suspect !== undefined) continue
        this.suspect = delivery.id
      }
      ids.push(delivery.id)
    }
    if (ids.length === 0) return
    const { store, stream, topic, group, consumer, visibilityTimeout, metrics, events } = this.member
    try {
      const deliveries = await store.claimIds(stream, group, consumer, ids, visibilityTimeout)
      if (deliveries.length === 0) return
      metrics.reclaimed += deliveries.length
      this.accept(deliveries)
      events.emit('reclaimed', { topic, group, count: deliveries.length })
    } catch (error) {
      if (error instanceof StoreError && error.outcome === 'unknown') this.onLostAnswer()
      throw error
    } finally {
      if (this.suspect !== undefined && !this.holdings.has(this.suspect)) this.suspect = undefined
    }
  }
}
