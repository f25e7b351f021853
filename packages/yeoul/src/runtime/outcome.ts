import type { Acknowledger } from './acknowledger.js'
import type { Attempt } from './attempt.js'
import type { BackoffDelay } from './backoff.js'
import type { DeadLetterMove } from './dead-letter.js'
import { YeoulError } from './errors.js'
import type { Holdings } from './holdings.js'
import { type Member, report } from './member.js'
import type { Retries } from './retry.js'
import { endSpan } from './tracing.js'
import { Unrecoverable } from './verdict.js'

/** What follows an attempt: acknowledge, try again, or give up. The one place that decides. */
export class Outcome<T> {
  constructor(
    private readonly member: Member,
    private readonly holdings: Holdings<T>,
    private readonly acknowledger: Acknowledger<T>,
    private readonly retries: Retries<T>,
    private readonly deadLetters: DeadLetterMove<T>,
    private readonly attempts: number,
    private readonly backoff: BackoffDelay,
  ) {}

  succeeded(attempt: Attempt<T>): void {
    if (attempt.span) endSpan(attempt.span.span)
    if (attempt.lost) {
      this.dropLost(attempt)
      return
    }
    this.member.metrics.ok++
    this.acknowledger.add(attempt)
  }

  failed(attempt: Attempt<T>, error: unknown): void {
    if (attempt.span) endSpan(attempt.span.span, error)
    if (attempt.lost) {
      this.dropLost(attempt)
      return
    }
    const { message } = attempt
    this.member.metrics.failed++
    attempt.recordFailure(error)
    if (error instanceof Unrecoverable) {
      void this.deadLetters.bury(attempt, 'unrecoverable', error)
    } else if (message.attempt >= this.attempts) {
      void this.deadLetters.bury(attempt, 'exhausted', error)
    } else {
      const delay = this.delay(attempt, error)
      const { topic, group, events } = this.member
      events.emit('attempt-failed', { topic, group, id: message.id, attempt: message.attempt, error, delay })
      this.retries.retry(attempt, delay)
    }
  }

  /** The payload is at fault: no attempt at it can succeed. */
  unreadable(attempt: Attempt<T>, error: unknown): void {
    attempt.recordFailure(error)
    const invalid = error instanceof YeoulError && error.code === 'INVALID_MESSAGE'
    void this.deadLetters.bury(attempt, invalid ? 'invalid' : 'undecodable', error)
  }

  /** Taken over once too often: every attempt ended in a crash or a silence, nobody could say why. */
  exhaustedUnseen(attempt: Attempt<T>): void {
    const error = new YeoulError(
      'NO_OUTCOME',
      `${attempt.message.attempt - 1} attempts were made; the last ended without an outcome`,
    )
    attempt.recordFailure(error)
    void this.deadLetters.bury(attempt, 'exhausted', error)
  }

  lost(attempt: Attempt<T>): void {
    attempt.lose()
    if (attempt.state !== 'running') this.dropLost(attempt)
  }

  private dropLost(attempt: Attempt<T>): void {
    const { topic, group, events, metrics } = this.member
    metrics.fenced++
    this.holdings.remove(attempt)
    events.emit('fenced', { topic, group, id: attempt.message.id, certain: true })
  }

  /** A backoff function of the user may throw: that must not lose the message, so the default steps in. */
  private delay(attempt: Attempt<T>, error: unknown): number {
    try {
      return this.backoff(attempt.message.attempt, error)
    } catch (wrong) {
      report(this.member, wrong, 'backoff')
      return 1_000
    }
  }
}
