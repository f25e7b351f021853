import { ErrorReply } from 'redis'
import { StoreError } from '../../runtime/store.js'
import { codeOf } from '../reply-codes.js'

/** The text of an error reply without what scripts add: ` script: yeoul_settle, on @user_function:64.` and the like. */
export function replyText(error: Error): string {
  const inScript = /@user_script:\s?\d+: (?:-)?([A-Z]+ .*)$/.exec(error.message)
  return (inScript?.[1] ?? error.message).replace(/ script: \S+, on @user_(function|script):\d+\.$/, '')
}

export function isReply(error: unknown): error is ErrorReply {
  return error instanceof ErrorReply
}

/** The server answered with an error: nothing happened, unless the step says otherwise. */
export function refused(error: Error, address: string, outcome: 'none' | 'unknown' = 'none'): StoreError {
  const text = replyText(error)
  return new StoreError(codeOf(text), `${address} answered: ${text}`, outcome, { cause: error })
}

/** The connection failed. `sent`: the command may have reached the server, and it writes. */
export function broken(error: unknown, address: string, sent: boolean): StoreError {
  const reason = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error)
  return new StoreError('CONNECTION', `connection to ${address} failed: ${reason}`, sent ? 'unknown' : 'none', {
    cause: error,
  })
}

export function late(address: string, milliseconds: number, sent: boolean): StoreError {
  return new StoreError(
    'DEADLINE',
    `${address} did not answer within ${milliseconds} ms; the connection was given up`,
    sent ? 'unknown' : 'none',
  )
}

export function closed(address: string): StoreError {
  return new StoreError('CLOSED', `the store at ${address} is closed`, 'none')
}
