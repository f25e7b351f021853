import type { ChatMessage, ChatNotification, RefusalCode, RoomSummary, ServerFrame } from '../../../server/protocol.js'
import { Connection, type Link, type Socket } from './connection.js'
import type { Http } from './http.js'
import { type Keeper, Outbox } from './outbox.js'
import { Room } from './room.js'
import type { Gap } from './timeline.js'

export interface ChatOptions {
  user: string
  open: () => Socket
  http: Http
  keeper: Keeper
  clientId: () => string
  now?: () => number
}

/** History is fetched in pages of so many. */
const PAGE = 50
/** After a join the server may take so long between two pages before holes are asked for one by one. */
const CATCH_UP_PATIENCE = 4_000
/** A send without an answer goes out again after so long; its client id keeps it one message. */
const SEND_PATIENCE = 8_000
const TYPING_EVERY = 2_500
const NOTIFICATIONS_RETRY = 5_000

/**
 * The page's state and everything that changes it: one connection, the rooms, what waits to be sent, notifications. No DOM;
 * the view subscribes and reads. Listeners are called once per turn, however much changed in it.
 */
export class Chat {
  readonly user: string
  readonly rooms = new Map<string, Room>()
  readonly outbox: Outbox
  link: Link = { state: 'connecting' }
  /** How durable an acknowledged message is, as the server says. */
  durability = ''
  notifications: readonly ChatNotification[] = []
  unseen = 0
  /** Sends are held until then (rate limit), ms since the epoch. */
  limitedUntil = 0
  /** The last refusal that belongs to no message of ours. */
  refusal: { code: RefusalCode; text: string } | null = null
  /** The first `welcome` has come: the list of rooms is known. */
  welcomed = false

  readonly #options: ChatOptions
  readonly #connection: Connection
  readonly #listeners = new Set<() => void>()
  readonly #mentionListeners = new Set<(notification: ChatNotification) => void>()
  readonly #arrivalListeners = new Set<(messages: readonly ChatMessage[]) => void>()
  readonly #sentAt = new Map<string, number>()
  #notifying = false
  #ticker: ReturnType<typeof setInterval> | undefined
  #typedAt = 0
  #current: string | null = null
  #log = ''
  /** When to ask for the list again after it could not be had; 0 = nothing to ask for. */
  #notificationsDue = 0

  constructor(options: ChatOptions) {
    this.#options = options
    this.user = options.user
    this.outbox = new Outbox(options.keeper)
    this.#connection = new Connection({
      open: options.open,
      onLink: (link) => this.#linked(link),
      onOpen: () => this.#hello(),
      onFrame: (frame) => this.#receive(frame),
    })
  }

  start(): void {
    this.#ticker = setInterval(() => this.#tick(), 1_000)
    this.#connection.start()
  }

  stop(): void {
    clearInterval(this.#ticker)
    this.#connection.stop()
  }

  retryNow(): void {
    this.#connection.retryNow()
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onMention(listener: (notification: ChatNotification) => void): () => void {
    this.#mentionListeners.add(listener)
    return () => this.#mentionListeners.delete(listener)
  }

  /** Messages that came live (no history), for announcing them. */
  onArrival(listener: (messages: readonly ChatMessage[]) => void): () => void {
    this.#arrivalListeners.add(listener)
    return () => this.#arrivalListeners.delete(listener)
  }

  get current(): Room | null {
    return this.#current === null ? null : (this.rooms.get(this.#current) ?? null)
  }

  /** Messages known to exist and still under way, over all rooms. */
  get catchingUp(): number {
    let missing = 0
    for (const room of this.rooms.values()) missing += room.timeline.missingLive()
    return missing
  }

  get unread(): number {
    let sum = 0
    for (const room of this.rooms.values()) sum += room.unread
    return sum
  }

  /** Shows a room, joining it when this user has not taken part yet. The name may be one the server has not listed yet. */
  enter(name: string): void {
    const room = this.#room(name)
    const entering = this.#current !== name
    this.#current = name
    if (entering) this.#placeDivider(room)
    room.joined = true
    if (this.welcomed && room.timeline.liveAfter === null) this.#join(room)
    if (room.timeline.first() === null && room.timeline.liveAfter !== null && room.timeline.liveAfter > 0)
      void this.loadOlder(room)
    this.#changed()
  }

  /** Back to the list (one-pane layout). */
  leaveView(): void {
    this.#current = null
    this.#changed()
  }

  async createRoom(name: string): Promise<void> {
    const { room } = await this.#options.http.createRoom(name)
    this.#room(room.name).take(room, this.user)
    this.enter(room.name)
  }

  send(room: Room, text: string): void {
    this.outbox.add({
      clientId: this.#options.clientId(),
      room: room.name,
      user: this.user,
      text,
      at: this.#now(),
    })
    this.#flush()
    this.#changed()
  }

  retry(clientId: string): void {
    this.outbox.retry(clientId)
    this.#flush()
    this.#changed()
  }

  discard(clientId: string): void {
    this.outbox.discard(clientId)
    this.#changed()
  }

  typing(room: Room): void {
    const now = this.#now()
    if (now - this.#typedAt < TYPING_EVERY) return
    this.#typedAt = now
    this.#connection.send({ type: 'typing', room: room.name })
  }

  /** Everything up to `seq` was on screen before the user's eyes. */
  displayed(room: Room, seq: number): void {
    if (!room.readUpTo(seq)) return
    room.reads.set(this.user, Math.max(seq, room.reads.get(this.user) ?? 0))
    this.#connection.send({ type: 'read', room: room.name, seq })
    this.#changed()
  }

  async loadOlder(room: Room): Promise<void> {
    const before = room.timeline.first() ?? (room.timeline.liveAfter ?? room.timeline.top) + 1
    if (room.older === 'loading') return
    if (before <= 1) {
      room.older = 'none'
      return this.#changed()
    }
    room.older = 'loading'
    this.#changed()
    try {
      const page = await this.#options.http.history(room.name, { before }, PAGE)
      room.merge(page.messages)
      room.older = page.more && (room.timeline.first() ?? 1) > 1 ? 'some' : 'none'
    } catch {
      room.older = 'failed'
    }
    this.#changed()
  }

  /** Loads what surrounds a message so that it can be scrolled to. False when it could not be loaded. */
  async loadAround(room: Room, seq: number): Promise<boolean> {
    if (room.timeline.has(seq)) return true
    try {
      const page = await this.#options.http.history(room.name, { around: seq }, PAGE)
      room.merge(page.messages)
      if (room.timeline.first() === 1) room.older = 'none'
      else if (room.older === 'none') room.older = 'some'
    } catch {
      return false
    }
    this.#changed()
    return room.timeline.has(seq)
  }

  /** Asks for the end of a hole in history. Live holes are asked for without a word from the user. */
  async fillGap(room: Room, gap: Gap): Promise<void> {
    const now = this.#now()
    if (room.gapState(gap.from, now) === 'loading') return
    room.markGap(gap.from, 'loading', now)
    this.#changed()
    try {
      const count = Math.min(PAGE * 4, gap.to - gap.from + 1)
      const page = await this.#options.http.history(room.name, { before: gap.to + 1 }, count)
      room.merge(page.messages)
      room.timeline.markAnswered(gap.to - count + 1, gap.to)
      room.markGap(gap.from, 'idle', now)
    } catch {
      room.markGap(gap.from, 'failed', now)
    }
    this.#changed()
  }

  async markNotificationsSeen(): Promise<void> {
    const ids = this.notifications.filter((notification) => !notification.seen).map((notification) => notification.id)
    if (ids.length === 0) return
    this.notifications = this.notifications.map((notification) => ({ ...notification, seen: true }))
    this.unseen = 0
    this.#changed()
    await this.#options.http.seen(this.user, ids).catch(() => {})
  }

  /** Only where this user took part before: in a room entered for the first time everything is new, and nothing is. */
  #placeDivider(room: Room): void {
    room.dividerAfter = room.unread > 0 && room.read > 0 ? room.read : null
  }

  #linked(link: Link): void {
    this.link = link
    if (link.state === 'waiting') {
      this.outbox.rewind()
      this.#sentAt.clear()
    }
    this.#changed()
  }

  #hello(): void {
    const rooms: Record<string, number> = {}
    const until = this.#now() + CATCH_UP_PATIENCE
    for (const room of this.rooms.values()) {
      room.forgetFills()
      room.behind = false
      if (room.timeline.liveAfter === null) continue
      rooms[room.name] = room.timeline.contiguous()
      room.catchingUpUntil = until
    }
    this.#connection.send({ type: 'hello', user: this.user, rooms })
  }

  #join(room: Room): void {
    const { timeline } = room
    const after = room.name === this.#current ? Math.max(0, timeline.top - PAGE) : timeline.top
    timeline.startAfter(after)
    room.catchingUpUntil = this.#now() + CATCH_UP_PATIENCE
    this.#connection.send({ type: 'join', room: room.name, after })
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case 'welcome':
        this.#welcome(frame)
        break
      case 'room':
        this.#room(frame.room.name).take(frame.room, this.user)
        break
      case 'messages': {
        const room = this.#room(frame.room)
        room.merge(frame.messages)
        room.timeline.raiseTop(frame.top)
        if (frame.complete) {
          room.catchingUpUntil = 0
          room.behind = false
        } else if (room.catchingUpUntil > 0) {
          room.catchingUpUntil = this.#now() + CATCH_UP_PATIENCE
        }
        this.#settle(frame.messages)
        this.#fillHoles(room)
        break
      }
      case 'message': {
        const room = this.#room(frame.message.room)
        const added = room.merge([frame.message])
        this.#settle(added)
        this.#fillHoles(room)
        if (added.length > 0) for (const listener of this.#arrivalListeners) listener(added)
        break
      }
      case 'sent': {
        this.#sentAt.delete(frame.clientId)
        const entry = this.outbox.acknowledge(frame.clientId)
        this.durability = frame.durability
        if (!entry) break
        const room = this.#room(frame.room)
        const { clientId, text } = entry
        const { id, seq, at } = frame
        room.merge([{ room: frame.room, seq, id, clientId, user: this.user, text, at, stored: false }])
        this.#fillHoles(room)
        break
      }
      case 'refused':
        this.#refused(frame)
        break
      case 'stored':
        this.#room(frame.room).timeline.markStored(frame.seq)
        break
      case 'read': {
        const room = this.#room(frame.room)
        room.reads.set(frame.user, Math.max(frame.seq, room.reads.get(frame.user) ?? 0))
        if (frame.user === this.user) room.readUpTo(frame.seq)
        break
      }
      case 'typing':
        if (frame.user !== this.user) this.#room(frame.room).typed(frame.user, this.#now())
        break
      case 'members':
        this.#room(frame.room).online = frame.online
        break
      case 'notification':
        this.#notified(frame.notification)
        break
      case 'behind': {
        const room = this.#room(frame.room)
        room.behind = true
        room.catchingUpUntil = this.#now() + CATCH_UP_PATIENCE
        room.timeline.raiseTop(frame.top)
        break
      }
      case 'pong':
        return
    }
    this.#changed()
  }

  #welcome(frame: Extract<ServerFrame, { type: 'welcome' }>): void {
    this.durability = frame.durability
    const first = !this.welcomed
    // Another log numbers from 1 again: nothing held of the old one joins on to it.
    if (this.#log !== '' && this.#log !== frame.log) this.#startOver()
    this.#log = frame.log
    this.welcomed = true
    for (const summary of frame.rooms) this.#summarised(summary)
    if (first && this.current) this.#placeDivider(this.current)
    for (const room of this.rooms.values()) {
      if (room.joined && room.timeline.liveAfter === null) this.#join(room)
    }
    void this.#loadNotifications()
    this.#flush()
  }

  #startOver(): void {
    const joined = [...this.rooms.values()].filter((room) => room.joined).map((room) => room.name)
    this.rooms.clear()
    for (const name of joined) this.#room(name).joined = true
  }

  /** Read here while offline, or behind what the server says: the higher position wins on both sides. */
  #summarised(summary: RoomSummary): void {
    const room = this.#room(summary.name)
    const before = room.read
    room.take(summary, this.user)
    if (before > summary.read) this.#connection.send({ type: 'read', room: room.name, seq: before })
  }

  #refused(frame: Extract<ServerFrame, { type: 'refused' }>): void {
    if (frame.retryAfter !== undefined) this.limitedUntil = Math.max(this.limitedUntil, this.#now() + frame.retryAfter)
    if (frame.clientId === undefined) {
      this.refusal = { code: frame.code, text: frame.text }
      return
    }
    this.#sentAt.delete(frame.clientId)
    this.outbox.refuse(frame.clientId, frame.code)
    const wait = frame.retryAfter ?? (frame.code === 'unavailable' ? 1_000 : 0)
    if (wait > 0) this.limitedUntil = Math.max(this.limitedUntil, this.#now() + wait)
    setTimeout(() => this.#flush(), Math.max(50, wait))
  }

  /** An own message seen in the room is acknowledged, also when its receipt was lost with a connection. */
  #settle(messages: readonly ChatMessage[]): void {
    for (const message of messages) if (message.user === this.user) this.outbox.acknowledge(message.clientId)
  }

  #flush(): void {
    const now = this.#now()
    if (this.link.state !== 'open' || !this.welcomed || now < this.limitedUntil) return
    for (const entry of this.outbox.take(this.user)) {
      const room = this.#room(entry.room)
      room.joined = true
      if (room.timeline.liveAfter === null) this.#join(room)
      this.#sentAt.set(entry.clientId, now)
      this.#connection.send({ type: 'send', room: entry.room, clientId: entry.clientId, text: entry.text })
    }
  }

  #fillHoles(room: Room): void {
    if (this.link.state !== 'open') return
    for (const gap of room.holesToFill(this.#now())) this.#connection.send({ type: 'fill', room: room.name, ...gap })
  }

  #notified(notification: ChatNotification): void {
    if (this.notifications.some((known) => known.id === notification.id)) return
    this.notifications = [notification, ...this.notifications]
    if (!notification.seen) this.unseen++
    for (const listener of this.#mentionListeners) listener(notification)
  }

  async #loadNotifications(): Promise<void> {
    this.#notificationsDue = 0
    try {
      const { notifications, unseen } = await this.#options.http.notifications(this.user)
      this.notifications = notifications
      this.unseen = unseen
      this.#changed()
    } catch {
      // The database may still be starting; the bell shows meanwhile what arrives live.
      this.#notificationsDue = this.#now() + NOTIFICATIONS_RETRY
    }
  }

  #tick(): void {
    const now = this.#now()
    let changed = false
    for (const room of this.rooms.values()) {
      changed = room.expire(now) || changed
      this.#fillHoles(room)
    }
    if (this.#notificationsDue > 0 && now >= this.#notificationsDue) void this.#loadNotifications()
    let overdue = false
    for (const [clientId, at] of this.#sentAt) {
      if (now - at < SEND_PATIENCE) continue
      this.#sentAt.delete(clientId)
      overdue = true
    }
    if (overdue) this.outbox.rewind()
    this.#flush()
    if (changed || overdue || this.catchingUp > 0) this.#changed()
  }

  #room(name: string): Room {
    let room = this.rooms.get(name)
    if (!room) this.rooms.set(name, (room = new Room(name)))
    return room
  }

  #now(): number {
    return (this.#options.now ?? Date.now)()
  }

  #changed(): void {
    if (this.#notifying) return
    this.#notifying = true
    queueMicrotask(() => {
      this.#notifying = false
      for (const listener of this.#listeners) listener()
    })
  }
}
