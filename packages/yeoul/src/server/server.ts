import net, { type AddressInfo, type Socket } from 'node:net'
import tls, { type SecureContextOptions } from 'node:tls'
import type { EngineState } from '../engine/commands/command.js'
import type { Host } from '../engine/host.js'
import { Pause } from '../engine/pause.js'
import type { Request } from '../engine/resp/request.js'
import type { Session } from '../engine/session.js'
import { CommitGate } from './commit-gate.js'
import { Connection, type Surroundings } from './connection.js'
import { DENIED, isLoopback, READ_AHEAD_TOTAL, TOO_MANY_CLIENTS, UNACKNOWLEDGED_MS } from './limits.js'

/** What a server needs of an engine: to run requests, and to make and end sessions. */
export interface ServedEngine extends EngineState {
  createSession(onOutput: (session: Session) => void, onClose: (session: Session) => void): Session
  closeSession(session: Session): void
  /** Resolves when everything written so far fulfils the log's policy; undefined when it already does. */
  committed(): Promise<void> | undefined
}

export interface ListenOptions {
  /** 0 takes a free port. */
  port: number
  /** Default 127.0.0.1. */
  host?: string
  /** Password of the default user; more users are made by ACL SETUSER. */
  requirepass?: string
  /** Certificate and key; with `ca` and `requestCert` also the peers' certificates are checked. */
  tls?: SecureContextOptions & { requestCert?: boolean; rejectUnauthorized?: boolean }
  /** Default 10000. */
  maxclients?: number
  /** Seconds after which an idle peer is closed; 0 (default) = never. */
  timeout?: number
  /** Seconds between keep-alive probes; 0 = none. Default 300. */
  tcpKeepalive?: number
  /** Default true: without a password only peers of the same machine are served. */
  protectedMode?: boolean
  /** SHUTDOWN was received. The default closes this server only. */
  onShutdown?: () => void
  /** A command failed in a way that is a mistake of the engine; default: printed to stderr. */
  onError?: (error: unknown) => void
}

/** How long `close` waits for peers to take their last replies, ms. */
const DRAIN_MS = 2000

/** Opens the port; rejects with the system's error (EADDRINUSE, EACCES) when that fails. */
export async function listen(engine: ServedEngine, options: ListenOptions): Promise<RespServer> {
  const { config } = engine
  const changes: [string, string][] = []
  if (options.requirepass !== undefined) changes.push(['requirepass', options.requirepass])
  if (options.maxclients !== undefined) changes.push(['maxclients', String(options.maxclients)])
  if (options.timeout !== undefined) changes.push(['timeout', String(options.timeout)])
  if (options.tcpKeepalive !== undefined) changes.push(['tcp-keepalive', String(options.tcpKeepalive)])
  if (options.protectedMode !== undefined) changes.push(['protected-mode', options.protectedMode ? 'yes' : 'no'])
  config.set(changes)
  const server = new RespServer(engine, options)
  await server.open()
  return server
}

export class RespServer implements Host, Surroundings {
  readonly gate: CommitGate
  readonly pause = new Pause()
  readonly #engine: ServedEngine
  readonly #options: ListenOptions
  readonly #server: net.Server
  readonly #connections = new Map<Session, Connection>()
  /** To be looked at when the turn's input has been served. */
  #later: Connection[] = []
  #sweep: NodeJS.Timeout | undefined
  #resume: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  crowded = false

  constructor(engine: ServedEngine, options: ListenOptions) {
    this.#engine = engine
    this.#options = options
    this.gate = new CommitGate(engine.log)
    this.pause.onChange = () => this.#pauseChanged()
    for (const name of ['proto-max-bulk-len', 'client-query-buffer-limit']) {
      engine.config.onChange(name, () => {
        for (const connection of this.#connections.values()) connection.limit()
      })
    }
    // Half-open: a peer that has sent all it wants still gets every reply.
    const shared = { allowHalfOpen: true, noDelay: true }
    this.#server =
      options.tls === undefined
        ? net.createServer(shared, (socket) => this.#accept(socket, false))
        : tls.createServer({ ...shared, ...options.tls }, (socket) => this.#accept(socket, true))
    // A failed handshake concerns that peer only.
    this.#server.on('tlsClientError', (_, socket) => socket.destroy())
  }

  get engine(): EngineState {
    return this.#engine
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return (this.#server.address() as AddressInfo).address
  }

  get connections(): number {
    return this.#connections.size
  }

  async open(): Promise<void> {
    const { config } = this.#engine
    const { port, host = '127.0.0.1' } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host, backlog: config.tcpBacklog }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.report(error))
        resolve()
      })
    })
    config.bind = host
    if (this.#options.tls === undefined) config.port = this.port
    else config.tlsPort = this.port
    this.#engine.host = this
    this.#sweep = setInterval(() => this.#sweepAll(), 1000)
    this.#sweep.unref()
  }

  /**
   * Stops accepting, ends waiting readers, lets every reply that the log covers leave, closes the connections. The
   * engine stays open. Peers that do not take their replies are cut off after 2 s.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweep)
    clearTimeout(this.#resume)
    this.pause.until = 0
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of [...this.#connections.values()]) connection.finish()
    const late = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.destroy()
    }, DRAIN_MS)
    await closed
    clearTimeout(late)
    if (this.#engine.host === this) this.#engine.host = undefined
  }

  shutdown(): void {
    if (this.#options.onShutdown !== undefined) this.#options.onShutdown()
    else void this.close()
  }

  holds(session: Session, request: Request): boolean {
    const { until, mode } = this.pause
    if (until === 0 || until <= this.#engine.clock.now()) return false
    if (mode === 'all') return true
    const name = request.string(0).toLowerCase()
    if (name === 'exec') return session.transaction?.queued.some((queued) => this.#writes(queued.string(0))) ?? false
    return this.#writes(name)
  }

  later(connection: Connection): void {
    if (this.#later.push(connection) === 1) setImmediate(() => this.#serveLater())
  }

  report(error: unknown): void {
    if (this.#options.onError !== undefined) this.#options.onError(error)
    else console.error(error)
  }

  #writes(name: string): boolean {
    const command = this.#engine.table.get(name.toLowerCase())
    return (
      command !== undefined &&
      (command.flags.includes('write') || command.name === 'publish' || command.name === 'spublish')
    )
  }

  #serveLater(): void {
    const connections = this.#later
    this.#later = []
    for (const connection of connections) connection.proceed()
  }

  #accept(socket: Socket, encrypted: boolean): void {
    const engine = this.#engine
    const { config } = engine
    // A reset shows as an error and then as a close; only the close matters.
    socket.on('error', () => socket.destroy())
    if (this.#connections.size >= config.maxclients) {
      engine.stats.rejectedConnections++
      socket.end(TOO_MANY_CLIENTS, () => socket.destroy())
      return
    }
    if (config.protectedMode && engine.acl.default.nopass && !isLoopback(socket.remoteAddress)) {
      engine.stats.rejectedConnections++
      socket.end(DENIED, () => socket.destroy())
      return
    }
    engine.stats.connections++
    if (config.tcpKeepalive > 0) socket.setKeepAlive(true, config.tcpKeepalive * 1000)
    let connection: Connection | undefined
    const session = engine.createSession(
      () => connection?.wake(),
      () => connection?.destroy(),
    )
    session.address = printable(socket.remoteAddress, socket.remotePort)
    session.localAddress = printable(socket.localAddress, socket.localPort)
    connection = new Connection(socket, session, this, encrypted)
    this.#connections.set(session, connection)
    socket.on('close', () => {
      this.#connections.delete(session)
      connection.closed()
      engine.closeSession(session)
    })
  }

  #pauseChanged(): void {
    clearTimeout(this.#resume)
    const now = this.#engine.clock.now()
    if (this.pause.until > now) {
      // setTimeout takes at most 2^31 - 1 ms; a longer pause is looked at again then.
      this.#resume = setTimeout(() => this.#pauseChanged(), Math.min(this.pause.until - now, 0x7fffffff))
      return
    }
    this.pause.until = 0
    for (const connection of this.#connections.values()) connection.wake()
  }

  #sweepAll(): void {
    const now = performance.now()
    const wall = this.#engine.clock.now()
    const { timeout } = this.#engine.config
    this.#engine.stats.sample(now)
    this.gate.expire(now - UNACKNOWLEDGED_MS)
    let held = 0
    for (const [session, connection] of this.#connections) {
      held += connection.queryBytes
      connection.sweep(now)
      const idleSince = Math.max(session.lastCommandAt, session.createdAt)
      const waits = session.parked !== undefined || session.subscribed || session.monitor
      if (timeout > 0 && !waits && wall - idleSince > timeout * 1000) connection.destroy()
    }
    this.crowded = held > READ_AHEAD_TOTAL
  }
}

function printable(address: string | undefined, port: number | undefined): string {
  const host = address?.replace(/^::ffff:(?=\d+\.)/, '') ?? ''
  return host.includes(':') ? `[${host}]:${port ?? 0}` : `${host}:${port ?? 0}`
}
