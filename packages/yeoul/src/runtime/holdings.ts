import type { Attempt } from './attempt.js'
import type { GroupMetrics } from './metrics.js'

/** Remembered at most; beyond it one may be handled again sooner than after the visibility timeout. */
const MOST_UNSETTLED = 10_000

/** Every delivery that this worker owns, from its arrival until it is acknowledged, moved or lost. */
export class Holdings<T> {
  private readonly attempts = new Map<string, Attempt<T>>()
  private readonly unsettled = new Set<string>()
  private readonly listeners: (() => void)[] = []

  constructor(private readonly metrics: GroupMetrics) {}

  get size(): number {
    return this.attempts.size
  }

  has(id: string): boolean {
    return this.attempts.has(id)
  }

  get(id: string): Attempt<T> | undefined {
    return this.attempts.get(id)
  }

  values(): IterableIterator<Attempt<T>> {
    return this.attempts.values()
  }

  add(attempt: Attempt<T>): void {
    this.attempts.set(attempt.id, attempt)
    this.metrics.held++
  }

  /** Lets go of it. A newer attempt of the same delivery stays. */
  remove(attempt: Attempt<T>): void {
    attempt.state = 'done'
    if (this.attempts.get(attempt.id) !== attempt) return
    this.attempts.delete(attempt.id)
    this.metrics.held--
    for (const listener of this.listeners) listener()
  }

  /** Lets go of a delivery that could not be settled: it stays pending, and a handler has had it. */
  giveUp(attempt: Attempt<T>): void {
    if (this.unsettled.size >= MOST_UNSETTLED) this.unsettled.clear()
    this.unsettled.add(attempt.id)
    this.remove(attempt)
  }

  /** Whether this worker once gave it up. */
  gaveUp(id: string): boolean {
    return this.unsettled.has(id)
  }

  /** A short retry: the same delivery, one attempt on. */
  replace(before: Attempt<T>, after: Attempt<T>): void {
    before.state = 'done'
    this.attempts.set(after.id, after)
  }

  /** Resolves when nothing is held any more, or the signal aborts. */
  whenEmpty(signal: AbortSignal): Promise<void> {
    if (this.attempts.size === 0 || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
      this.onRemove(() => {
        if (this.attempts.size === 0) resolve()
      })
    })
  }

  onRemove(listener: () => void): void {
    this.listeners.push(listener)
  }
}
