import type { ReadPosition } from '../database/reads.js'

/** Read positions on their way to the log: only the furthest of each person and room in a while is written. */
export class ReadReports {
  #waiting = new Map<string, ReadPosition>()

  add(read: ReadPosition): void {
    const place = `${read.room}/${read.user}`
    const waiting = this.#waiting.get(place)
    if (waiting === undefined || waiting.seq < read.seq) this.#waiting.set(place, read)
  }

  take(): ReadPosition[] {
    const reads = [...this.#waiting.values()]
    this.#waiting = new Map()
    return reads
  }
}
