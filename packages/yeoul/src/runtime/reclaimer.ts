import type { Holdings } from './holdings.js'
import { type Member, report } from './member.js'
import { Periodic } from './periodic.js'
import type { Delivery, PendingDelivery } from './store.js'

const PAGE = 200

/**
 * Takes over what other consumers hold but have not touched for the visibility timeout; also what the store counts as this
 * consumer's own though the answer never arrived.
 *
 * A crash burns an attempt of everything its worker held, also of what no handler had touched. So that bystanders of a message
 * that kills its worker do not end beside it in the dead letters, a delivery that would be the last one is taken alone: no other
 * such delivery is taken until it is done.
 */
export class Reclaimer<T> {
  private readonly periodic: Periodic
  private suspect: string | undefined

  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly attempts: number,
    private readonly room: () => number,
    private readonly accept: (deliveries: readonly Delivery[]) => void,
  ) {
    this.periodic = new Periodic(
      member.clock,
      member.visibilityTimeout / 3,
      () => this.scan(),
      (error) => report(member, error, `taking over of ${member.topic} for group ${member.group}`),
    )
    holdings.onRemove(() => {
      if (this.suspect === undefined || holdings.has(this.suspect)) return
      this.suspect = undefined
      this.periodic.poke()
    })
  }

  start(): void {
    this.periodic.start(true)
  }

  /** Something was handed back, or there is reason to look now. */
  poke(): void {
    this.periodic.poke()
  }

  stop(): Promise<void> {
    return this.periodic.stop()
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
    } finally {
      if (this.suspect !== undefined && !this.holdings.has(this.suspect)) this.suspect = undefined
    }
  }
}
