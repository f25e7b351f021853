import type { Database } from './database/database.js'
import { idBefore, messagesBetween } from './database/messages.js'
import type { Later } from './later.js'
import type { ChatMessage } from './protocol.js'

/** How long a reader waits for a database that is still being opened, ms. */
const OPENING = 60_000

/** What is missing can be had later, not now. */
export class HistoryUnavailable extends Error {
  override readonly name = 'HistoryUnavailable'
}

/** The part of the log that history reads. */
export interface ReadableLog {
  newestFirst(until?: string): AsyncIterable<ChatMessage>
}

/**
 * A room's messages, wherever they are. The database holds what its writer has handled, the log at least everything else:
 * trimming keeps what a group has not acknowledged. So what the database lacks is near the end of the log and is looked for
 * from there backwards.
 */
export class History {
  readonly #log: ReadableLog
  readonly #database: Later<Database>

  constructor(log: ReadableLog, database: Later<Database>) {
    this.#log = log
    this.#database = database
  }

  /**
   * Numbers from…to, ascending. A number that is absent in the answer has no message any more: it was looked for in both places.
   * Rejects with `HistoryUnavailable` when that cannot be said.
   */
  async between(room: string, from: number, to: number): Promise<ChatMessage[]> {
    const found = new Map<number, ChatMessage>()
    if (to < from) return []
    const missing = () => found.size < to - from + 1

    let answered = await this.#fromDatabase(room, from, to, found)
    if (missing()) await this.#fromLog(room, from, to, found)
    if (missing() && !answered) {
      await this.#opened()
      answered = false
    }
    // Once more: a message may have moved from the log into the database between the two looks.
    if (missing()) answered = await this.#fromDatabase(room, from, to, found)
    if (missing() && !answered) throw new HistoryUnavailable('the database does not answer')
    return [...found.values()].sort((a, b) => a.seq - b.seq)
  }

  /** False when the database cannot be asked now. */
  async #fromDatabase(room: string, from: number, to: number, found: Map<number, ChatMessage>): Promise<boolean> {
    const database = this.#database.current
    if (database === undefined) return false
    try {
      for (const message of await messagesBetween(database, room, from, to)) found.set(message.seq, message)
      return true
    } catch {
      return false
    }
  }

  async #fromLog(room: string, from: number, to: number, found: Map<number, ChatMessage>): Promise<void> {
    let first = from
    while (found.has(first)) first++
    const until = await this.#anchor(room, first, found)
    for await (const message of this.#log.newestFirst(until)) {
      if (message.room !== room || message.seq > to) continue
      if (message.seq < first) return
      if (!found.has(message.seq)) found.set(message.seq, message)
      if (found.size === to - from + 1) return
    }
  }

  /** Nothing of the room from number `first` on is at or before this entry. */
  async #anchor(room: string, first: number, found: Map<number, ChatMessage>): Promise<string | undefined> {
    const before = found.get(first - 1)
    if (before !== undefined || this.#database.current === undefined) return before?.id
    return idBefore(this.#database.current, room, first).catch(() => undefined)
  }

  async #opened(): Promise<void> {
    if (this.#database.current !== undefined) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new HistoryUnavailable('the database is still being opened')), OPENING)
    })
    try {
      await Promise.race([this.#database.ready, late])
    } catch (error) {
      throw error instanceof HistoryUnavailable ? error : new HistoryUnavailable('the database cannot be opened')
    } finally {
      clearTimeout(timer)
    }
  }
}
