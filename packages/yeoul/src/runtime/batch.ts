import type { Attempt } from './attempt.js'
import type { Deadline, Deadlines } from './deadlines.js'
import { YeoulError } from './errors.js'
import type { Format } from './format.js'
import type { Runner } from './handler.js'
import type { Member } from './member.js'
import type { Message } from './message.js'
import type { Outcome } from './outcome.js'
import { endSpan, type ProcessSpan, startBatch, tracingEnabled } from './tracing.js'

export interface BatchContext<T> {
  /** Aborted at the batch's timeout and at the deadline of `stop()`. */
  readonly signal: AbortSignal
  /** Says "still at work" now for the whole batch; answers the messages that others have taken over. */
  heartbeat(): Promise<Message<T>[]>
  /** Fails this one message; the others of the batch succeed when the handler does. */
  fail(message: Message<T>, error: unknown): void
  readonly consumer: string
}

/** Resolving acknowledges all messages but those given to `context.fail`; throwing fails every one of them. */
export type BatchHandler<T> = (messages: Message<T>[], context: BatchContext<T>) => unknown

class Batch<T> implements BatchContext<T> {
  readonly controller = new AbortController()
  readonly failed = new Map<Message<T>, unknown>()
  /** Those that decode; filled before the handler is called. */
  readonly readable: Attempt<T>[] = []
  deadline: Deadline | undefined
  startedAt = 0
  span: ProcessSpan | undefined

  constructor(private readonly member: Member) {}

  get signal(): AbortSignal {
    return this.controller.signal
  }

  get consumer(): string {
    return this.member.consumer
  }

  async heartbeat(): Promise<Message<T>[]> {
    const { store, stream, group, consumer, clock } = this.member
    const lost = new Set(await store.heartbeat(stream, group, consumer, this.readable))
    const now = clock.monotonic()
    for (const attempt of this.readable) {
      if (lost.has(attempt.id)) attempt.lose()
      else attempt.beatAt = now
    }
    return this.readable.filter((attempt) => attempt.lost).map((attempt) => attempt.message)
  }

  fail(message: Message<T>, error: unknown): void {
    if (!this.readable.some((attempt) => attempt.message === message)) {
      throw new YeoulError('INVALID_OPTION', `context.fail: message ${message.id} is not of this batch`)
    }
    this.failed.set(message, error)
  }
}

/** Many messages to a handler call: as many as have come within `wait` of the first, at most `size`. */
export class BatchRunner<T> implements Runner<T> {
  private queue: Attempt<T>[] = []
  private gathering: Deadline | undefined
  private readonly active = new Set<Batch<T>>()
  private waiters: (() => void)[] = []

  constructor(
    private readonly member: Member,
    private readonly format: Format<never, T>,
    private readonly handler: BatchHandler<T>,
    private readonly outcome: Outcome<T>,
    private readonly deadlines: Deadlines,
    /** Batches at a time. */
    private readonly concurrency: number,
    private readonly timeout: number,
    private readonly size: number,
    private readonly wait: number,
    private readonly onStart: (attempt: Attempt<T>, waited: number) => void,
  ) {}

  get queued(): number {
    return this.queue.length
  }

  get running(): number {
    return this.active.size
  }

  submit(attempt: Attempt<T>): void {
    this.queue.push(attempt)
    if (this.queue.length >= this.size) this.pump(false)
    else this.gathering ??= this.deadlines.add(this.wait, () => this.pump(true))
  }

  close(): Attempt<T>[] {
    const rest = this.queue
    this.queue = []
    if (this.gathering) this.deadlines.cancel(this.gathering)
    return rest
  }

  abandon(reason: YeoulError): Attempt<T>[] {
    const abandoned: Attempt<T>[] = []
    for (const batch of [...this.active]) {
      abandoned.push(...batch.readable)
      this.leave(batch, reason)
      batch.controller.abort(reason)
    }
    return abandoned
  }

  async idle(): Promise<void> {
    while (this.active.size > 0) await new Promise<void>((resolve) => this.waiters.push(resolve))
  }

  /** `short`: the wait is over, a batch that is not full goes too. */
  private pump(short: boolean): void {
    if (short) this.gathering = undefined
    while (
      this.active.size < this.concurrency &&
      (this.queue.length >= this.size || (short && this.queue.length > 0))
    ) {
      const attempts = this.queue.splice(0, this.size).filter((attempt) => attempt.state === 'queued' && !attempt.lost)
      if (attempts.length > 0) void this.run(attempts)
    }
    if (this.queue.length > 0 && this.active.size < this.concurrency) {
      this.gathering ??= this.deadlines.add(this.wait, () => this.pump(true))
    }
  }

  private async run(attempts: Attempt<T>[]): Promise<void> {
    const batch = new Batch<T>(this.member)
    this.active.add(batch)
    this.member.metrics.running++
    batch.startedAt = this.member.clock.monotonic()
    for (const attempt of attempts) {
      attempt.state = 'running'
      this.onStart(attempt, batch.startedAt - attempt.receivedAt)
      try {
        attempt.message.value = await this.format.decode(attempt.message)
        batch.readable.push(attempt)
      } catch (error) {
        this.outcome.unreadable(attempt, error)
      }
    }
    if (batch.readable.length === 0 || !this.active.has(batch)) {
      this.leave(batch)
      return
    }
    if (this.timeout > 0) batch.deadline = this.deadlines.add(this.timeout, () => this.expire(batch))
    try {
      const messages = batch.readable.map((attempt) => attempt.message)
      if (tracingEnabled()) {
        batch.span = startBatch(messages, this.member.group, this.member.consumer)
        await batch.span.run(() => this.handler(messages, batch))
      } else {
        await this.handler(messages, batch)
      }
      this.finish(batch)
    } catch (error) {
      this.finish(batch, { error })
    }
  }

  private finish(batch: Batch<T>, thrown?: { error: unknown }): void {
    if (!this.leave(batch, thrown?.error)) return
    const { metrics, clock } = this.member
    metrics.handlerDuration.observe((clock.monotonic() - batch.startedAt) / 1_000)
    for (const attempt of batch.readable) {
      if (thrown) this.outcome.failed(attempt, thrown.error)
      else if (batch.failed.has(attempt.message)) this.outcome.failed(attempt, batch.failed.get(attempt.message))
      else this.outcome.succeeded(attempt)
    }
  }

  private expire(batch: Batch<T>): void {
    const error = new YeoulError(
      'ATTEMPT_TIMEOUT',
      `a batch of ${batch.readable.length} took longer than ${this.timeout} ms`,
    )
    batch.controller.abort(error)
    this.member.metrics.timedOut += batch.readable.length
    this.finish(batch, { error })
  }

  private leave(batch: Batch<T>, error?: unknown): boolean {
    if (!this.active.delete(batch)) return false
    if (batch.span) endSpan(batch.span.span, error)
    if (batch.deadline) this.deadlines.cancel(batch.deadline)
    this.member.metrics.running--
    if (this.active.size === 0) {
      const waiters = this.waiters
      this.waiters = []
      for (const resolve of waiters) resolve()
    }
    this.pump(this.gathering === undefined)
    return true
  }
}
