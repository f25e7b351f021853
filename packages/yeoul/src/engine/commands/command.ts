import type { AccessControl } from '../acl.js'
import type { AppendOnlyFile } from '../aof/log.js'
import type { BlockedReaders } from '../blocked.js'
import type { Config } from '../config.js'
import type { Host } from '../host.js'
import type { IdempotencyExpiry } from '../idempotency-expiry.js'
import type { Clock } from '../io/clock.js'
import type { Database } from '../keyspace/database.js'
import type { Latency } from '../latency.js'
import type { Monitors } from '../monitor.js'
import type { PubSub } from '../pubsub.js'
import type { Reply } from '../resp/reply.js'
import type { Request } from '../resp/request.js'
import type { Session } from '../session.js'
import type { SlowLog } from '../slowlog.js'
import type { Stats } from '../stats.js'
import type { EntryId } from '../stream/entry-id.js'
import type { NodeLimits, Stream } from '../stream/stream.js'

/**
 * One row of the command table. COMMAND, COMMAND DOCS, ACL categories, arity errors, key extraction and the
 * compatibility page all come from these rows and from nothing else.
 */
export interface Command {
  /** Lower case; of a subcommand only its own word (`create` under `xgroup`). */
  readonly name: string
  /** As Redis counts: with the command word(s); negative = at least. */
  readonly arity: number
  readonly flags: readonly Flag[]
  readonly keys: KeySpec
  /** Redis version that introduced it. */
  readonly since: string
  readonly group: Group
  readonly summary: string
  readonly complexity: string
  readonly categories: readonly string[]
  /** Absent when only the subcommands can be called. */
  readonly handler?: Handler
  readonly subcommands?: readonly Command[]
}

/**
 * What commands act on. `Engine` (engine.ts) implements it and adds opening, replay and the table; commands, blocked.ts
 * and the typed API import this interface and never engine.ts, so that imports stay acyclic (type imports included).
 */
export interface EngineState {
  readonly databases: Database[]
  /** By lower-case name: for COMMAND, ACL and MULTI. */
  readonly table: ReadonlyMap<string, Command>
  readonly clock: Clock
  /** Where effects go; undefined in memory and while the log is replayed. */
  readonly log: AppendOnlyFile | undefined
  readonly config: Config
  /** Of every stream; follows stream-node-max-entries and -bytes. */
  readonly nodeLimits: NodeLimits
  readonly pubsub: PubSub
  readonly acl: AccessControl
  readonly stats: Stats
  readonly slowlog: SlowLog
  readonly latency: Latency
  readonly monitors: Monitors
  readonly blocked: BlockedReaders
  readonly idempotency: IdempotencyExpiry
  readonly sessions: Map<number, Session>
  host: Host | undefined
  /** The data directory; undefined in memory. */
  readonly directory: string | undefined
  /** ms since the epoch. */
  readonly startedAt: number
  /** 40 hexadecimal digits, new at each start. */
  readonly runId: string
  /** The log is being replayed: nothing expires, nobody is told. */
  readonly loading: boolean
  /** Bytes of keys and values. */
  usedMemory(): number
  /** Runs one request of a session, as a connection does for what arrived. */
  execute(session: Session, request: Request): void
  /** As `execute`, for a request that follows another one at once, without a new look at the clock. */
  executeNext(session: Session, request: Request): void
  /** Runs a command as part of another one (EXEC): no gates, no hooks; an error is written as its reply. */
  perform(session: Session, request: Request, now: number): void
  /** All effects of `run` are logged as one transaction; blocked readers are served after it. */
  transaction<T>(run: () => T): T
  /** A keyspace event (`xadd`, `del` …), if such are asked for. */
  notify(kind: EventKind, event: string, database: Database, key: string): void
  /** Set while the log is being compacted. */
  readonly snapshot: SnapshotGuard | undefined
  /** Compacts the log; rejects when there is none, or one is running. */
  rewriteLog(): Promise<void>
}

/** What a snapshot of the log's compaction must hear before it happens (snapshot.ts says why). */
export interface SnapshotGuard {
  /** Entries up to an ID, or the first so many, are about to be removed. */
  beforeRemoval(stream: Stream, last: EntryId | number): void
  /** A value is about to be renamed, copied or moved. */
  finish(value: NonNullable<unknown>): void
  abandon(reason: string): void
}

/** Classes of keyspace events, as in notify-keyspace-events. */
export type EventKind = 'g' | '$' | 'h' | 'z' | 't' | 'x' | 'e' | 'n' | 'm'

/** Writes exactly one reply into `call.reply`, or throws CommandError (what was half written is rewound). */
export type Handler = (call: Call) => void

export interface Call {
  readonly engine: EngineState
  readonly session: Session
  /** The session's selected database. */
  readonly database: Database
  readonly request: Request
  readonly reply: Reply
  /** ms since the epoch: one snapshot per command, or per EXEC. */
  readonly now: number
  readonly command: Command
  /** Inside EXEC: whoever would wait is answered as if its time were over. */
  readonly inTransaction: boolean
}

export type Flag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_multi'
  | 'allow_busy'
  | 'movablekeys'
  | 'skip_monitor'
  | 'skip_slowlog'

export type Group =
  | 'stream'
  | 'generic'
  | 'string'
  | 'hash'
  | 'sorted-set'
  | 'transactions'
  | 'pubsub'
  | 'connection'
  | 'server'
  | 'scripting'

/** Positions of keys, or a function for commands whose keys move (XREAD … STREAMS). */
export type KeySpec = { first: number; last: number; step: number } | ((request: Request) => number[]) | null

/** An error reply. Not an Error: it carries no stack, because a peer can cause millions of them. */
export class CommandError {
  constructor(readonly text: string) {}
}

/** What a peer sent, as error texts show it: up to the first NUL. */
export function shown(text: string): string {
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

export function syntaxError(): CommandError {
  return new CommandError('ERR syntax error')
}

export function wrongType(): CommandError {
  return new CommandError('WRONGTYPE Operation against a key holding the wrong kind of value')
}

export function notAnInteger(): CommandError {
  return new CommandError('ERR value is not an integer or out of range')
}
