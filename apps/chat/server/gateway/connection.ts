import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { ServerFrame } from '../protocol.js'
import { type Rate, TokenBucket } from './rate-limit.js'

export interface ConnectionLimits {
  /** Messages a person may send. */
  send: Rate
  /** All frames of a connection. */
  frames: Rate
  /** Bytes waiting to be read by the other side, above which bodies are held back, and below which they go on. */
  congestedAbove: number
  drainedBelow: number
  /** A congested connection that reads nothing for so long is ended, ms. */
  stalledAfter: number
}

/** One browser: its socket, who it says it is, and how fast it may go and can be fed. */
export class Connection {
  readonly id = randomUUID()
  readonly sends: TokenBucket
  readonly frames: TokenBucket
  /** Undefined until its hello. */
  user: string | undefined
  /** Answered since the last ping. */
  alive = true
  readonly #socket: WebSocket
  /** What the WebSocket runs over: frames of one turn of the event loop leave in one system call. */
  readonly #transport: Duplex
  #corked = false
  readonly #limits: ConnectionLimits
  #waiters: (() => void)[] = []
  #stalledSince: { at: number; buffered: number } | undefined
  /** One for all sends: looks whether those who wait for room can go on. */
  readonly #written = () => {
    if (this.#waiters.length > 0 && this.#socket.bufferedAmount < this.#limits.drainedBelow) this.#release()
  }

  readonly #uncork = () => {
    this.#corked = false
    this.#transport.uncork()
  }

  constructor(socket: WebSocket, transport: Duplex, limits: ConnectionLimits, now: number) {
    this.#socket = socket
    this.#transport = transport
    this.#limits = limits
    this.sends = new TokenBucket(limits.send, now)
    this.frames = new TokenBucket(limits.frames, now)
    socket.once('close', () => this.#release())
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  get congested(): boolean {
    return this.#socket.bufferedAmount > this.#limits.congestedAbove
  }

  send(frame: ServerFrame): void {
    this.sendBytes(Buffer.from(JSON.stringify(frame)))
  }

  sendBytes(frame: Buffer): void {
    if (!this.open) return
    if (!this.#corked) {
      this.#corked = true
      this.#transport.cork()
      setImmediate(this.#uncork)
    }
    this.#socket.send(frame, { binary: false, compress: false }, this.#written)
  }

  /** Settles when the other side has read enough for more to be sent, or is gone. */
  drained(): Promise<void> {
    if (!this.open || this.#socket.bufferedAmount < this.#limits.drainedBelow) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  ping(): void {
    this.alive = false
    if (this.open) this.#socket.ping()
  }

  /** True when it has been congested without reading anything for too long. */
  stalled(now: number): boolean {
    if (!this.congested) {
      this.#stalledSince = undefined
      return false
    }
    const buffered = this.#socket.bufferedAmount
    if (this.#stalledSince === undefined || buffered < this.#stalledSince.buffered)
      this.#stalledSince = { at: now, buffered }
    return now - this.#stalledSince.at > this.#limits.stalledAfter
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #release(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}
