import { StoreError, type StoreErrorCode } from './store.js'

/**
 * The closed catalogue: whether the same call can succeed later without anybody changing anything, and what to do.
 */
export const ERRORS = {
  INVALID_OPTION: { retriable: false, advice: 'Correct the option named in the message.' },
  INVALID_VALUE: {
    retriable: false,
    advice: "Publish a value that fits the topic's schema; `issues` names what does not.",
  },
  UNENCODABLE: { retriable: false, advice: "Publish a value that the topic's codec can write." },
  UNDECODABLE: {
    retriable: false,
    advice: "Correct the producer, or choose the topic's `codec` and `field` to fit what it writes; then redrive.",
  },
  INVALID_MESSAGE: {
    retriable: false,
    advice: "Correct the producer or widen the topic's schema, then redrive; `issues` names what does not fit.",
  },
  UNKNOWN_VERSION: {
    retriable: false,
    advice: 'Deploy the release that knows this version of the payload, or give its upcaster; then redrive.',
  },
  PARTIAL_PUBLISH: { retriable: true, advice: 'Publish again those whose entry in `results` is rejected.' },
  BOUND_REACHED: { retriable: true, advice: 'Let the workers catch up, start more of them, or raise the bound.' },
  ATTEMPT_TIMEOUT: { retriable: true, advice: 'Let the handler honour `context.signal`, or raise `timeout`.' },
  FENCED: {
    retriable: false,
    advice:
      'Another consumer has taken the message over: drop this attempt. Long handlers keep theirs by not blocking the event loop.',
  },
  STOPPING: { retriable: true, advice: 'The worker is stopping; another one gets the message.' },
  WORKER_STATE: { retriable: false, advice: 'Start a worker once; make a new one after it was stopped.' },
  RETRY_AFTER: { retriable: true, advice: 'Thrown by a handler to choose the delay of the next attempt.' },
  UNRECOVERABLE: { retriable: false, advice: 'Thrown by a handler: no further attempt helps. See the dead letters.' },
  NO_OUTCOME: {
    retriable: true,
    advice: 'The worker that had the message stopped answering: look for a crash or a blocked event loop at that time.',
  },
  GROUP_MISSING: { retriable: true, advice: 'Make the group, or start a worker of it: it makes the group.' },
  NOT_A_STREAM: { retriable: false, advice: 'Another kind of value has this key: choose another topic name.' },
  STORE_UNAVAILABLE: {
    retriable: true,
    advice: 'Check that the server runs and can be reached, or the disk has space.',
  },
  STORE_UNAUTHORIZED: { retriable: false, advice: 'Check user, password and permissions in the URL.' },
  STORE_REFUSED: { retriable: false, advice: "See the server's own words in the message." },
  CLOSED: { retriable: false, advice: 'Connect again: close() was called.' },
} as const satisfies Record<string, { retriable: boolean; advice: string }>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  cause?: unknown
  /** More to the point than the catalogue's. */
  advice?: string
  /** Of a write: did it happen? */
  outcome?: 'none' | 'unknown'
  /** Of INVALID_VALUE and INVALID_MESSAGE: what does not fit, and where. */
  issues?: readonly Issue[]
}

export interface Issue {
  message: string
  /** `items.0.price`; empty = the value itself. */
  path: string
}

export class YeoulError extends Error {
  override readonly name: string = 'YeoulError'
  readonly code: ErrorCode
  /** Whether the same call can succeed later without anybody changing anything. */
  readonly retriable: boolean
  readonly advice: string
  readonly outcome: 'none' | 'unknown' | undefined
  readonly issues: readonly Issue[] | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.retriable = ERRORS[code].retriable
    this.advice = details.advice ?? ERRORS[code].advice
    this.outcome = details.outcome
    this.issues = details.issues
  }
}

/** Rejection of `publishMany` when some were published and some were not: one result per value, in order. */
export class PartialPublishError<T> extends YeoulError {
  override readonly name = 'PartialPublishError'
  constructor(readonly results: readonly PromiseSettledResult<T>[]) {
    const failed = results.filter((result) => result.status === 'rejected')
    super('PARTIAL_PUBLISH', `${failed.length} of ${results.length} messages were not published`, {
      cause: failed[0]?.reason,
      outcome: 'unknown',
    })
  }
}

const FROM_STORE: Record<StoreErrorCode, ErrorCode> = {
  CONNECTION: 'STORE_UNAVAILABLE',
  DEADLINE: 'STORE_UNAVAILABLE',
  UNAVAILABLE: 'STORE_UNAVAILABLE',
  UNAUTHORIZED: 'STORE_UNAUTHORIZED',
  GROUP_MISSING: 'GROUP_MISSING',
  BOUND_REACHED: 'BOUND_REACHED',
  WRONG_TYPE: 'NOT_A_STREAM',
  REFUSED: 'STORE_REFUSED',
  CLOSED: 'CLOSED',
}

/** What the store rejected with, in the catalogue's words; `doing` says what was tried. */
export function fromStore(error: unknown, doing: string): YeoulError {
  if (error instanceof YeoulError) return error
  if (error instanceof StoreError) {
    return new YeoulError(FROM_STORE[error.code], `${doing}: ${error.message}`, {
      cause: error,
      outcome: error.outcome,
    })
  }
  return new YeoulError('STORE_REFUSED', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
    outcome: 'unknown',
  })
}
