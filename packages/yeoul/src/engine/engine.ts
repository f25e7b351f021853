import { randomBytes } from 'node:crypto'
import { AccessControl } from './acl.js'
import { type BackupProgress, type BackupReport, copyAppendOnly } from './aof/backup.js'
import type { LoadProgress } from './aof/directory.js'
import { type AppendFsync, AppendOnlyFile } from './aof/log.js'
import { BlockedReaders } from './blocked.js'
import { type Call, type Command, CommandError, type EngineState, type EventKind, shown } from './commands/command.js'
import { commands } from './commands/index.js'
import { refuseSubscriber } from './commands/pubsub.js'
import { CommandTable, type Found } from './commands/table.js'
import { discard } from './commands/transactions.js'
import { memoryOf } from './commands/values.js'
import { Config } from './config.js'
import type { Host } from './host.js'
import { IdempotencyExpiry } from './idempotency-expiry.js'
import { type Clock, systemClock, type Timer } from './io/clock.js'
import { FileStorage } from './io/file-storage.js'
import type { Storage } from './io/storage.js'
import { Database } from './keyspace/database.js'
import { Latency } from './latency.js'
import { Monitors } from './monitor.js'
import { newerEffect } from './newer-effects.js'
import { PubSub } from './pubsub.js'
import type { Reply } from './resp/reply.js'
import type { Request } from './resp/request.js'
import { Session } from './session.js'
import { SlowLog } from './slowlog.js'
import { Snapshot } from './snapshot.js'
import { Stats } from './stats.js'
import { Streams } from './streams.js'

export interface EngineOptions {
  /** The data directory; absent: in memory, gone with the process. */
  directory?: string
  /** `always` (default), `everysec` or `no`. */
  appendfsync?: AppendFsync
  storage?: Storage
  clock?: Clock
  /** Numbered databases; default 16. */
  databases?: number
  /** Parameters by their CONFIG names: `{ 'stream-node-max-entries': '50' }`. */
  config?: Record<string, string>
  /** Told about every 10 ms while the log is replayed. */
  progress?: (progress: LoadProgress) => void
  /** Told about errors that are nobody's answer: a defect in a command, a failed automatic rewrite. Default: a process warning. */
  onError?: (error: Error) => void
}

/**
 * Keys and values, and the one place where commands run: one at a time, each to its end. Changes are applied in memory
 * and logged as effects in the same turn; `committed()` says when they are durable.
 */
export class Engine implements EngineState {
  readonly databases: Database[]
  readonly table: ReadonlyMap<string, Command>
  readonly clock: Clock
  readonly config = new Config()
  readonly nodeLimits = { maxEntries: 100, maxBytes: 4096 }
  readonly pubsub = new PubSub()
  readonly acl: AccessControl
  readonly stats = new Stats()
  readonly slowlog = new SlowLog()
  readonly latency = new Latency()
  readonly monitors = new Monitors()
  readonly blocked: BlockedReaders
  readonly idempotency: IdempotencyExpiry
  readonly sessions = new Map<number, Session>()
  host: Host | undefined
  readonly directory: string | undefined
  readonly startedAt: number
  readonly runId = randomBytes(20).toString('hex')
  log: AppendOnlyFile | undefined
  loading = false
  snapshot: Snapshot | undefined
  /** The typed API of this process. */
  readonly streams: Streams

  readonly #storage: Storage
  readonly #commands = new CommandTable(commands)
  readonly #onError: (error: Error) => void
  readonly #call: RunningCall
  #nextSession = 1
  /** Wall clock at the start of the present run of requests, and the monotonic clock then. */
  #wall = 0
  #wallAt = 0
  /** Monotonic clock when the latest command ended, or the run began. */
  #latest = 0
  /** Nested transactions; blocked readers are served outside all of them. */
  #depth = 0
  #closed = false
  #expiryTimer: Timer | undefined
  #expiryAt = Number.POSITIVE_INFINITY
  #memory = 0
  #memoryMeasuredAt = Number.NEGATIVE_INFINITY
  #memoryMeasureCost = 0
  #rewriteNotBefore = 0
  #rewritePause = REWRITE_PAUSE_FIRST

  private constructor(options: EngineOptions) {
    this.clock = options.clock ?? systemClock
    this.#storage = options.storage ?? new FileStorage()
    this.directory = options.directory
    this.startedAt = this.clock.now()
    this.#onError = options.onError ?? ((error) => process.emitWarning(error))
    this.table = this.#commands.rows
    this.acl = new AccessControl(this.config)
    this.config.databases = options.databases ?? 16
    this.config.appendonly = options.directory !== undefined
    this.config.appendfsync = options.appendfsync ?? 'always'
    this.config.dir = options.directory ?? ''
    for (const name of ['stream-node-max-entries', 'stream-node-max-bytes']) {
      this.config.onChange(name, () => {
        this.nodeLimits.maxEntries = this.config.streamNodeMaxEntries
        this.nodeLimits.maxBytes = this.config.streamNodeMaxBytes
      })
    }
    this.config.set(Object.entries(options.config ?? {}))
    this.databases = Array.from(
      { length: this.config.databases },
      (_, index) => new Database(index, (database, key) => this.#expired(database, key)),
    )
    this.idempotency = new IdempotencyExpiry(this.clock)
    this.blocked = new BlockedReaders(this.clock, (serve) => this.#around(serve))
    this.#call = new RunningCall(this)
    this.streams = new Streams(this)
  }

  /** Opens the directory: rejects with DirectoryLocked, CorruptLog, UnsupportedLog or the system's error. */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(options)
    if (options.directory !== undefined) {
      const replay = new Session(0)
      engine.loading = true
      for (const database of engine.databases) database.frozen = true
      const log = await AppendOnlyFile.open({
        directory: options.directory,
        storage: engine.#storage,
        clock: engine.clock,
        appendfsync: options.appendfsync ?? 'always',
        apply: (request, database) => engine.#replay(replay, request, database),
        progress: options.progress,
      })
      for (const database of engine.databases) database.frozen = false
      engine.loading = false
      engine.log = log
      log.onDurable(() => engine.#considerRewrite(log))
    }
    engine.#armExpiry()
    engine.idempotency.start()
    return engine
  }

  /** Ends waiting readers, writes and syncs what is outstanding, and releases the directory. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#expiryTimer?.cancel()
    this.idempotency.close()
    this.blocked.close('ERR the server is shutting down')
    await this.log?.close()
  }

  createSession(onOutput?: (session: Session) => void, onClose?: (session: Session) => void): Session {
    const session = new Session(this.#nextSession++, onOutput, onClose)
    session.createdAt = session.lastCommandAt = this.clock.now()
    session.authenticated = this.acl.openToAll
    this.sessions.set(session.id, session)
    return session
  }

  closeSession(session: Session): void {
    session.parked?.end()
    discard(session)
    this.pubsub.drop(session)
    this.monitors.remove(session)
    this.sessions.delete(session.id)
  }

  /** Undefined when every change so far is durable; otherwise resolves when it is, or rejects with WriteFailed. */
  committed(): Promise<void> | undefined {
    return this.log?.committed()
  }

  onDurable(listener: (durable: number) => void): void {
    this.log?.onDurable(listener)
  }

  get failure(): Error | undefined {
    return this.log?.failure
  }

  /** Runs one request; its reply is in `session.output` afterwards, or comes later if the session is parked. */
  execute(session: Session, request: Request): void {
    this.#wall = this.clock.now()
    this.#wallAt = this.#latest = this.clock.monotonic()
    this.executeNext(session, request)
  }

  /**
   * As `execute`, for a request that follows another one at once: it begins when that one ended, which saves two of three
   * looks at the clock. They cost as much as a small command.
   */
  executeNext(session: Session, request: Request): void {
    const { output } = session
    const now = this.#wall + Math.floor(this.#latest - this.#wallAt)
    const silent = session.replies
    const mark = output.length
    session.lastCommandAt = now
    this.pubsub.executing = session
    const found = this.#find(session, request)
    if (found !== undefined) this.#run(session, request, found, now)
    if (silent !== 'on') {
      // Judged by what holds afterwards: CLIENT REPLY ON is answered.
      if (session.replies !== 'on') output.rewind(mark)
      if (silent === 'skip' && session.replies === 'skip') session.replies = 'on'
    }
    this.pubsub.settle()
    this.#after(this.databases[session.database])
  }

  perform(session: Session, request: Request, now: number): void {
    const found = this.#find(session, request)
    if (found === undefined) return
    const call = new RunningCall(this)
    call.inTransaction = true
    this.#measure(call, session, request, found, now)
  }

  transaction<T>(run: () => T): T {
    this.#depth++
    if (this.#depth === 1) this.log?.openTransaction()
    try {
      return run()
    } finally {
      this.#depth--
      if (this.#depth === 0) this.log?.closeTransaction()
    }
  }

  /** Runs code of this process as a command runs: its effects are one transaction, and waiting readers are served. */
  apply<T>(run: () => T): T {
    try {
      return this.transaction(run)
    } finally {
      this.settle()
    }
  }

  /** What follows changes made outside `execute`: waiting readers are served, expiry is seen to. */
  settle(): void {
    for (const database of this.databases) this.#after(database)
  }

  notify(kind: EventKind, event: string, database: Database, key: string): void {
    const flags = this.config.notifyKeyspaceEvents
    if (flags === '' || this.loading) return
    if (!flags.includes(kind) && !(flags.includes('A') && kind !== 'm' && kind !== 'n')) return
    if (flags.includes('K')) {
      this.pubsub.publish(`__keyspace@${database.index}__:${key}`, Buffer.from(event, 'latin1'))
    }
    if (flags.includes('E')) {
      this.pubsub.publish(`__keyevent@${database.index}__:${event}`, Buffer.from(key, 'latin1'))
    }
  }

  usedMemory(): number {
    const now = this.clock.monotonic()
    // Measuring walks all keys: it may take a twentieth of the time.
    if (now - this.#memoryMeasuredAt < Math.max(this.#memoryMeasureCost * 20, 100)) return this.#memory
    let bytes = 0
    for (const { keys, values } of this.databases) {
      for (let i = 0; i < keys.length; i++) bytes += keys[i].length + 64 + memoryOf(values[i])
    }
    this.#memory = bytes
    this.#memoryMeasuredAt = this.clock.monotonic()
    this.#memoryMeasureCost = this.#memoryMeasuredAt - now
    return bytes
  }

  async rewriteLog(): Promise<void> {
    if (this.log === undefined) throw new Error('the engine is in memory: there is no log to rewrite')
    await this.log.rewrite((sink) => {
      this.snapshot = new Snapshot(this.databases, sink, () => {
        this.snapshot = undefined
      })
      return this.snapshot
    })
  }

  /**
   * Copies the log to another directory, empty or not there yet, while commands go on: everything acknowledged by now is in
   * it. The copy opens as a data directory of its own.
   */
  async backup(target: string, progress?: (progress: BackupProgress) => void): Promise<BackupReport> {
    if (this.log === undefined || this.directory === undefined) {
      throw new Error('the engine is in memory: there is no log to copy')
    }
    await this.log.committed()
    return copyAppendOnly(this.#storage, this.directory, target, this.clock, progress)
  }

  /** The row to run, or undefined after an error was written. */
  #find(session: Session, request: Request): Found | undefined {
    let found = this.#commands.find(request)
    if (found === undefined) {
      this.#refuse(session, unknownCommand(request))
      return undefined
    }
    const { command } = found
    if (command.subcommands !== undefined && request.count > 1) {
      const name = request.string(1).toLowerCase()
      found = this.#commands.subcommand(command, name)
      if (found === undefined) {
        const name = shown(request.string(1)).slice(0, 128)
        this.#refuse(session, `ERR unknown subcommand '${name}'. Try ${command.name.toUpperCase()} HELP.`)
        return undefined
      }
    }
    const { arity, handler } = found.command
    if (handler === undefined || (arity < 0 ? request.count < -arity : request.count !== arity)) {
      this.stats.of(found.fullName).rejected++
      this.#refuse(session, `ERR wrong number of arguments for '${found.fullName}' command`)
      return undefined
    }
    return found
  }

  #run(session: Session, request: Request, found: Found, now: number): void {
    session.lastCommand = found.fullName
    const { transaction } = session
    const refusal =
      this.acl.refuse(session, found.command, found.parent, request) ??
      this.#gate(session, found, transaction !== undefined) ??
      refuseSubscriber(session, found.command)
    if (refusal !== undefined) {
      this.stats.of(found.fullName).rejected++
      if (found.command.name !== 'exec') this.#refuse(session, refusal)
      else {
        // What cannot run now is not kept for later: its effects would be a surprise.
        discard(session)
        this.#refuse(session, `EXECABORT Transaction discarded because of: ${refusal}`)
      }
      return
    }
    if (transaction !== undefined && !IMMEDIATE.has(found.command.name)) {
      transaction.queued.push(request.retain())
      session.output.simple('QUEUED')
      return
    }
    if (
      this.monitors.size > 0 &&
      !found.command.flags.includes('skip_monitor') &&
      !found.command.flags.includes('admin')
    ) {
      this.monitors.feed(session, request, now)
    }
    this.#measure(this.#call, session, request, found, now)
  }

  /** What a command may not do now; EXEC stands for what it runs. */
  #gate(session: Session, { command, write, denyoom }: Found, queueing: boolean): string | undefined {
    if (queueing && command.flags.includes('no_multi')) return 'ERR Command not allowed inside a transaction'
    const { maxmemory } = this.config
    if (maxmemory > 0) {
      const growing = denyoom || (command.name === 'exec' && this.#queued(session, (found) => found.denyoom))
      if (growing && this.usedMemory() > maxmemory) {
        return "OOM command not allowed when used memory > 'maxmemory'."
      }
    }
    const failure = this.log?.failure
    if (failure !== undefined) {
      const writing = write || (command.name === 'exec' && this.#queued(session, (found) => found.write))
      if (writing) return `MISCONF Errors writing to the AOF file: ${failure.message}`
    }
    return undefined
  }

  #queued(session: Session, test: (found: Found) => boolean): boolean {
    return (
      session.transaction?.queued.some((request) => {
        const found = this.#commands.find(request)
        if (found?.command.subcommands === undefined) return found !== undefined && test(found)
        const subcommand = this.#commands.subcommand(found.command, request.string(1).toLowerCase())
        return subcommand !== undefined && test(subcommand)
      }) ?? false
    )
  }

  #measure(call: RunningCall, session: Session, request: Request, found: Found, now: number): void {
    const started = this.#latest
    const failed = !call.run(session, request, found.command, now)
    this.#latest = this.clock.monotonic()
    const milliseconds = this.#latest - started
    const stats = this.stats.of(found.fullName)
    this.stats.commands++
    stats.took(milliseconds * 1000)
    if (failed) stats.failed++
    const { slowlogLogSlowerThan, slowlogMaxLen, latencyMonitorThreshold } = this.config
    if (
      slowlogLogSlowerThan >= 0 &&
      milliseconds * 1000 >= slowlogLogSlowerThan &&
      !found.command.flags.includes('skip_slowlog')
    ) {
      this.slowlog.record(session, request, milliseconds * 1000, now, slowlogMaxLen)
    }
    if (latencyMonitorThreshold > 0 && milliseconds >= latencyMonitorThreshold) {
      this.latency.record(found.command.flags.includes('fast') ? 'fast-command' : 'command', milliseconds, now)
    }
  }

  /** An error of a handler that is no CommandError is a defect: the peer is told so much, the process goes on. */
  report(error: unknown): void {
    this.#onError(error instanceof Error ? error : new Error(String(error)))
  }

  #refuse(session: Session, text: string): void {
    session.output.error(text)
    this.stats.error(text)
    if (session.transaction !== undefined) session.transaction.failed = true
  }

  #around(serve: () => void): void {
    serve()
    this.settle()
  }

  #after(database: Database): void {
    if (this.#depth > 0) return
    if (this.blocked.due) {
      this.blocked.serve()
      // Their share is not the next command's.
      this.#latest = this.clock.monotonic()
    }
    if (database.nextExpiry < this.#expiryAt) this.#armExpiry()
  }

  #replay(session: Session, logged: Request, database: number): void {
    const request = newerEffect(logged) ?? logged
    const found = this.#commands.find(request)
    session.database = database
    const mark = session.output.length
    let error: string | undefined
    const row =
      found?.command.subcommands === undefined
        ? found
        : this.#commands.subcommand(found.command, request.string(1).toLowerCase())
    if (row?.command.handler === undefined) error = unknownCommand(request)
    else if (!this.#call.run(session, request, row.command, this.startedAt)) {
      error = session.output.bytes.toString('latin1', mark + 1, session.output.length - 2)
    }
    session.output.rewind(mark)
    if (error !== undefined) throw new Error(`the log cannot be replayed: ${error}`)
  }

  #expired(database: Database, key: string): void {
    this.stats.expired++
    this.log?.effect(database.index, 'DEL', key)
    this.notify('x', 'expired', database, key)
    this.blocked.signal(database.index, key)
  }

  /** One timer for all that expires; reading looks for itself, so it may be late by a moment. */
  #armExpiry(pause = EXPIRY_PERIOD): void {
    if (this.#closed || this.loading) return
    const next = Math.min(...this.databases.map((database) => database.nextExpiry))
    this.#expiryTimer?.cancel()
    this.#expiryAt = next
    if (next === Number.POSITIVE_INFINITY) return
    const wait = Math.min(Math.max(next - this.clock.now(), pause), 0x7fffffff)
    this.#expiryTimer = this.clock.after(wait, () => {
      this.#expiryAt = Number.POSITIVE_INFINITY
      const now = this.clock.now()
      let more = false
      for (const database of this.databases) more = database.expireDue(now, EXPIRY_BATCH) || more
      if (this.blocked.due) this.blocked.serve()
      this.#armExpiry(more ? 1 : EXPIRY_PERIOD)
    })
  }

  /** The log is compacted when it has grown by auto-aof-rewrite-percentage beyond its base. */
  #considerRewrite(log: AppendOnlyFile): void {
    const { autoAofRewritePercentage, autoAofRewriteMinSize } = this.config
    if (this.#closed || autoAofRewritePercentage === 0 || log.rewriting || log.failure !== undefined) return
    if (log.size < autoAofRewriteMinSize) return
    if (log.size < log.baseSize * (1 + autoAofRewritePercentage / 100)) return
    if (this.clock.monotonic() < this.#rewriteNotBefore) return
    this.rewriteLog().then(
      () => {
        this.#rewritePause = REWRITE_PAUSE_FIRST
      },
      (error: Error) => {
        this.#rewriteNotBefore = this.clock.monotonic() + this.#rewritePause
        this.#rewritePause = Math.min(this.#rewritePause * 2, REWRITE_PAUSE_LAST)
        if (!this.#closed) this.report(error)
      },
    )
  }
}

/** ms between two looks at what expires, and keys removed in one of them. */
const EXPIRY_PERIOD = 100
const EXPIRY_BATCH = 1000
/** ms without an automatic rewrite after one that failed; twice as long after each further one. */
const REWRITE_PAUSE_FIRST = 1000
const REWRITE_PAUSE_LAST = 600_000

/** What runs though a transaction is being queued. */
const IMMEDIATE = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset'])

/** The call at hand; one object serves all that are not nested. */
class RunningCall implements Call {
  session!: Session
  database!: Database
  request!: Request
  reply!: Reply
  now = 0
  command!: Command
  inTransaction = false

  constructor(readonly engine: Engine) {}

  /** False when the command answered an error. */
  run(session: Session, request: Request, command: Command, now: number): boolean {
    this.session = session
    this.database = this.engine.databases[session.database]
    this.request = request
    this.reply = session.output
    this.now = now
    this.command = command
    const mark = session.output.length
    try {
      ;(command.handler as (call: Call) => void)(this)
      return true
    } catch (error) {
      const text = error instanceof CommandError ? error.text : 'ERR internal error'
      if (!(error instanceof CommandError)) this.engine.report(error)
      session.output.rewind(mark)
      session.output.error(text)
      this.engine.stats.error(text)
      return false
    }
  }
}

const SHOWN_ARGUMENTS = 128

function unknownCommand(request: Request): string {
  let args = ''
  for (let i = 1; i < request.count && args.length < SHOWN_ARGUMENTS; i++) {
    args += `'${shown(request.string(i)).slice(0, SHOWN_ARGUMENTS - args.length)}' `
  }
  return `ERR unknown command '${shown(request.string(0)).slice(0, 128)}', with args beginning with: ${args}`
}
