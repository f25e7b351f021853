import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Channels } from 'yeoul'
import type { Database } from '../database/database.js'
import { storedPositions } from '../database/messages.js'
import type { ReadPosition } from '../database/reads.js'
import { type Hint, publishHint, subscribeHints } from '../hints.js'
import type { Later } from '../later.js'
import type { LoggedMessage, LoggedRead } from '../log.js'
import type { ChatMetrics } from '../metrics.js'
import type { ChatMessage, ClientFrame } from '../protocol.js'
import type { RoomDirectory } from '../rooms.js'
import { Connection, type ConnectionLimits } from './connection.js'
import { parseFrame, type Refusal } from './frames.js'
import { LocalRoom } from './local-room.js'
import type { ReadableHistory } from './member.js'
import { Presence } from './presence.js'
import { ReadReports } from './read-reports.js'

/** What the gateway needs of the log. */
export interface GatewayLog {
  append(message: LoggedMessage): Promise<{ message: ChatMessage; duplicate: boolean }>
  appendReads(reads: readonly LoggedRead[]): Promise<void>
  tops(rooms: readonly string[]): Promise<number[]>
}

export interface GatewayParts {
  log: GatewayLog
  history: ReadableHistory
  rooms: RoomDirectory
  channels: Channels
  database: Later<Database>
  metrics: ChatMetrics
  /** For the welcome: what a receipt stands for, which server, which log its numbers belong to. */
  facts: { durability: string; server: string; log: string }
  /** Failures that no browser is told of. */
  onError(where: string, error: unknown): void
}

export interface GatewayOptions extends Partial<ConnectionLimits> {
  /** How often each room with people in it is compared with the log, ms. */
  checkEvery?: number
}

/** A hint under way is no lost hint: after a difference was seen it has so long to come, ms. */
const GRACE = 100
/** Read reports, presence and room summaries leave in steps of this, ms. */
const FLUSH_EVERY = 200
const SUMMARIES_EVERY = 1_000
const PING_EVERY = 20_000
const PRESENCE_EVERY = 10_000
const TYPING_EVERY = 2_000
const STORED_EVERY = 5_000
const MAX_FILL = 500
/** What a browser is told to wait when something does not answer, ms. */
const RETRY_AFTER = 1_000

const LIMITS: ConnectionLimits = {
  send: { rate: 10, burst: 30 },
  frames: { rate: 100, burst: 1_500 },
  congestedAbove: 1 << 20,
  drainedBelow: 256 << 10,
  stalledAfter: 60_000,
}

/**
 * Browsers on one side, log and hints on the other. A message goes to the log first; its sender then has the receipt, and a
 * hint goes to every gateway, this one included, which hands it to the people in the room in order of sequence. A hint that is
 * lost is noticed by the next one of the room, or by comparing with the log every second.
 */
export class Gateway {
  readonly #parts: GatewayParts
  readonly #limits: ConnectionLimits
  readonly #checkEvery: number
  readonly #id = randomUUID()
  readonly #connections = new Set<Connection>()
  readonly #byUser = new Map<string, Set<Connection>>()
  readonly #local = new Map<string, LocalRoom>()
  readonly #presence = new Presence()
  readonly #reports = new ReadReports()
  readonly #typedAt = new Map<string, number>()
  /** Rooms whose people, and rooms whose summary, changed since the last flush. */
  readonly #moved = new Set<string>()
  readonly #changed = new Set<string>()
  /** Messages on their way to the log. */
  readonly #sending = new Set<Promise<unknown>>()
  readonly #timers: NodeJS.Timeout[] = []
  #subscription: { close(): Promise<void> } | undefined
  #checking = false
  #stopping = false

  constructor(parts: GatewayParts, options: GatewayOptions = {}) {
    this.#parts = parts
    const limits = { ...LIMITS, ...options }
    // A room for the other frames beside what may be sent.
    const { rate, burst } = limits.send
    this.#limits = { ...limits, frames: { rate: limits.frames.rate + rate, burst: limits.frames.burst + burst } }
    this.#checkEvery = options.checkEvery ?? 1_000
  }

  async start(): Promise<void> {
    this.#subscription = await subscribeHints(
      this.#parts.channels,
      (hint, bytes) => this.#hinted(hint, bytes),
      () => void this.#check(),
    )
    this.#every(this.#checkEvery, () => this.#check())
    this.#every(FLUSH_EVERY, () => this.#flush())
    this.#every(SUMMARIES_EVERY, () => this.#sendSummaries())
    this.#every(PING_EVERY, () => this.#ping())
    this.#every(PRESENCE_EVERY, () => this.#announce(true))
    this.#every(STORED_EVERY, () => this.#refreshStored())
    await publishHint(this.#parts.channels, { type: 'roll-call', gateway: this.#id })
  }

  /** Takes no more, ends what is under way, tells browsers to come back later. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#sending)
    await this.#flushReads()
    for (const connection of this.#connections) connection.close(1001, 'the server is stopping')
    await this.#subscription?.close()
  }

  /** `transport`: what the WebSocket runs over. */
  accept(socket: WebSocket, transport: Duplex): void {
    const connection = new Connection(socket, transport, this.#limits, Date.now())
    if (this.#stopping) {
      connection.close(1001, 'the server is stopping')
      return
    }
    this.#connections.add(connection)
    this.#parts.metrics.ledger.connections++
    socket.on('message', (data, binary) => this.#received(connection, data as Buffer, binary))
    socket.on('pong', () => (connection.alive = true))
    socket.on('error', () => connection.terminate())
    socket.on('close', () => this.#gone(connection))
  }

  #received(connection: Connection, data: Buffer, binary: boolean): void {
    connection.alive = true
    if (this.#stopping) return
    const wait = connection.frames.take(Date.now())
    if (wait > 0) {
      this.#refuse(connection, { code: 'rate_limited', text: 'too many frames', retryAfter: wait })
      return
    }
    const frame = binary
      ? { refusal: { code: 'bad_frame' as const, text: 'a frame is text' } }
      : parseFrame(data.toString())
    if ('refusal' in frame) this.#refuse(connection, frame.refusal)
    else if (frame.type === 'ping') connection.send({ type: 'pong' })
    else if (frame.type === 'hello') this.#hello(connection, frame)
    else if (connection.user === undefined) this.#refuse(connection, { code: 'not_joined', text: 'say hello first' })
    else if (frame.type === 'join') this.#join(connection, frame.room, frame.after)
    else this.#inRoom(connection, connection.user, frame)
  }

  #inRoom(
    connection: Connection,
    user: string,
    frame: Exclude<ClientFrame, { type: 'ping' | 'hello' | 'join' }>,
  ): void {
    const room = this.#local.get(frame.room)
    if (!room?.has(connection)) {
      const clientId = frame.type === 'send' ? frame.clientId : undefined
      this.#refuse(connection, { code: 'not_joined', text: `join ${frame.room} first`, clientId })
    } else if (frame.type === 'leave') this.#leave(connection, room)
    else if (frame.type === 'send') this.#send(connection, user, frame)
    else if (frame.type === 'read') this.#read({ room: room.name, user, seq: Math.min(frame.seq, this.#topOf(room)) })
    else if (frame.type === 'typing') this.#typing(room.name, user)
    else this.#fill(connection, room, frame.from, Math.min(frame.to, room.delivery.top, frame.from + MAX_FILL - 1))
  }

  #hello(connection: Connection, { user, rooms }: Extract<ClientFrame, { type: 'hello' }>): void {
    this.#forget(connection)
    connection.user = user
    let connections = this.#byUser.get(user)
    if (connections === undefined) this.#byUser.set(user, (connections = new Set()))
    connections.add(connection)
    connection.send({ type: 'welcome', user, rooms: this.#parts.rooms.summaries(user), ...this.#parts.facts })
    for (const [room, after] of Object.entries(rooms)) this.#join(connection, room, after)
  }

  /** A member at once, so that a send right behind the join is taken; what was missed follows. */
  #join(connection: Connection, name: string, after: number): void {
    let room = this.#local.get(name)
    if (room === undefined)
      this.#local.set(name, (room = new LocalRoom(name, this.#parts.history, this.#parts.metrics)))
    const member = room.enter(connection)
    this.#moved.add(name)
    const joined = this.#begin(connection.user!, room).then(() => member.join(after))
    joined.catch((error) => {
      this.#parts.onError(`joining ${name}`, error)
      this.#refuse(connection, { code: 'unavailable', text: `${name} cannot be joined now`, retryAfter: RETRY_AFTER })
    })
  }

  async #begin(user: string, room: LocalRoom): Promise<void> {
    const { room: known, made } = await this.#parts.rooms.open(room.name)
    if (made) void this.#publish({ type: 'room', room: room.name })
    if (!known.reads.has(user)) this.#read({ room: room.name, user, seq: 0 })
    // Hints that come from here on are kept by the delivery, so none falls between the position and the first one.
    const [top] = await this.#parts.log.tops([room.name])
    room.delivery.begin(top)
    room.delivery.reach(top)
    await room.delivery.settled()
  }

  #send(connection: Connection, user: string, frame: Extract<ClientFrame, { type: 'send' }>): void {
    const { room, clientId, text } = frame
    const now = Date.now()
    const wait = connection.sends.take(now)
    if (wait > 0) {
      this.#refuse(connection, { code: 'rate_limited', text: 'too many messages', clientId, retryAfter: wait })
      return
    }
    const { ledger } = this.#parts.metrics
    ledger.sent++
    const logged = this.#parts.log.append({ room, user, text, clientId }).then(({ message, duplicate }) => {
      if (duplicate) ledger.duplicatesSuppressed++
      else ledger.logged++
      this.#parts.metrics.sendToLog((Date.now() - now) / 1000)
      const { id, seq, at } = message
      connection.send({
        type: 'sent',
        room,
        clientId,
        id,
        seq,
        at,
        durability: this.#parts.facts.durability,
        duplicate,
      })
      if (!duplicate) void this.#publish({ type: 'message', message })
    })
    const answered = logged.catch((error) => {
      this.#parts.onError('writing to the log', error)
      const text = 'the log does not take messages now'
      this.#refuse(connection, { code: 'unavailable', text, clientId, retryAfter: RETRY_AFTER })
    })
    this.#sending.add(answered)
    void answered.finally(() => this.#sending.delete(answered))
  }

  #read(read: ReadPosition): void {
    if (!this.#raise(read)) return
    this.#reports.add(read)
  }

  #typing(room: string, user: string): void {
    const place = `${room}/${user}`
    const now = Date.now()
    if (now - (this.#typedAt.get(place) ?? 0) < TYPING_EVERY) return
    this.#typedAt.set(place, now)
    void this.#publish({ type: 'typing', room, user })
  }

  #fill(connection: Connection, room: LocalRoom, from: number, to: number): void {
    const filled = this.#parts.history.between(room.name, from, to).then((messages) => {
      const { top } = room.delivery
      connection.send({ type: 'messages', room: room.name, messages, top, complete: to >= top })
    })
    filled.catch(() => {
      this.#refuse(connection, { code: 'unavailable', text: 'history cannot be read now', retryAfter: RETRY_AFTER })
    })
  }

  #hinted(hint: Hint, bytes: Buffer): void {
    const { rooms } = this.#parts
    rooms.take(hint)
    switch (hint.type) {
      case 'room':
        this.#changed.add(hint.room)
        return
      case 'message':
        this.#changed.add(hint.message.room)
        this.#local.get(hint.message.room)?.delivery.offer({ message: hint.message, frame: bytes })
        return
      case 'reads':
        for (const read of hint.reads) this.#raise(read)
        return
      case 'stored':
        for (const [room, seq] of Object.entries(hint.rooms)) this.#stored(room, seq)
        return
      case 'typing':
        this.#local.get(hint.room)?.broadcast({ type: 'typing', room: hint.room, user: hint.user }, hint.user)
        return
      case 'notifications':
        for (const { recipient, notification } of hint.notifications) {
          for (const connection of this.#byUser.get(recipient) ?? [])
            connection.send({ type: 'notification', notification })
        }
        return
      case 'presence':
        if (hint.gateway === this.#id) return
        for (const room of this.#presence.heard(hint.gateway, hint.rooms, hint.all, Date.now())) this.#showMembers(room)
        return
      case 'roll-call':
        if (hint.gateway !== this.#id) this.#announce(true)
    }
  }

  /** True when the position moved; the people in the room are told. */
  #raise(read: ReadPosition): boolean {
    if (!this.#parts.rooms.raise(read)) return false
    this.#local.get(read.room)?.broadcast({ type: 'read', ...read })
    return true
  }

  #stored(name: string, seq: number): void {
    const room = this.#parts.rooms.get(name)
    if (room === undefined || room.stored >= seq) return
    room.stored = seq
    this.#local.get(name)?.broadcast({ type: 'stored', room: name, seq })
  }

  #topOf({ name, delivery }: LocalRoom): number {
    return Math.max(delivery.top, this.#parts.rooms.get(name)?.top ?? 0)
  }

  #showMembers(name: string): void {
    const room = this.#local.get(name)
    room?.broadcast({ type: 'members', room: name, online: this.#presence.online(name, room.users()) })
  }

  /** Compares every room with people in it with the log, all in one call. */
  async #check(): Promise<void> {
    if (this.#checking || this.#stopping) return
    this.#checking = true
    try {
      const rooms = [...this.#local.values()]
      const tops = await this.#parts.log.tops(rooms.map(({ name }) => name))
      const late = rooms
        .map((room, index) => ({ room, top: tops[index] }))
        .filter(({ room, top }) => room.delivery.delivered < top)
      if (late.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, GRACE))
      for (const { room, top } of late) if (room.delivery.delivered < top) room.delivery.reach(top)
    } catch (error) {
      this.#parts.onError('comparing with the log', error)
    } finally {
      this.#checking = false
    }
  }

  async #refreshStored(): Promise<void> {
    const database = this.#parts.database.current
    const behind = [...this.#local.values()].filter(
      ({ name, delivery }) => (this.#parts.rooms.get(name)?.stored ?? 0) < delivery.delivered,
    )
    if (database === undefined || behind.length === 0) return
    const stored = await storedPositions(
      database,
      behind.map(({ name }) => name),
    ).catch(() => undefined)
    for (const [room, seq] of stored ?? []) this.#stored(room, seq)
  }

  async #flush(): Promise<void> {
    const moved = [...this.#moved]
    this.#moved.clear()
    if (moved.length > 0) {
      for (const room of moved) this.#showMembers(room)
      this.#announce(false, moved)
    }
    await this.#flushReads()
  }

  async #flushReads(): Promise<void> {
    const reads = this.#reports.take()
    if (reads.length === 0) return
    try {
      await this.#parts.log.appendReads(reads)
      await this.#publish({ type: 'reads', reads })
    } catch (error) {
      for (const read of reads) this.#reports.add(read)
      this.#parts.onError('writing read positions', error)
    }
  }

  #announce(all: boolean, names: Iterable<string> = this.#local.keys()): void {
    const rooms: Record<string, string[]> = {}
    for (const name of names) rooms[name] = [...(this.#local.get(name)?.users() ?? [])]
    void this.#publish({ type: 'presence', gateway: this.#id, all, rooms })
    if (!all) return
    for (const room of this.#presence.expire(Date.now())) this.#showMembers(room)
  }

  /** Rooms that changed, to those who are not in them: their list of rooms stays current without the bodies. */
  #sendSummaries(): void {
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const name of changed) {
      const { read: _, ...summary } = this.#parts.rooms.get(name)!.summary('')
      const head = `{"type":"room","room":${JSON.stringify(summary).slice(0, -1)},"read":`
      const local = this.#local.get(name)
      for (const connection of this.#connections) {
        if (connection.user === undefined || connection.congested || local?.has(connection)) continue
        const read = this.#parts.rooms.get(name)!.reads.get(connection.user) ?? 0
        connection.sendBytes(Buffer.from(`${head}${read}}}`))
      }
    }
  }

  #ping(): void {
    const now = Date.now()
    for (const connection of this.#connections) {
      if (connection.stalled(now)) {
        this.#parts.metrics.slowDisconnect()
        connection.terminate()
      } else if (!connection.alive && !connection.congested) connection.terminate()
      else connection.ping()
    }
    for (const [place, at] of this.#typedAt) if (now - at > TYPING_EVERY) this.#typedAt.delete(place)
  }

  #leave(connection: Connection, room: LocalRoom): void {
    if (!room.leave(connection)) return
    this.#moved.add(room.name)
    // The delivery goes with the last one: it starts anew, from the log, when somebody comes.
    if (room.empty) this.#local.delete(room.name)
  }

  #gone(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    this.#parts.metrics.ledger.connections--
    this.#forget(connection)
  }

  #forget(connection: Connection): void {
    for (const room of [...this.#local.values()]) this.#leave(connection, room)
    if (connection.user === undefined) return
    const connections = this.#byUser.get(connection.user)
    connections?.delete(connection)
    if (connections?.size === 0) this.#byUser.delete(connection.user)
  }

  #refuse(connection: Connection, refusal: Refusal): void {
    this.#parts.metrics.refused(refusal.code)
    connection.send({ type: 'refused', ...refusal })
  }

  /** A hint that cannot be sent is a hint lost. */
  async #publish(hint: Hint): Promise<void> {
    await publishHint(this.#parts.channels, hint).catch((error) => this.#parts.onError('sending a hint', error))
  }

  #every(ms: number, work: () => void | Promise<void>): void {
    this.#timers.push(setInterval(() => void work(), ms))
  }
}
