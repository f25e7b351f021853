import type { Attempt, HandlerContext } from './attempt.js'
import type { Deadlines } from './deadlines.js'
import { YeoulError } from './errors.js'
import type { Format } from './format.js'
import type { Member } from './member.js'
import type { Message } from './message.js'
import type { Outcome } from './outcome.js'
import { startProcess, tracingEnabled } from './tracing.js'

/** Resolving acknowledges the message; throwing or rejecting fails the attempt. */
export type Handler<T> = (message: Message<T>, context: HandlerContext) => unknown

/** Carries attempts to the user's code, within a concurrency. */
export interface Runner<T> {
  submit(attempt: Attempt<T>): void
  readonly queued: number
  /** Handlers under way. */
  readonly running: number
  /** Takes back what has not begun; nothing begins afterwards. */
  close(): Attempt<T>[]
  /** Aborts the signals of what is under way and answers it; what those handlers say from then on is not heard. */
  abandon(reason: YeoulError): Attempt<T>[]
  /** Resolves when no handler is under way. */
  idle(): Promise<void>
}

/** One message to a handler call. */
export class MessageRunner<T> implements Runner<T> {
  running = 0
  private queue: Attempt<T>[] = []
  private head = 0
  private pumping = false
  private pumpScheduled = false
  private readonly active = new Set<Attempt<T>>()
  private waiters: (() => void)[] = []

  constructor(
    private readonly member: Member,
    private readonly format: Format<never, T>,
    private readonly handler: Handler<T>,
    private readonly outcome: Outcome<T>,
    private readonly deadlines: Deadlines,
    private readonly concurrency: number,
    /** ms per attempt; 0 = none. */
    private readonly timeout: number,
    private readonly onStart: (attempt: Attempt<T>, waited: number) => void,
  ) {}

  get queued(): number {
    return this.queue.length - this.head
  }

  submit(attempt: Attempt<T>): void {
    this.queue.push(attempt)
    if (this.running < this.concurrency) this.pump()
  }

  close(): Attempt<T>[] {
    const rest = this.queue.slice(this.head)
    this.queue = []
    this.head = 0
    return rest
  }

  abandon(reason: YeoulError): Attempt<T>[] {
    const abandoned = [...this.active]
    for (const attempt of abandoned) {
      this.leave(attempt)
      attempt.abort(reason)
    }
    return abandoned
  }

  async idle(): Promise<void> {
    while (this.running > 0) await new Promise<void>((resolve) => this.waiters.push(resolve))
  }

  /** A handler that answers at once returns here while the loop still runs: the flag keeps the stack flat. */
  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    while (this.running < this.concurrency && this.head < this.queue.length) {
      const attempt = this.queue[this.head++]
      if (attempt.state === 'queued' && !attempt.lost) this.begin(attempt)
    }
    if (this.head === this.queue.length) {
      this.queue.length = 0
      this.head = 0
    } else if (this.head > 1_024) {
      this.queue.splice(0, this.head)
      this.head = 0
    }
    this.pumping = false
  }

  /** Once for all the handlers that end in one turn of the microtask queue. */
  private readonly pumpLater = (): void => {
    this.pumpScheduled = false
    this.pump()
  }

  private begin(attempt: Attempt<T>): void {
    const now = this.member.clock.monotonic()
    attempt.state = 'running'
    attempt.startedAt = now
    this.running++
    this.member.metrics.running++
    this.active.add(attempt)
    this.onStart(attempt, now - attempt.receivedAt)
    let value: T | Promise<T>
    try {
      value = this.format.decode(attempt.message)
    } catch (error) {
      this.leave(attempt)
      this.outcome.unreadable(attempt, error)
      return
    }
    if (value instanceof Promise) {
      value.then(
        (settled) => {
          if (this.active.has(attempt)) this.call(attempt, settled, this.member.clock.monotonic())
        },
        (error) => {
          if (this.leave(attempt)) this.outcome.unreadable(attempt, error)
        },
      )
    } else {
      this.call(attempt, value, now)
    }
  }

  /** `from`: monotonic ms from which the attempt's time counts. */
  private call(attempt: Attempt<T>, value: T, from: number): void {
    attempt.message.value = value
    if (this.timeout > 0) {
      attempt.deadline = this.deadlines.addAt(from + this.timeout, this.expire, attempt)
    }
    let result: unknown
    try {
      if (tracingEnabled()) {
        attempt.span = startProcess(attempt.message, this.member.group, this.member.consumer)
        result = attempt.span.run(() => this.handler(attempt.message, attempt))
      } else {
        result = this.handler(attempt.message, attempt)
      }
    } catch (error) {
      this.fail(attempt, error)
      return
    }
    if (isPromise(result)) {
      result.then(
        () => this.succeed(attempt),
        (error) => this.fail(attempt, error),
      )
    } else {
      this.succeed(attempt)
    }
  }

  private succeed(attempt: Attempt<T>): void {
    if (!this.leave(attempt)) return
    this.member.metrics.handlerDuration.observe((this.member.clock.monotonic() - attempt.startedAt) / 1_000)
    this.outcome.succeeded(attempt)
  }

  private fail(attempt: Attempt<T>, error: unknown): void {
    if (!this.leave(attempt)) return
    this.member.metrics.handlerDuration.observe((this.member.clock.monotonic() - attempt.startedAt) / 1_000)
    this.outcome.failed(attempt, error)
  }

  /**
   * The attempt is over at its deadline whether or not the handler heeds the signal: a handler that hangs must not hold a place
   * for ever. What it answers later is not heard.
   */
  private readonly expire = (attempt: Attempt<T>): void => {
    const error = new YeoulError(
      'ATTEMPT_TIMEOUT',
      `attempt ${attempt.message.attempt} took longer than ${this.timeout} ms`,
    )
    attempt.abort(error)
    this.member.metrics.timedOut++
    this.fail(attempt, error)
  }

  /** Frees the attempt's place; false when it was freed before (timed out, abandoned). */
  private leave(attempt: Attempt<T>): boolean {
    if (!this.active.delete(attempt)) return false
    if (attempt.deadline) this.deadlines.cancel(attempt.deadline)
    this.running--
    this.member.metrics.running--
    if (this.running === 0) {
      const waiters = this.waiters
      this.waiters = []
      for (const resolve of waiters) resolve()
    }
    if (!this.pumping && !this.pumpScheduled && this.head < this.queue.length) {
      this.pumpScheduled = true
      queueMicrotask(this.pumpLater)
    }
    return true
  }
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
