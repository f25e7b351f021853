import type { ChatMetrics } from '../metrics.js'
import type { ServerFrame } from '../protocol.js'
import type { Connection } from './connection.js'
import { type Arrival, Delivery } from './delivery.js'
import { Member, type ReadableHistory } from './member.js'

/** A room that somebody at this gateway is in. */
export class LocalRoom {
  readonly delivery: Delivery
  readonly #members = new Map<Connection, Member>()
  readonly #history: ReadableHistory
  readonly #metrics: ChatMetrics

  constructor(
    readonly name: string,
    history: ReadableHistory,
    metrics: ChatMetrics,
  ) {
    this.#history = history
    this.#metrics = metrics
    this.delivery = new Delivery((from, to) => history.between(name, from, to), {
      deliver: (arrival: Arrival) => {
        for (const member of this.#members.values()) member.deliver(arrival)
      },
      gapDetected: () => metrics.ledger.gapsDetected++,
      gapFilled: () => metrics.ledger.gapsFilled++,
      failed: () => undefined,
    })
  }

  get empty(): boolean {
    return this.#members.size === 0
  }

  has(connection: Connection): boolean {
    return this.#members.has(connection)
  }

  /** A member from now on; `join` of what is answered starts it. */
  enter(connection: Connection): Member {
    this.#members.get(connection)?.leave()
    const member = new Member(connection, this.name, this.delivery, this.#history, this.#metrics)
    this.#members.set(connection, member)
    return member
  }

  leave(connection: Connection): boolean {
    this.#members.get(connection)?.leave()
    return this.#members.delete(connection)
  }

  users(): Set<string> {
    const users = new Set<string>()
    for (const { user } of this.#members.keys()) if (user !== undefined) users.add(user)
    return users
  }

  /** Side information, in one serialisation for all; who reads too slowly goes without. */
  broadcast(frame: ServerFrame, except?: string): void {
    if (this.#members.size === 0) return
    const bytes = Buffer.from(JSON.stringify(frame))
    for (const connection of this.#members.keys()) {
      if (connection.user !== except && !connection.congested) connection.sendBytes(bytes)
    }
  }
}
