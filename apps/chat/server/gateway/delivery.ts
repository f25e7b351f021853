import type { ChatMessage } from '../protocol.js'

/** A message and the bytes of its frame, made once for everybody. */
export interface Arrival {
  message: ChatMessage
  frame: Buffer
}

/** Numbers filled in one step. */
const FILL_PAGE = 200
/** Hints held while a hole before them is filled; beyond, they are dropped and filled too. */
const MAX_EARLY = 1_000
/** Last messages kept at hand, for those who join or catch up. */
const RECENT = 256

export interface DeliveryEvents {
  /** In order of sequence, each number once. */
  deliver(arrival: Arrival): void
  gapDetected(): void
  gapFilled(): void
  failed(error: unknown): void
}

/**
 * Brings one room's messages in order. Hints come in any order, twice, or not at all; a number that is skipped is a hole, which is
 * filled from history before anything after it is handed on. Numbers that have no message any more are passed over.
 */
export class Delivery {
  readonly #fill: (from: number, to: number) => Promise<ChatMessage[]>
  readonly #events: DeliveryEvents
  readonly #early = new Map<number, Arrival>()
  readonly #recent: Arrival[] = []
  #delivered: number | undefined
  /** The highest number known to be given out. */
  #top = 0
  #filling: Promise<void> | undefined

  constructor(fill: (from: number, to: number) => Promise<ChatMessage[]>, events: DeliveryEvents) {
    this.#fill = fill
    this.#events = events
  }

  /** Everything up to this number was handed on. */
  get delivered(): number {
    return this.#delivered ?? 0
  }

  get top(): number {
    return this.#top
  }

  /** Begins after `top`; hints that came before this call are kept for it. */
  begin(top: number): void {
    if (this.#delivered !== undefined) return
    this.#delivered = top
    for (const seq of this.#early.keys()) if (seq <= top) this.#early.delete(seq)
    this.#advance()
  }

  offer(arrival: Arrival): void {
    const { seq } = arrival.message
    if (this.#delivered !== undefined && seq <= this.#delivered) return
    if (seq > this.#top) this.#top = seq
    if (seq !== this.delivered + 1 && this.#early.size >= MAX_EARLY) return
    this.#early.set(seq, arrival)
    this.#advance()
  }

  /** The log has given out `top`: fills what has not come. */
  reach(top: number): void {
    if (top > this.#top) this.#top = top
    this.#advance()
  }

  /** Frames of from…to when all of them are at hand. */
  recent(from: number, to: number): Arrival[] | undefined {
    const first = this.#recent[0]?.message.seq
    if (first === undefined || from < first) return undefined
    const found = this.#recent.filter(({ message }) => message.seq >= from && message.seq <= to)
    return found.length === to - from + 1 ? found : undefined
  }

  /** Settles when no hole is being filled. */
  async settled(): Promise<void> {
    while (this.#filling) await this.#filling
  }

  #advance(): void {
    if (this.#delivered === undefined || this.#filling) return
    this.#handOn()
    if (this.#delivered >= this.#top) return
    this.#events.gapDetected()
    this.#filling = this.#fillHoles().finally(() => {
      this.#filling = undefined
      // What came while the last step was ending.
      if (this.#early.has(this.delivered + 1)) this.#advance()
    })
  }

  #handOn(): void {
    for (let arrival = this.#early.get(this.delivered + 1); arrival; arrival = this.#early.get(this.delivered + 1)) {
      this.#early.delete(arrival.message.seq)
      this.#deliver(arrival)
    }
  }

  async #fillHoles(): Promise<void> {
    try {
      while (this.delivered < this.#top) {
        const from = this.delivered + 1
        const to = Math.min(this.#top, from + FILL_PAGE - 1, ...[...this.#early.keys()].map((seq) => seq - 1))
        const found = new Map((await this.#fill(from, to)).map((message) => [message.seq, message]))
        for (let seq = from; seq <= to; seq++) {
          const message = found.get(seq)
          const arrival = this.#early.get(seq) ?? (message && { message, frame: frameOf(message) })
          this.#early.delete(seq)
          if (arrival) this.#deliver(arrival)
        }
        this.#delivered = to
        this.#handOn()
      }
      this.#events.gapFilled()
    } catch (error) {
      // The next hint or the next check tries again.
      this.#events.failed(error)
    }
  }

  #deliver(arrival: Arrival): void {
    this.#delivered = arrival.message.seq
    this.#recent.push(arrival)
    if (this.#recent.length > RECENT) this.#recent.shift()
    this.#events.deliver(arrival)
  }
}

function frameOf(message: ChatMessage): Buffer {
  return Buffer.from(JSON.stringify({ type: 'message', message }))
}
