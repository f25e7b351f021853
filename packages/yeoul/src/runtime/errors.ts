import { StoreError, type StoreErrorCode } from './store.js'

/**
 * The closed catalogue: what happened, whether the same call can succeed later without anybody changing anything, and what to
 * do. docs/reference/errors.md is made from it.
 */
export const ERRORS = {
  INVALID_OPTION: {
    cause: 'An option does not say what it should; nothing was done.',
    retriable: false,
    advice: 'Correct the option named in the message.',
  },
  INVALID_VALUE: {
    cause: "The value to publish does not fit the topic's schema.",
    retriable: false,
    advice: "Publish a value that fits the topic's schema; `issues` names what does not.",
  },
  UNENCODABLE: {
    cause: "The topic's codec has no form for the value.",
    retriable: false,
    advice: "Publish a value that the topic's codec can write.",
  },
  UNDECODABLE: {
    cause:
      "An entry's value cannot be read: its field is absent, its bytes are none of the codec's, or an upcaster threw.",
    retriable: false,
    advice: "Correct the producer, or choose the topic's `codec` and `field` to fit what it writes; then redrive.",
  },
  INVALID_MESSAGE: {
    cause: "An entry's value was read but does not fit the topic's schema.",
    retriable: false,
    advice: "Correct the producer or widen the topic's schema, then redrive; `issues` names what does not fit.",
  },
  UNKNOWN_VERSION: {
    cause: "An entry's version is newer than this program, or has no upcaster.",
    retriable: false,
    advice: 'Deploy the release that knows this version of the payload, or give its upcaster; then redrive.',
  },
  PARTIAL_PUBLISH: {
    cause: 'Of the values of one publishMany some were published and some were not.',
    retriable: true,
    advice: 'Publish again those whose entry in `results` is rejected.',
  },
  BOUND_REACHED: {
    cause: "The topic's bound is reached, and no room came in time.",
    retriable: true,
    advice: 'Let the workers catch up, start more of them, or raise the bound.',
  },
  ATTEMPT_TIMEOUT: {
    cause: 'A handler took longer than `timeout`.',
    retriable: true,
    advice: 'Let the handler honour `context.signal`, or raise `timeout`.',
  },
  FENCED: {
    cause: 'The delivery belongs to another consumer now: this one was silent for longer than the visibility timeout.',
    retriable: false,
    advice:
      'Another consumer has taken the message over: drop this attempt. Long handlers keep theirs by not blocking the event loop.',
  },
  STOPPING: {
    cause: 'The worker stopped before the handler had finished.',
    retriable: true,
    advice: 'The worker is stopping; another one gets the message.',
  },
  WORKER_STATE: {
    cause: "The call does not fit the worker's state.",
    retriable: false,
    advice: 'Start a worker once; make a new one after it was stopped.',
  },
  RETRY_AFTER: {
    cause: 'A handler asked for another attempt at a time of its choice.',
    retriable: true,
    advice: 'Thrown by a handler to choose the delay of the next attempt.',
  },
  UNRECOVERABLE: {
    cause: 'A handler gave a message up.',
    retriable: false,
    advice: 'Thrown by a handler: no further attempt helps. See the dead letters.',
  },
  NO_OUTCOME: {
    cause: 'Every attempt was made, and the last one ended without a word.',
    retriable: true,
    advice: 'The worker that had the message stopped answering: look for a crash or a blocked event loop at that time.',
  },
  GROUP_MISSING: {
    cause: 'The group or the stream is not on the server.',
    retriable: true,
    advice: 'Make the group, or start a worker of it: it makes the group.',
  },
  NOT_A_STREAM: {
    cause: "The topic's key holds another kind of value.",
    retriable: false,
    advice: 'Another kind of value has this key: choose another topic name.',
  },
  STORE_UNAVAILABLE: {
    cause:
      'The store cannot be reached, did not answer in time, or takes no writes for now. `outcome` says whether a write may have happened.',
    retriable: true,
    advice: 'Check that the server runs and can be reached, or the disk has space.',
  },
  STORE_UNAUTHORIZED: {
    cause: 'The server refuses the user or a command.',
    retriable: false,
    advice: 'Check user, password and permissions in the URL.',
  },
  STORE_REFUSED: {
    cause: 'The store refuses the call as it is.',
    retriable: false,
    advice: "See the server's own words in the message.",
  },
  CLOSED: {
    cause: 'The connection was closed by close().',
    retriable: false,
    advice: 'Connect again: close() was called.',
  },
} as const satisfies Record<string, { cause: string; retriable: boolean; advice: string }>

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
