import type { Duration } from './duration.js'
import { YeoulError } from './errors.js'

/** Throw it from a handler to say when to try again, in place of the worker's backoff. The attempt counts. */
export class RetryAfter extends YeoulError {
  override readonly name = 'RetryAfter'
  constructor(
    readonly delay: Duration,
    reason = `try again in ${delay}`,
  ) {
    super('RETRY_AFTER', reason)
  }
}

/** Throw it from a handler to send the message to the dead letters at once. */
export class Unrecoverable extends YeoulError {
  override readonly name = 'Unrecoverable'
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super('UNRECOVERABLE', reason, options)
  }
}
