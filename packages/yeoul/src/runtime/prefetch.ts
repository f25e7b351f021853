/** A message that waited longer than this (ms) before its handler began says: too many were read ahead. */
const LONGEST_WAIT = 1_000

/**
 * How far to read ahead. Begins at twice what runs at a time; doubles when a full read came back to an empty queue (handlers were
 * waiting for messages), halves when messages had to wait long (other workers of the group could have taken them).
 */
export class Prefetch {
  private target: number
  private waiter: (() => void) | undefined

  constructor(
    private readonly atOnce: number,
    private readonly most: number,
    private readonly held: () => number,
    /** Held for a short retry: they run nothing now. */
    private readonly retrying: () => number,
  ) {
    this.target = Math.min(most, Math.max(2 * atOnce, 8))
  }

  /** Retries that wait take no room, until there are so many that reading on only makes more. */
  room(): number {
    const retrying = this.retrying()
    if (retrying >= this.most) return 0
    return this.target - (this.held() - retrying)
  }

  onRead(read: number, asked: number, queued: number): void {
    if (read === asked && queued === 0) this.target = Math.min(this.most, this.target * 2)
  }

  onStarted(waited: number): void {
    if (waited > LONGEST_WAIT) this.target = Math.max(this.atOnce, this.target >> 1)
  }

  onRemoved(): void {
    if (this.waiter && this.worthReading()) this.waiter()
  }

  /** Half of the target at once: reading one message at a time costs a round trip each. */
  whenRoom(signal: AbortSignal): Promise<void> {
    if (this.worthReading() || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        this.waiter = undefined
        signal.removeEventListener('abort', end)
        resolve()
      }
      this.waiter = end
      signal.addEventListener('abort', end)
    })
  }

  private worthReading(): boolean {
    return this.room() >= Math.max(1, this.target >> 1)
  }
}
