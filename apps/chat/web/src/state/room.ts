import type { ChatMessage, RoomSummary } from '../../../server/protocol.js'
import { type Gap, Timeline } from './timeline.js'
import { advanceRead, unreadCount } from './unread.js'

/** A typing hint is shown so long unless it is renewed. */
const TYPING_FOR = 5_000
/** Live holes are asked for so many at once. */
export const FILL_LIMIT = 200
/** A request for a hole is repeated after so long, and given up after so many. */
const FILL_PATIENCE = 3_000
const FILL_ATTEMPTS = 4

/** All that the page knows of one room. */
export class Room {
  readonly timeline = new Timeline()
  readonly reads = new Map<string, number>()
  readonly #typing = new Map<string, number>()
  readonly #fills = new Map<number, { askedAt: number; attempts: number }>()
  members = 0
  online: readonly string[] = []
  /** This user's read position. */
  read = 0
  /** The newest message known, also of a room that was never opened. */
  last: ChatMessage | null = null
  /** This user takes part: messages are delivered live and unread ones are counted. */
  joined = false
  /** Pages of a join or hello are still under way; holes are not asked for before this time. */
  catchingUpUntil = 0
  /** The server holds bodies back because this connection reads too slowly. */
  behind = false
  older: 'some' | 'loading' | 'failed' | 'none' = 'some'
  /** Where "new messages" is drawn: the read position when the room was entered. */
  dividerAfter: number | null = null

  constructor(readonly name: string) {}

  take(summary: RoomSummary, user: string): void {
    this.members = summary.members
    if (this.joined || this.timeline.liveAfter !== null) this.timeline.raiseTop(summary.top)
    else this.timeline.top = Math.max(this.timeline.top, summary.top)
    for (const [reader, seq] of Object.entries(summary.reads)) advanceRead(this.reads, reader, seq)
    this.readUpTo(Math.max(summary.read, summary.reads[user] ?? 0))
    if (Object.hasOwn(summary.reads, user)) this.joined = true
    this.#newest(summary.last)
  }

  /** Answers the messages that were not held before, ascending. */
  merge(messages: readonly ChatMessage[]): ChatMessage[] {
    const added = this.timeline.merge(messages)
    for (const message of added) {
      this.#typing.delete(message.user)
      this.#newest(message)
    }
    return added
  }

  /** A summary counts everybody but may be older than the positions that came since. */
  get memberCount(): number {
    return Math.max(this.members, this.reads.size)
  }

  readUpTo(seq: number): boolean {
    if (seq <= this.read) return false
    this.read = seq
    return true
  }

  get unread(): number {
    return this.joined ? unreadCount(this.timeline.top, this.read) : 0
  }

  typed(user: string, now: number): void {
    this.#typing.set(user, now + TYPING_FOR)
  }

  /** Users typing now. True when somebody stopped since the last call of `expire`. */
  typing(): string[] {
    return [...this.#typing.keys()]
  }

  expire(now: number): boolean {
    let changed = false
    for (const [user, until] of this.#typing) if (until <= now) changed = this.#typing.delete(user) || changed
    return changed
  }

  /** Live holes to ask for now; marks them as asked. */
  holesToFill(now: number): Gap[] {
    if (now < this.catchingUpUntil || this.timeline.liveAfter === null) return []
    const due: Gap[] = []
    for (const gap of this.timeline.gaps()) {
      if (gap.to <= this.timeline.liveAfter) continue
      const asked = this.#fills.get(gap.from)
      if (asked && (now - asked.askedAt < FILL_PATIENCE || asked.attempts >= FILL_ATTEMPTS)) continue
      this.#fills.set(gap.from, { askedAt: now, attempts: (asked?.attempts ?? 0) + 1 })
      due.push({ from: gap.from, to: Math.min(gap.to, gap.from + FILL_LIMIT - 1) })
    }
    return due
  }

  gapState(from: number, now: number): 'idle' | 'loading' | 'failed' {
    const asked = this.#fills.get(from)
    if (!asked) return 'idle'
    return asked.attempts >= FILL_ATTEMPTS && now - asked.askedAt >= FILL_PATIENCE ? 'failed' : 'loading'
  }

  markGap(from: number, state: 'idle' | 'loading' | 'failed', now: number): void {
    if (state === 'idle') this.#fills.delete(from)
    else
      this.#fills.set(
        from,
        state === 'loading' ? { askedAt: now, attempts: 1 } : { askedAt: 0, attempts: FILL_ATTEMPTS },
      )
  }

  /** A new connection may succeed where the old one did not. */
  forgetFills(): void {
    this.#fills.clear()
  }

  #newest(message: ChatMessage | null): void {
    if (message && (!this.last || message.seq >= this.last.seq)) this.last = message
  }
}
