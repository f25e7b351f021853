import type { Deadline } from './deadlines.js'
import { type Failure, failureOf } from './entry-fields.js'
import { YeoulError } from './errors.js'
import type { Member } from './member.js'
import type { ReceivedMessage } from './message.js'
import type { Held } from './store.js'
import type { ProcessSpan } from './tracing.js'

/** What a handler gets beside the message. */
export interface HandlerContext {
  /** Aborted at the attempt's timeout, when the message was taken over, and at the deadline of `stop()`. */
  readonly signal: AbortSignal
  /**
   * Says "still at work" now, in place of the regular beats, which a busy event loop delays. Rejects with FENCED when another
   * consumer has taken the message over.
   */
  heartbeat(): Promise<void>
  /**
   * Grows with every delivery of this entry. Store it beside your own writes of this `message.entryId` and
   * refuse a smaller one.
   */
  readonly fence: number
  readonly consumer: string
}

/**
 * A delivery on its way through the worker:
 *
 *     queued ──▶ running ──▶ settling ──▶ done          the handler succeeded
 *                   │ └────▶ burying  ──▶ done          dead-lettered or rescheduled
 *                   └──────▶ waiting  ──▶ (a new Attempt)   a short retry keeps the pending entry
 *
 * From any state but done it may be `lost` to another consumer.
 */
export type AttemptState = 'queued' | 'running' | 'settling' | 'burying' | 'waiting' | 'done'

export class Attempt<T> implements HandlerContext, Held {
  readonly id: string
  state: AttemptState = 'queued'
  /** Another consumer owns the delivery. */
  lost = false
  /** Monotonic ms of the last sign of life that the store knows. */
  beatAt: number
  /** Monotonic ms. */
  startedAt = 0
  /** An acknowledgement of it may have happened though its answer never came. */
  uncertain = false
  deadline: Deadline | undefined
  span: ProcessSpan | undefined
  private controller: AbortController | undefined
  private ownFailures: Failure[] | undefined

  constructor(
    private readonly member: Member,
    readonly message: ReceivedMessage<T>,
    readonly deliveries: number,
    readonly receivedAt: number,
    previous?: Attempt<T>,
  ) {
    this.id = message.entryId
    this.beatAt = receivedAt
    message.attempt = message.carriedAttempts + deliveries
    this.ownFailures = previous?.ownFailures
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    return this.controller.signal
  }

  get fence(): number {
    return this.deliveries
  }

  get consumer(): string {
    return this.member.consumer
  }

  async heartbeat(): Promise<void> {
    if (!this.lost) {
      const { store, stream, group, consumer } = this.member
      const lost = await store.heartbeat(stream, group, consumer, [this])
      if (lost.length === 0) {
        this.beatAt = this.member.clock.monotonic()
        return
      }
      this.lose()
    }
    throw fenced(this.message.topic, this.id)
  }

  /** Aborts `signal`; nobody who never asked for it pays for it. */
  abort(reason: YeoulError): void {
    if (this.controller) this.controller.abort(reason)
    else {
      this.controller = new AbortController()
      this.controller.abort(reason)
    }
  }

  lose(): void {
    this.lost = true
    this.abort(fenced(this.message.topic, this.id))
  }

  recordFailure(error: unknown): void {
    this.ownFailures ??= []
    this.ownFailures.push(
      failureOf(error, this.message.attempt, new Date(this.member.clock.now()), this.member.consumer),
    )
  }

  /** Of every attempt as far as known: those carried by the entry, then those of this process. */
  get failures(): Failure[] {
    return [...this.message.carriedFailures, ...(this.ownFailures ?? [])]
  }
}

function fenced(topic: string, id: string): YeoulError {
  return new YeoulError('FENCED', `${topic} ${id}: taken over by another consumer`)
}
