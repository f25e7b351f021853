import { setTimeout as sleep } from 'node:timers/promises'
import { isUnreachable } from '../database/database.js'

const FIRST_WAIT = 100
const LONGEST_WAIT = 5_000

/**
 * Does the work; waits and tries again while the database cannot be reached. An outage is nobody's fault among the messages:
 * it must not use up their attempts and end in the dead letters.
 */
export async function whenReachable<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  waiting: (error: unknown) => void,
): Promise<T> {
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    try {
      return await work()
    } catch (error) {
      if (!isUnreachable(error)) throw error
      waiting(error)
    }
    await sleep(wait, undefined, { signal })
  }
}
