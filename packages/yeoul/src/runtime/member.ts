import { type Clock, pause } from './clock.js'
import { fromStore, type YeoulError } from './errors.js'
import type { EventSink } from './events.js'
import type { GroupMetrics } from './metrics.js'
import { StoreError, type StreamStore } from './store.js'

/** One worker's place in a group: what all its roles share. */
export interface Member {
  readonly store: StreamStore
  readonly clock: Clock
  readonly topic: string
  /** Key of the stream; of a topic with one stream its name. */
  readonly stream: string
  readonly group: string
  readonly consumer: string
  /** ms without a sign of life after which others may take a delivery over. */
  readonly visibilityTimeout: number
  readonly events: EventSink
  readonly metrics: GroupMetrics
  /** Aborted when the worker is done with everything: whoever waits to repeat something gives up. */
  readonly ended: AbortSignal
}

export function report(member: Pick<Member, 'events'>, error: unknown, where: string): YeoulError {
  const known = fromStore(error, where)
  member.events.emit('error', { error: known, where })
  return known
}

/** Pause before the n-th repetition (from 1): 50 ms doubling up to 1 s, then ±50 %, so that a fleet does not return at once. */
export function repetitionDelay(repetition: number): number {
  return Math.min(50 * 2 ** (repetition - 1), 1_000) * (0.5 + Math.random())
}

/**
 * Repeats a step of the store until it is done, with growing pauses, as long as a repetition can help. The step learns
 * whether an earlier try may have happened after all (`uncertain`). Rejects when no repetition helps or the worker ends.
 */
export async function insist<R>(
  member: Pick<Member, 'clock' | 'events' | 'ended'>,
  where: string,
  step: (uncertain: boolean) => Promise<R>,
): Promise<R> {
  let uncertain = false
  for (let repetition = 1; ; repetition++) {
    try {
      return await step(uncertain)
    } catch (error) {
      if (error instanceof StoreError && error.outcome === 'unknown') uncertain = true
      if (!(error instanceof StoreError && error.retriable) || member.ended.aborted) throw error
      report(member, error, where)
      await pause(member.clock, repetitionDelay(repetition), member.ended)
    }
  }
}
