/**
 * What browser and gateway say to each other: JSON text frames over one WebSocket at `/ws`, and JSON over HTTP for what
 * is asked once (history, search). Both sides import this file; it holds types only.
 *
 * Rules
 * - A message's place is its room's sequence: 1, 2, 3 … without a gap, given out in the same step that appends to the log.
 *   A client that sees 5 after 3 knows that 4 is missing, shows a gap row in its place and asks for it.
 * - `sent` means: in the log, durable to `durability`. `stored` means: in the database.
 * - A send is identified by `clientId` (unique per message, kept by the client until acknowledged, also over a reload):
 *   sending it again never makes a second message; the answer is the first one's.
 */

export type ClientFrame =
  /** First frame of a connection. `rooms`: what this client shows, with the last sequence it has of each (0 = nothing). */
  | { type: 'hello'; user: string; rooms: Record<string, number> }
  | { type: 'join'; room: string; after: number }
  | { type: 'leave'; room: string }
  | { type: 'send'; room: string; clientId: string; text: string }
  /** Everything up to and including `seq` was displayed. Never moves back. */
  | { type: 'read'; room: string; seq: number }
  | { type: 'typing'; room: string }
  /** Fill a hole: sequences from…to, both included. Answered by `messages`. */
  | { type: 'fill'; room: string; from: number; to: number }
  | { type: 'ping' }

export type ServerFrame =
  /** `log`: whose sequences these are. A page that remembers another log's forgets them. */
  | { type: 'welcome'; user: string; rooms: RoomSummary[]; durability: string; server: string; log: string }
  | { type: 'room'; room: RoomSummary }
  /**
   * In order of sequence. After `join`, `hello` and `fill`; `complete` = no hole up to `top` remains. Who has nothing (`after` 0)
   * gets the newest 50; who misses more than 5000 gets the newest 200 with `complete: false`, and the rest by `fill` (at most
   * 500 at a time) or as pages over HTTP. A sequence that is absent in the answer to `fill` has no message any more.
   */
  | { type: 'messages'; room: string; messages: ChatMessage[]; top: number; complete: boolean }
  /** A new message, in order; `seq` follows the previous one of the room unless the client lost something. */
  | { type: 'message'; message: ChatMessage }
  /** The sender's receipt. `duplicate`: this clientId was sent before. */
  | {
      type: 'sent'
      room: string
      clientId: string
      id: string
      seq: number
      at: number
      durability: string
      duplicate: boolean
    }
  | { type: 'refused'; clientId?: string; code: RefusalCode; text: string; retryAfter?: number }
  /** Everything up to `seq` of the room is in the database. */
  | { type: 'stored'; room: string; seq: number }
  | { type: 'read'; room: string; user: string; seq: number }
  | { type: 'typing'; room: string; user: string }
  | { type: 'members'; room: string; online: string[] }
  | { type: 'notification'; notification: ChatNotification }
  /** This connection reads too slowly: bodies are held back until it has caught up; `top` tells how far the room is. */
  | { type: 'behind'; room: string; top: number }
  | { type: 'pong' }

export type RefusalCode =
  | 'bad_frame'
  | 'not_joined'
  | 'too_long'
  | 'empty'
  | 'bad_name'
  | 'rate_limited'
  | 'unavailable'

export interface ChatMessage {
  room: string
  seq: number
  /** Entry id in the log. */
  id: string
  clientId: string
  user: string
  text: string
  /** ms since the epoch, when the log took it. */
  at: number
  /** In the database already, as far as the sender of this frame knows. */
  stored: boolean
}

export interface RoomSummary {
  name: string
  /** Last sequence given out. */
  top: number
  /** This user's read position; unread = top − read. */
  read: number
  members: number
  last: ChatMessage | null
  /** Read positions of the room's members, for "read by" and per-message unread numbers. */
  reads: Record<string, number>
}

export interface ChatNotification {
  id: string
  kind: 'mention'
  room: string
  seq: number
  from: string
  text: string
  at: number
  seen: boolean
}

/**
 * HTTP, all JSON:
 *   GET  /api/rooms?user=U                                  → { rooms: RoomSummary[] }
 *   POST /api/rooms { name }                                → { room: RoomSummary }
 *   GET  /api/rooms/:room/messages?before=SEQ&limit=50      → { messages: ChatMessage[], more: boolean }   ascending
 *   GET  /api/rooms/:room/messages?around=SEQ&limit=50      → the same, SEQ in the middle
 *   GET  /api/search?q=TEXT&room=R?&before=CURSOR?&limit=30 → { hits: SearchHit[], more: boolean, cursor: string | null, tookMs: number }
 *   GET  /api/notifications?user=U&limit=50                 → { notifications: ChatNotification[], unseen: number }
 *   POST /api/notifications/seen { user, ids }              → { ok: true }
 *   GET  /api/ledger                                        → Ledger
 * Errors: 4xx/5xx with { error: { code, message } }.
 */
export interface SearchHit {
  message: ChatMessage
  /** Character ranges [start, end) of `message.text` that matched. */
  ranges: [number, number][]
}

/** Counts since the start of this process, for the chip in the page and for tests. */
export interface Ledger {
  sent: number
  logged: number
  stored: number
  delivered: number
  duplicatesSuppressed: number
  gapsDetected: number
  gapsFilled: number
  connections: number
}

/** Limits: room and user names 1–32 visible characters without `/`, text up to 4000 characters. */
export const MAX_NAME = 32
export const MAX_TEXT = 4000
