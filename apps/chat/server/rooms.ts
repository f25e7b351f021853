import type { Database } from './database/database.js'
import { messagesAt, storedPositions } from './database/messages.js'
import { allReads, type ReadPosition } from './database/reads.js'
import type { Hint } from './hints.js'
import type { ChatMessage, RoomSummary } from './protocol.js'

/** Entries of each log looked through for what may not be in the database yet: last lines, read positions. */
const SCANNED = 2_000
/** Positions sent with a summary; a larger room shows its number of members and the furthest of them. */
const MAX_READS = 500

/** What is known of a room, kept current by hints. */
export class Room {
  /** Last number given out. */
  top = 0
  last: ChatMessage | null = null
  /** Everything up to here is in the database. */
  stored = 0
  /** Read positions of everybody who was ever here. */
  readonly reads = new Map<string, number>()

  constructor(readonly name: string) {}

  summary(user: string): RoomSummary {
    const { name, top, last, reads } = this
    const shown = reads.size > MAX_READS ? [...reads].sort((a, b) => b[1] - a[1]).slice(0, MAX_READS) : reads
    return {
      name,
      top,
      read: reads.get(user) ?? 0,
      members: reads.size,
      last: last && { ...last, stored: last.stored || last.seq <= this.stored },
      reads: Object.fromEntries(shown),
    }
  }
}

/** The log, as far as the directory reads it. */
export interface RoomLog {
  openedRooms(): Promise<string[]>
  openRoom(room: string): Promise<void>
  tops(rooms: readonly string[]): Promise<number[]>
  newestFirst(): AsyncIterable<ChatMessage>
  newestReads(): AsyncIterable<ReadPosition>
}

/** All rooms. Which exist is in the log; what the database knows of them is added when it is there. */
export class RoomDirectory {
  readonly #log: RoomLog
  readonly #rooms = new Map<string, Room>()

  constructor(log: RoomLog) {
    this.#log = log
  }

  /** Reads which rooms there are, how far they are and, near the end of the logs, last messages and read positions. */
  async load(): Promise<void> {
    for (const name of await this.#log.openedRooms()) this.#room(name)
    const rooms = [...this.#rooms.values()]
    const tops = await this.#log.tops(rooms.map(({ name }) => name))
    rooms.forEach((room, index) => {
      room.top = Math.max(room.top, tops[index])
    })
    let scanned = 0
    for await (const message of this.#log.newestFirst()) {
      if (++scanned > SCANNED) break
      this.#seen(this.#room(message.room), message)
    }
    scanned = 0
    for await (const read of this.#log.newestReads()) {
      if (++scanned > SCANNED) break
      this.raise(read)
    }
  }

  /** Adds what only the database knows: rooms whose last message left the log, read positions. */
  async complete(database: Database): Promise<void> {
    for (const [name, stored] of await storedPositions(database)) {
      const room = this.#room(name)
      room.stored = Math.max(room.stored, stored)
      room.top = Math.max(room.top, stored)
    }
    for (const read of await allReads(database)) this.raise(read)
    const places = [...this.#rooms.values()].filter(({ top, last }) => top > (last?.seq ?? 0))
    for (const message of await messagesAt(
      database,
      places.map(({ name, top }) => ({ room: name, seq: top })),
    )) {
      this.#seen(this.#room(message.room), message)
    }
  }

  /** The room's last number as the log has it now: the hint of what was just acknowledged may still be on its way here. */
  async latest(room: Room): Promise<number> {
    const [top] = await this.#log.tops([room.name])
    return Math.max(room.top, top)
  }

  get(name: string): Room | undefined {
    return this.#rooms.get(name)
  }

  get names(): string[] {
    return [...this.#rooms.keys()]
  }

  /** Most recently used first. */
  summaries(user: string, limit = 500): RoomSummary[] {
    return [...this.#rooms.values()]
      .sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0) || (a.name < b.name ? -1 : 1))
      .slice(0, limit)
      .map((room) => room.summary(user))
  }

  /** The room, made if there was none; `made` = by this call. */
  async open(name: string): Promise<{ room: Room; made: boolean }> {
    const known = this.#rooms.get(name)
    if (known !== undefined) return { room: known, made: false }
    await this.#log.openRoom(name)
    const made = !this.#rooms.has(name)
    return { room: this.#room(name), made }
  }

  /** True when the position moved forward. */
  raise({ room: name, user, seq }: ReadPosition): boolean {
    const { reads } = this.#room(name)
    const known = reads.get(user)
    if (known !== undefined && known >= seq) return false
    reads.set(user, seq)
    return true
  }

  take(hint: Hint): void {
    if (hint.type === 'message') this.#seen(this.#room(hint.message.room), hint.message)
    else if (hint.type === 'room') this.#room(hint.room)
  }

  #seen(room: Room, message: ChatMessage): void {
    if (message.seq > room.top) room.top = message.seq
    if (message.seq > (room.last?.seq ?? 0)) room.last = message
  }

  #room(name: string): Room {
    let room = this.#rooms.get(name)
    if (room === undefined) this.#rooms.set(name, (room = new Room(name)))
    return room
  }
}
