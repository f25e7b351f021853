/** Those who wait for a position of the log to be durable or synced. */
export class Waiters {
  #waiting: Waiting[] = []

  /**
   * Resolves at `position`. Everything behind `recordStart` will become durable in one step, so those who wait for a
   * part of it share a promise.
   */
  wait(position: number, mark: 'durable' | 'synced', recordStart: number): Promise<void> {
    const last = this.#waiting.at(-1)
    if (last?.mark === mark && (last.position === position || last.position > recordStart)) {
      last.position = position
      return last.promise
    }
    let settle!: Pick<Waiting, 'resolve' | 'reject'>
    const promise = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject }
    })
    this.#waiting.push({ position, mark, promise, ...settle })
    return promise
  }

  reached(durable: number, synced: number): void {
    if (this.#waiting.length === 0) return
    const still: Waiting[] = []
    for (const waiting of this.#waiting) {
      if ((waiting.mark === 'durable' ? durable : synced) >= waiting.position) waiting.resolve()
      else still.push(waiting)
    }
    this.#waiting = still
  }

  refuse(reason: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(reason)
  }
}

interface Waiting {
  position: number
  mark: 'durable' | 'synced'
  promise: Promise<void>
  resolve: () => void
  reject: (reason: unknown) => void
}
