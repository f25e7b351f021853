import type { ClientFrame, ServerFrame } from '../../../server/protocol.js'
import { reconnectDelay } from './backoff.js'

export type Link =
  | { state: 'connecting' }
  | { state: 'open' }
  /** Tries again at `retryAt`, ms since the epoch. */
  | { state: 'waiting'; retryAt: number }
  | { state: 'closed' }

/** The part of WebSocket that is used. */
export interface Socket {
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
  onerror: (() => void) | null
  send(data: string): void
  close(): void
}

export interface ConnectionOptions {
  open: () => Socket
  onLink: (link: Link) => void
  /** The socket is open: say hello. */
  onOpen: () => void
  onFrame: (frame: ServerFrame) => void
  random?: () => number
}

/** Asked for after so much silence; without any answer as long again, the connection is taken for dead. */
const PING_AFTER = 15_000
const STABLE_AFTER = 5_000

/** One WebSocket that comes back by itself. Frames handed to `send` while it is not open are not kept: the caller resumes. */
export class Connection {
  readonly #options: ConnectionOptions
  #socket: Socket | null = null
  #attempt = 0
  #retry: ReturnType<typeof setTimeout> | undefined
  #stable: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  #open = false
  #started = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  start(): void {
    this.#started = true
    this.#connect()
  }

  stop(): void {
    this.#started = false
    this.#drop()
    clearTimeout(this.#retry)
    this.#options.onLink({ state: 'closed' })
  }

  /** The network is back or the user asks: do not wait for the timer. */
  retryNow(): void {
    if (!this.#started || this.#socket) return
    clearTimeout(this.#retry)
    this.#connect()
  }

  /** True when it was handed to an open socket. */
  send(frame: ClientFrame): boolean {
    if (!this.#open || !this.#socket) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  #connect(): void {
    this.#options.onLink({ state: 'connecting' })
    const socket = this.#options.open()
    this.#socket = socket
    // A connect that never answers is given up like a silent connection.
    this.#listen(socket)
    socket.onopen = () => {
      if (this.#socket !== socket) return
      this.#open = true
      this.#stable = setTimeout(() => (this.#attempt = 0), STABLE_AFTER)
      this.#listen(socket)
      this.#options.onLink({ state: 'open' })
      this.#options.onOpen()
    }
    socket.onmessage = (event) => {
      if (this.#socket !== socket) return
      this.#listen(socket)
      const frame = parse(event.data)
      if (frame) this.#options.onFrame(frame)
    }
    socket.onclose = () => this.#lost(socket)
    socket.onerror = () => this.#lost(socket)
  }

  #listen(socket: Socket): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => {
      if (this.#open) socket.send('{"type":"ping"}')
      this.#silence = setTimeout(() => this.#lost(socket), PING_AFTER)
    }, PING_AFTER)
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#drop()
    if (!this.#started) return
    const delay = reconnectDelay(this.#attempt++, (this.#options.random ?? Math.random)())
    this.#retry = setTimeout(() => this.#connect(), delay)
    this.#options.onLink({ state: 'waiting', retryAt: Date.now() + delay })
  }

  #drop(): void {
    clearTimeout(this.#stable)
    clearTimeout(this.#silence)
    const socket = this.#socket
    this.#socket = null
    this.#open = false
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null
    socket.close()
  }
}

function parse(data: unknown): ServerFrame | null {
  if (typeof data !== 'string') return null
  try {
    const frame: unknown = JSON.parse(data)
    return typeof frame === 'object' && frame !== null && 'type' in frame ? (frame as ServerFrame) : null
  } catch {
    return null
  }
}
