import type { ChatMessage } from '../../../server/protocol.js'

/** Sequences from…to, both included, that are known to exist and are not held. */
export interface Gap {
  from: number
  to: number
}

/**
 * The messages of one room that this page holds, keyed by sequence. Whatever order frames come in and however often, each
 * sequence is held once, and a hole between what is held is a gap, never silence.
 *
 * Two bounds: `liveAfter` is the sequence after which everything must arrive (the `after` of the join); below it lies
 * history, which is fetched on demand. `top` is the last sequence the server is known to have given out.
 */
export class Timeline {
  readonly #bySeq = new Map<number, ChatMessage>()
  /** The sequence that shows a client id. The same send under a second sequence keeps its place but is not shown. */
  readonly #shown = new Map<string, number>()
  /** Sequences that were given out and have no message any more. */
  readonly #absent = new Set<number>()
  /** Derived from the two maps when next asked for. */
  #ordered: readonly ChatMessage[] | null = []
  #seqs: readonly number[] | null = []
  #contiguous = 0
  liveAfter: number | null = null
  top = 0
  stored = 0

  /** Takes messages in any order; answers those not held before, ascending. */
  merge(messages: readonly ChatMessage[]): ChatMessage[] {
    const added: ChatMessage[] = []
    for (const message of messages) {
      const held = this.#bySeq.get(message.seq)
      if (held) {
        if (message.stored && !held.stored) this.#replace({ ...held, stored: true })
        continue
      }
      this.#bySeq.set(message.seq, message)
      const sender = `${message.user}/${message.clientId}`
      if (!this.#shown.has(sender)) this.#shown.set(sender, message.seq)
      if (message.seq > this.top) this.top = message.seq
      added.push(message)
    }
    if (added.length > 0) this.#ordered = this.#seqs = null
    return added.sort((a, b) => a.seq - b.seq)
  }

  /** Live delivery starts after this sequence. A second call (a reconnect) never moves it up: held history stays joined. */
  startAfter(seq: number): void {
    if (this.liveAfter === null || seq < this.liveAfter) {
      this.liveAfter = seq
      this.#contiguous = seq
    }
  }

  markStored(seq: number): void {
    if (seq > this.stored) this.stored = seq
  }

  /** All of from…to was asked for and answered: what is not held of it does not exist any more. */
  markAnswered(from: number, to: number): void {
    for (let seq = from; seq <= to; seq++) if (!this.#bySeq.has(seq)) this.#absent.add(seq)
    this.#seqs = null
  }

  raiseTop(seq: number): void {
    if (seq > this.top) this.top = seq
  }

  has(seq: number): boolean {
    return this.#bySeq.has(seq)
  }

  hasClientId(user: string, clientId: string): boolean {
    return this.#shown.has(`${user}/${clientId}`)
  }

  get(seq: number): ChatMessage | undefined {
    return this.#bySeq.get(seq)
  }

  isStored(message: ChatMessage): boolean {
    return message.stored || message.seq <= this.stored
  }

  /** Held messages to show, ascending. The array is replaced, never changed, so it can be compared by identity. */
  messages(): readonly ChatMessage[] {
    this.#ordered ??= [...this.#bySeq.values()]
      .filter((message) => this.#shown.get(`${message.user}/${message.clientId}`) === message.seq)
      .sort((a, b) => a.seq - b.seq)
    return this.#ordered
  }

  /** Last sequence up to which nothing is missing since `liveAfter`: what a reconnect resumes from. */
  contiguous(): number {
    if (this.liveAfter === null) return 0
    while (this.#bySeq.has(this.#contiguous + 1) || this.#absent.has(this.#contiguous + 1)) this.#contiguous++
    return this.#contiguous
  }

  /** First sequence held or known to be absent; null when there is none. */
  first(): number | null {
    return this.#sortedSeqs()[0] ?? null
  }

  /**
   * Holes between held sequences, from the start of live delivery to the first one, and from the last one to `top`. What lies
   * before both is history, no gap.
   */
  gaps(): Gap[] {
    const gaps: Gap[] = []
    const seqs = this.#sortedSeqs()
    const first = seqs[0]
    if (first === undefined && this.liveAfter === null) return gaps
    let previous = Math.min(first ?? Number.POSITIVE_INFINITY, this.liveAfter ?? Number.POSITIVE_INFINITY)
    for (const seq of seqs) {
      if (seq > previous + 1) gaps.push({ from: previous + 1, to: seq - 1 })
      previous = seq
    }
    if (this.top > previous) gaps.push({ from: previous + 1, to: this.top })
    return gaps
  }

  /** Sequences above `liveAfter` not held yet: what "catching up" still has to bring. */
  missingLive(): number {
    const after = this.liveAfter
    if (after === null) return 0
    return this.gaps().reduce((sum, gap) => sum + Math.max(0, gap.to - Math.max(gap.from - 1, after)), 0)
  }

  #sortedSeqs(): readonly number[] {
    this.#seqs ??= [...this.#bySeq.keys(), ...this.#absent].sort((a, b) => a - b)
    return this.#seqs
  }

  #replace(message: ChatMessage): void {
    this.#bySeq.set(message.seq, message)
    this.#ordered = null
  }
}
