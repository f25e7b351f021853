import type { Topic, Yeoul } from 'yeoul'
import { z } from 'zod'
import { nameSchema, textSchema } from './names.js'
import type { ChatMessage } from './protocol.js'

/** How many messages the log keeps when every group has handled them; what is not handled is never trimmed. */
const KEPT_MESSAGES = 100_000
const KEPT_READS = 10_000

const messageSchema = z.object({
  room: nameSchema,
  user: nameSchema,
  text: textSchema,
  clientId: z.string().min(1).max(64),
})
const readSchema = z.object({ room: nameSchema, user: nameSchema, seq: z.number().int().min(0) })
const roomSchema = z.union([z.object({ log: z.string() }), z.object({ room: nameSchema })])

export type LoggedMessage = z.infer<typeof messageSchema>
export type LoggedRead = z.infer<typeof readSchema>
export type LoggedRoom = z.infer<typeof roomSchema>

/**
 * The chat's three logs. Everything else (database, gateways' memory) is derived from them.
 *
 *     chat.messages   key = room; numbered 1, 2, 3 … per room in the step that appends; once per room and client id
 *     chat.reads      key = room; read positions as they were reported; the largest counts
 *     chat.rooms      first entry = the identity of this log; then one entry per room that was opened
 *
 * A message's time is that of its entry id: the log's clock, not the sender's.
 */
export class ChatLog {
  readonly messages: Topic<LoggedMessage>
  readonly reads: Topic<LoggedRead>
  readonly rooms: Topic<LoggedRoom>

  constructor(yeoul: Yeoul) {
    this.messages = yeoul.topic('chat.messages', { schema: messageSchema, retention: { maxLength: KEPT_MESSAGES } })
    this.reads = yeoul.topic('chat.reads', { schema: readSchema, retention: { maxLength: KEPT_READS } })
    this.rooms = yeoul.topic('chat.rooms', { schema: roomSchema })
  }

  /** In the log, durable, when it resolves. A client id that was sent before answers what the first one got. */
  async append(message: LoggedMessage): Promise<{ message: ChatMessage; duplicate: boolean }> {
    const { id, duplicate, sequence } = await this.messages.publish(message, {
      key: message.room,
      dedupe: `${message.room}/${message.clientId}`,
      sequence: true,
    })
    return { message: { ...message, seq: sequence!, id, at: timeOf(id), stored: false }, duplicate }
  }

  async appendReads(reads: readonly LoggedRead[]): Promise<void> {
    await this.reads.publishMany(reads, (read) => ({ key: read.room }))
  }

  /** The last number given out in each room. */
  tops(rooms: readonly string[]): Promise<number[]> {
    return rooms.length === 0 ? Promise.resolve([]) : this.messages.sequences(rooms)
  }

  /** From the newest back to, but without, the entry `until`. Entries that are no chat messages are passed over. */
  async *newestFirst(until?: string): AsyncGenerator<ChatMessage> {
    for await (const entry of this.messages.read({ reverse: true, from: until === undefined ? '0' : `(${until}` })) {
      if (entry.undecodable || entry.sequence === undefined) continue
      yield { ...entry.value, seq: entry.sequence, id: entry.id, at: timeOf(entry.id), stored: false }
    }
  }

  async *newestReads(): AsyncGenerator<LoggedRead> {
    for await (const entry of this.reads.read({ reverse: true })) if (!entry.undecodable) yield entry.value
  }

  /**
   * Who this log is. Sequences start again at 1 in a new log, so rows of another log in the database would be taken for
   * messages of this one. Of several processes that meet an empty log, the first entry wins.
   */
  async identity(proposal: string): Promise<string> {
    const known = await this.#firstIdentity()
    if (known !== undefined) return known
    await this.rooms.publish({ log: proposal })
    return (await this.#firstIdentity())!
  }

  async #firstIdentity(): Promise<string | undefined> {
    for await (const entry of this.rooms.read()) {
      if (!entry.undecodable && 'log' in entry.value) return entry.value.log
    }
    return undefined
  }

  async openRoom(room: string): Promise<void> {
    await this.rooms.publish({ room }, { dedupe: room })
  }

  async openedRooms(): Promise<string[]> {
    const rooms = new Set<string>()
    for await (const entry of this.rooms.read()) {
      if (!entry.undecodable && 'room' in entry.value) rooms.add(entry.value.room)
    }
    return [...rooms]
  }
}

/** Milliseconds of an entry id `ms-seq`. */
export function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')))
}
