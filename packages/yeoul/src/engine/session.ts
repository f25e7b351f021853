import type { Database } from './keyspace/database.js'
import { Reply } from './resp/reply.js'
import type { Request } from './resp/request.js'

/**
 * One peer of the engine: what it negotiated, selected, watches and waits for. The server makes one per connection; the
 * engine writes replies into `output` and calls `onOutput` when it does so outside `execute` (a parked reader is
 * served, a message is published, MONITOR). Nothing here knows a socket.
 */
export class Session {
  /** Rises; what CLIENT ID answers. */
  readonly id: number
  readonly output = new Reply()
  name = ''
  libraryName = ''
  libraryVersion = ''
  /** `host:port` of the peer and of the listening side, as CLIENT LIST shows them. */
  address = ''
  localAddress = ''
  createdAt = 0
  lastCommandAt = 0
  lastCommand = 'NULL'
  database = 0
  /** The ACL user; its rights are looked up at each command. */
  user = 'default'
  authenticated = true
  /** Commands queued since MULTI; undefined outside. */
  transaction: Transaction | undefined
  /** WATCHed keys with the version seen. */
  readonly watched: WatchedKey[] = []
  /** Set while a blocking command waits: the server reads no further command of this peer until it is cleared. */
  parked: Parked | undefined
  readonly channels = new Set<string>()
  readonly patterns = new Set<string>()
  readonly shardChannels = new Set<string>()
  monitor = false
  noEvict = false
  noTouch = false
  /** CLIENT REPLY: replies are written, or dropped (off; skip = the next one only). */
  replies: 'on' | 'off' | 'skip' = 'on'
  /** Close the connection once what was written has left: QUIT, protocol errors, kills. */
  closing = false
  /** The connection behind this session; an in-process session has none. */
  peer: Peer | undefined

  constructor(
    id: number,
    /** Called when output appeared outside `execute`; the server then sends it (after the log's barrier). */
    readonly onOutput: (session: Session) => void = () => {},
    /** Called when the engine wants the peer gone (CLIENT KILL, output limit). */
    readonly onClose: (session: Session) => void = () => {},
  ) {
    this.id = id
  }

  get subscriptions(): number {
    return this.channels.size + this.patterns.size
  }

  /** In RESP2 a subscriber may only subscribe, unsubscribe, PING, QUIT, RESET. */
  get subscribed(): boolean {
    return this.channels.size + this.patterns.size + this.shardChannels.size > 0
  }
}

/** What CLIENT LIST and the limits see of a connection. */
export interface Peer {
  /** Bytes received of commands that did not run yet. */
  readonly queryBytes: number
  /** Bytes of replies the peer has not taken yet. */
  readonly outputBytes: number
  readonly tls: boolean
}

export interface Transaction {
  queued: Request[]
  /** A command was refused while queueing: EXEC answers EXECABORT. */
  failed: boolean
}

export interface WatchedKey {
  database: Database
  key: string
  version: number
}

/** A command that waits. Whoever serves, times out or unblocks it calls `end` first: it leaves every queue. */
export interface Parked {
  readonly session: Session
  /** ms of the engine's monotonic clock, Infinity = for ever. */
  readonly deadline: number
  end(): void
}
