import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatMetrics } from '../metrics.js'
import type { ChatMessage } from '../protocol.js'
import type { Connection } from './connection.js'
import type { Arrival, Delivery } from './delivery.js'

/** Messages of one frame while catching up. */
const PAGE = 200
/** Sent to somebody who has nothing of the room yet. */
const FIRST_PAGE = 50
/** Missing more than this, one gets the newest page and asks for the rest where it is looked at. */
const MAX_CATCH_UP = 5_000
/** Between attempts while history cannot be read, ms. */
const RETRY = 1_000

/** What reads a room's messages by number. */
export interface ReadableHistory {
  between(room: string, from: number, to: number): Promise<ChatMessage[]>
}

/**
 * One connection in one room. It is *live* when it has everything that was delivered here, and then takes each message as it
 * comes; otherwise it catches up from its cursor in pages, as fast as the other side reads, until there is nothing between
 * the cursor and what was delivered. Looking and going live are one step, so nothing falls in between and nothing comes twice.
 */
export class Member {
  readonly #connection: Connection
  readonly #room: string
  readonly #delivery: Delivery
  readonly #history: ReadableHistory
  readonly #metrics: ChatMetrics
  /** Everything up to here was sent to this connection. */
  #cursor = 0
  #live = false
  #left = false

  constructor(
    connection: Connection,
    room: string,
    delivery: Delivery,
    history: ReadableHistory,
    metrics: ChatMetrics,
  ) {
    this.#connection = connection
    this.#room = room
    this.#delivery = delivery
    this.#history = history
    this.#metrics = metrics
  }

  /** Brings what comes after `after` (0 = has nothing), then goes live. */
  async join(after: number): Promise<void> {
    const { delivered, top } = this.#delivery
    let jumped = false
    // Past the end: numbers of another log, of which nothing joins on to this one.
    if (after === 0 || after > Math.max(delivered, top)) this.#cursor = Math.max(0, delivered - FIRST_PAGE)
    else if ((jumped = delivered - after > MAX_CATCH_UP)) this.#cursor = delivered - PAGE
    else this.#cursor = after
    await this.#catchUp(!jumped)
    this.#metrics.recovered(this.#live ? (jumped ? 'jumped' : 'complete') : 'failed')
  }

  leave(): void {
    this.#left = true
    this.#live = false
  }

  deliver({ message, frame }: Arrival): void {
    if (!this.#live || message.seq <= this.#cursor) return
    if (this.#connection.congested) {
      this.#live = false
      this.#metrics.behind()
      this.#connection.send({ type: 'behind', room: this.#room, top: this.#delivery.top })
      void this.#catchUp(true)
      return
    }
    this.#cursor = message.seq
    this.#metrics.ledger.delivered++
    this.#connection.sendBytes(frame)
  }

  /** `whole`: nothing before the cursor is missing on the other side. */
  async #catchUp(whole: boolean): Promise<void> {
    for (;;) {
      await this.#connection.drained()
      const from = this.#cursor + 1
      const to = Math.min(this.#cursor + PAGE, this.#delivery.delivered)
      let messages: ChatMessage[]
      try {
        messages =
          this.#delivery.recent(from, to)?.map(({ message }) => message) ??
          (await this.#history.between(this.#room, from, to))
      } catch {
        // Log or database do not answer: the page shows that it is catching up until they do.
        if (this.#left || !this.#connection.open) return
        await sleep(RETRY, undefined, { ref: false })
        continue
      }
      if (this.#left || !this.#connection.open) return
      this.#cursor = Math.max(this.#cursor, to)
      const { delivered, top } = this.#delivery
      this.#live = this.#cursor >= delivered
      this.#metrics.ledger.delivered += messages.length
      this.#connection.send({
        type: 'messages',
        room: this.#room,
        messages,
        top: Math.max(top, delivered),
        complete: whole && this.#live,
      })
      if (this.#live) return
    }
  }
}
