import type { Appended, Fields } from '../../runtime/store.js'

/** One call carries at most so many entries and bytes, so that no call holds the server long. */
const mostEntries = 100
const mostBytes = 256 * 1024

/**
 * Gathers the plain appends of one turn of the event loop, so that they travel as few calls: half of a client's work for an
 * append is the command around it. `flush` must run before any other command is sent, so that order is kept.
 */
export class AppendBatch {
  private entries: WaitingAppend[] = []
  private bytes = 0
  private scheduled = false

  constructor(private readonly send: (entries: WaitingAppend[]) => void) {}

  add(stream: string, fields: Fields): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.entries.push({ stream, fields, resolve, reject })
      for (const field of fields) this.bytes += field.length
      if (this.entries.length >= mostEntries || this.bytes >= mostBytes) this.flush()
      else if (!this.scheduled) {
        this.scheduled = true
        // Runs when the promise callbacks of this turn have run: what they append goes along.
        process.nextTick(() => {
          this.scheduled = false
          this.flush()
        })
      }
    })
  }

  flush(): void {
    if (this.entries.length === 0) return
    const entries = this.entries
    this.entries = []
    this.bytes = 0
    this.send(entries)
  }
}

export interface WaitingAppend {
  stream: string
  fields: Fields
  resolve(appended: Appended): void
  reject(error: Error): void
}
