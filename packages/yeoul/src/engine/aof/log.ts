import { join } from 'node:path'
import type { Clock, Timer } from '../io/clock.js'
import type { Storage, StorageFile, StorageLock } from '../io/storage.js'
import type { Request } from '../resp/request.js'
import { type Cut, type LoadedLog, type LoadProgress, loadLog, removeHistory } from './directory.js'
import { EffectBuffer, type EffectSink } from './effect-buffer.js'
import { RewriteAbandoned, WriteFailed } from './errors.js'
import { baseFile, incrementFile, LOG_DIRECTORY, type LogFile, type Manifest, replaceManifest } from './manifest.js'
import { HEADER_LENGTH, sealRecord } from './record.js'
import { type Snapshot, writeBase } from './rewrite.js'
import { Waiters } from './waiters.js'
import { writeAgain, writeRecordsAgain } from './write-again.js'

/** When is an effect durable: synced to the medium, or handed to the system and synced once a second, or never synced. */
export type AppendFsync = 'always' | 'everysec' | 'no'

export interface AppendOnlyOptions {
  /** The user's data directory; the log lives in its subdirectory `appendonlydir`. Created when missing. */
  directory: string
  storage: Storage
  clock: Clock
  appendfsync: AppendFsync
  /** Replay of one effect; a transaction's effects come together. The request is valid during the call. */
  apply: (request: Request, database: number) => void
  /** Told about once in 10 ms of replay, and at its end. */
  progress?: (progress: LoadProgress) => void
}

const FLUSH_AT = 1024 * 1024
const SPARE_LIMIT = 4 * FLUSH_AT
const RETRY_FIRST = 100
const RETRY_LAST = 5000
const SYNC_EVERY = 1000
/** Attempts on a failing disk once the log is being closed: nobody waits for it to recover then. */
const CLOSING_ATTEMPTS = 3

/**
 * The log of effects. Effects go into memory synchronously; at the end of the event loop's turn everything of that
 * turn leaves as one record: one write and, with `always`, one datasync, while the next turn fills the other buffer.
 *
 * Positions (`written`, `durable`, `synced`) count bytes of effects since the log was opened; they only rise.
 *
 * When the disk refuses, `failure` is set, waiting `committed()` promises reject, and the record is tried again until
 * it succeeds: the file is first cut back to its last good length, because a sync that failed may have lost what it
 * covered. Effects stay in order; none is dropped. See docs/decisions/failed-writes.md.
 */
export class AppendOnlyFile implements EffectSink {
  /** What was cut off the log when it was opened. */
  readonly cuts: readonly Cut[]
  /** Effects replayed when it was opened. */
  readonly replayed: number
  /** Set while the disk refuses. Writers are to be refused meanwhile. */
  failure: WriteFailed | undefined
  /** Bytes of the base; 0 when there is none. */
  baseSize: number

  readonly #storage: Storage
  readonly #clock: Clock
  readonly #directory: string
  readonly #policy: AppendFsync
  readonly #lock: StorageLock
  #manifest: Manifest
  #place: LogFile
  #file: StorageFile
  /** Good length of the current increment: whole records that were written. */
  #length: number
  /** Length of the current increment that is known to be synced. */
  #syncedLength: number
  /** Synced length that the records of the current increment know. */
  #attested: number
  /** Up to here the increment was left by a process before us, which may have ended after a failed sync; 0 = no more. */
  #unproven: number
  /** Bytes of earlier increments. */
  #earlier: number

  readonly #buffer = new EffectBuffer(FLUSH_AT / 4)
  #spare: Buffer | undefined
  /** Position at which the record now being filled begins. */
  #position = 0
  #durable = 0
  #synced = 0
  readonly #jobs: Job[] = []
  #draining: Promise<void> | undefined
  #scheduled = false
  #flushing = false
  readonly #waiters = new Waiters()
  readonly #durableListeners: ((durable: number) => void)[] = []
  readonly #failureListeners: ((failure: WriteFailed) => void)[] = []
  #announced = 0
  /** Bytes of a failed attempt may stand behind `#length`. */
  #overhang = false
  /** A sync failed: what stands behind `#syncedLength` may not be what was written. */
  #doubtful = false
  #syncTimer: Timer | undefined
  #syncing: Promise<void> | undefined
  #closing = false
  /** The disk refused to the last while the log was being closed. */
  #gaveUp = false
  /** Ends a pause between two attempts at once. */
  #wake: (() => void) | undefined
  #rewriting: Promise<void> | undefined

  private constructor(options: AppendOnlyOptions, lock: StorageLock, loaded: LoadedLog, file: StorageFile) {
    this.#storage = options.storage
    this.#clock = options.clock
    this.#directory = options.directory
    this.#policy = options.appendfsync
    this.#lock = lock
    this.#manifest = loaded.manifest
    this.cuts = loaded.cuts
    this.replayed = loaded.effects
    this.#place = loaded.manifest.increments.at(-1)!
    this.#file = file
    this.#length = loaded.sizes.get(this.#place.name) ?? 0
    this.#attested = Math.min(loaded.synced, this.#length)
    this.#unproven = options.appendfsync === 'no' ? this.#length : 0
    this.#syncedLength = options.appendfsync === 'no' ? this.#attested : this.#length
    this.baseSize = (loaded.manifest.base && loaded.sizes.get(loaded.manifest.base.name)) ?? 0
    this.#earlier = loaded.manifest.increments
      .slice(0, -1)
      .reduce((sum, { name }) => sum + (loaded.sizes.get(name) ?? 0), 0)
  }

  /**
   * Locks the directory, replays its log and opens it for appending. Rejects with DirectoryLocked, CorruptLog,
   * UnsupportedLog or the system's error.
   */
  static async open(options: AppendOnlyOptions): Promise<AppendOnlyFile> {
    const { storage, clock, directory } = options
    await storage.makeDirectory(directory)
    const lock = await storage.lock(join(directory, 'yeoul.lock'), clock.now())
    try {
      const loaded = await loadLog(storage, directory, clock, options.apply, options.progress)
      const last = loaded.manifest.increments.at(-1)!
      const file = await storage.open(join(directory, LOG_DIRECTORY, last.name), 'append')
      // With `no` nothing is told to be synced before somebody asks for a sync.
      if (options.appendfsync !== 'no') {
        await writeAgain(file, loaded.synced, loaded.sizes.get(last.name) ?? 0)
        await file.datasync()
      }
      return new AppendOnlyFile(options, lock, loaded, file)
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  // Effects

  begin(database: number, argc: number): void {
    if (!this.#scheduled) this.#schedule()
    else if (this.#buffer.end > FLUSH_AT && this.#draining === undefined && !this.#flushing) this.#flush()
    this.#buffer.begin(database, argc)
  }

  bulk(value: string): void {
    this.#buffer.bulk(value)
  }

  number(value: number | bigint): void {
    this.#buffer.number(value)
  }

  bytes(source: Buffer, start: number, end: number): void {
    this.#buffer.bytes(source, start, end)
  }

  raw(source: Buffer, start: number, end: number): void {
    this.#buffer.raw(source, start, end)
  }

  openTransaction(): void {
    this.#buffer.openTransaction()
  }

  closeTransaction(): void {
    this.#buffer.closeTransaction()
  }

  effect(database: number, ...args: (string | number | bigint | Buffer)[]): void {
    if (!this.#scheduled) this.#schedule()
    this.#buffer.effect(database, ...args)
  }

  // Durability

  /** Position behind the last effect. */
  get written(): number {
    return this.#position + this.#buffer.length
  }

  /** Position up to which the policy's promise holds: `always` synced, otherwise handed to the system. */
  get durable(): number {
    return this.#durable
  }

  /** Position up to which the medium has it. */
  get synced(): number {
    return this.#synced
  }

  /** Bytes of base and increments. */
  get size(): number {
    return this.baseSize + this.#earlier + this.#length
  }

  /**
   * Undefined when everything written is durable. Otherwise resolves when it is, or rejects with WriteFailed when the
   * disk refuses: then the outcome is unknown, for the log goes on trying.
   */
  committed(): Promise<void> | undefined {
    const position = this.written
    if (this.#durable >= position) return undefined
    return this.#reach(position, 'durable')
  }

  /** Resolves when everything written by now is synced, whatever the policy; rejects as `committed` does. */
  async sync(): Promise<void> {
    const position = this.written
    if (this.#synced >= position) return
    const reached = this.#reach(position, 'synced')
    if (this.#policy !== 'always') this.#enqueue({ kind: 'sync' })
    await reached
  }

  /** `durable` has risen. */
  onDurable(listener: (durable: number) => void): void {
    this.#durableListeners.push(listener)
  }

  /** The disk refused: nothing behind `durable` is acknowledged for now. Told once until it recovers. */
  onFailure(listener: (failure: WriteFailed) => void): void {
    this.#failureListeners.push(listener)
  }

  // Compaction

  /**
   * Replaces base and increments by a base written from a snapshot. `snapshot` is called once, between two
   * effects, soon: it fixes what it will write at that moment, and each step of the iterator it answers writes a piece of it
   * (at most a few milliseconds' work) into the sink. The iterator's `return` is called when the rewrite ends early.
   *
   *   1. the increment so far is synced, a new one is opened and listed      (loads: the same, and an empty increment)
   *   2. the snapshot is written to a temporary file, synced, renamed         (loads: not listed yet)
   *      and the increment synced up to where the snapshot ended
   *   3. the manifest lists the new base and calls the old files history     (loads: the new ones)
   *   4. history is removed, then forgotten
   *
   * A crash between any two leaves what the right column says. Rejects with RewriteAbandoned or the system's error;
   * the log goes on either way.
   */
  rewrite(snapshot: Snapshot): Promise<void> {
    if (this.#closing) return Promise.reject(new RewriteAbandoned('the log is being closed'))
    if (this.#rewriting !== undefined) return Promise.reject(new RewriteAbandoned('a rewrite is running already'))
    const rewriting = this.#rewrite(snapshot).finally(() => {
      this.#rewriting = undefined
    })
    this.#rewriting = rewriting
    return rewriting
  }

  get rewriting(): boolean {
    return this.#rewriting !== undefined
  }

  /**
   * Writes and syncs what is outstanding, and releases the directory, the latter in any case. A running rewrite is
   * abandoned. Rejects with WriteFailed when the disk refuses.
   */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.#wake?.()
    try {
      await this.#rewriting?.catch(() => {})
      this.#enqueue({ kind: 'sync' })
      while (this.#draining !== undefined) await this.#draining
      if (this.failure !== undefined) throw this.failure
      await this.#attest().catch(() => {})
    } finally {
      this.#syncTimer?.cancel()
      await this.#syncing
      await this.#cutBack().catch(() => {})
      await this.#file.close().catch(() => {})
      await this.#lock.release()
    }
  }

  // The one writer

  #schedule(): void {
    if (this.#closing) throw new Error('the log is closed')
    this.#scheduled = true
    this.#clock.endOfTurn(() => {
      if (this.#draining === undefined) this.#drain()
    })
  }

  /** Much has come together in this turn: it leaves once the command at hand has ended, whose effects share a record. */
  #flush(): void {
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      if (this.#draining === undefined && this.#buffer.length > 0) this.#drain()
    })
  }

  #enqueue(job: Job): void {
    if (this.#buffer.length > 0) this.#jobs.push(this.#seal())
    this.#jobs.push(job)
    if (this.#draining === undefined) this.#drain()
  }

  /** Ends the record being filled. */
  #seal(): RecordJob {
    const record = this.#buffer.take(this.#spare)
    this.#spare = undefined
    this.#position += record.length - HEADER_LENGTH
    return { kind: 'record', record, end: this.#position }
  }

  #drain(): void {
    this.#scheduled = true
    this.#draining = this.#run().finally(() => {
      this.#draining = undefined
      this.#scheduled = false
      if (this.#gaveUp) this.#abandonJobs()
      else if (this.#jobs.length > 0) this.#drain()
      else if (this.#buffer.length > 0 && !this.#closing) this.#schedule()
    })
  }

  async #run(): Promise<void> {
    for (;;) {
      let job = this.#jobs.shift()
      if (job === undefined) {
        if (this.#buffer.length === 0) return
        if (this.#buffer.inTransaction) throw new Error('a transaction was left open at the end of a turn')
        job = this.#seal()
      }
      if (job.kind === 'record') await this.#persist(() => this.#append(job))
      else if (job.kind === 'sync') await this.#persist(() => this.#syncFile())
      else await this.#switchFile(job)
      if (this.#gaveUp) return
      // The rest of this turn's effects shall share the next record.
      if (this.#jobs.length === 0 && this.#buffer.length > 0 && !this.#closing) {
        await new Promise<void>((resolve) => this.#clock.endOfTurn(resolve))
      }
    }
  }

  /** The disk refused to the last: what is still queued stays unwritten. */
  #abandonJobs(): void {
    for (const job of this.#jobs.splice(0)) {
      if (job.kind === 'switch') job.settle(new RewriteAbandoned('the log is being closed'))
    }
  }

  /** Tries until it succeeds; gives up only when the log is being closed. False = given up. */
  async #persist(attempt: () => Promise<void>): Promise<boolean> {
    let pause = RETRY_FIRST
    let last = CLOSING_ATTEMPTS
    for (;;) {
      try {
        await attempt()
        if (!this.#doubtful) this.failure = undefined
        return true
      } catch (error) {
        this.#fail(error)
        if (this.#closing) {
          if (--last === 0) {
            this.#gaveUp = true
            return false
          }
          continue
        }
        await this.#pause(pause)
        pause = Math.min(pause * 2, RETRY_LAST)
      }
    }
  }

  async #append(job: RecordJob): Promise<void> {
    const { record } = job
    await this.#cutBack()
    sealRecord(record, record.length, this.#place, this.#length, this.#syncedLength)
    this.#overhang = true
    await this.#file.write(this.#length, record)
    if (this.#policy === 'always') await this.#file.datasync()
    this.#overhang = false
    this.#length += record.length
    this.#attested = this.#syncedLength
    this.#durable = job.end
    if (this.#policy === 'always') {
      this.#syncedLength = this.#length
      this.#synced = job.end
    } else if (this.#policy === 'everysec') this.#armSync()
    const memory = record.buffer
    if (this.#spare === undefined && memory.byteLength <= SPARE_LIMIT) this.#spare = Buffer.from(memory)
    this.#announce()
  }

  /** Takes off what a failed attempt may have left behind the last good record. */
  async #cutBack(): Promise<void> {
    if (!this.#overhang) return
    await this.#file.truncate(this.#length)
    this.#overhang = false
  }

  /** Syncs all records of the current file. No record is being written meanwhile. */
  async #syncFile(): Promise<void> {
    await this.#syncing
    await this.#cutBack()
    await writeAgain(this.#file, this.#syncedLength, this.#unproven)
    if (this.#doubtful) {
      await writeRecordsAgain(this.#file, this.#place, Math.max(this.#syncedLength, this.#unproven), this.#length)
    }
    try {
      await this.#file.datasync()
    } catch (error) {
      this.#doubtful = true
      throw error
    }
    this.#doubtful = false
    this.#unproven = 0
    this.#syncedLength = this.#length
    this.#synced = this.#durable
    this.#announce()
  }

  /** An empty record whose header says what is synced spares the next one to open the log writing it all again. */
  async #attest(): Promise<void> {
    if (this.#length - this.#attested < FLUSH_AT) return
    const record = Buffer.alloc(HEADER_LENGTH)
    sealRecord(record, HEADER_LENGTH, this.#place, this.#length, this.#syncedLength)
    this.#overhang = true
    await this.#file.write(this.#length, record)
    await this.#file.datasync()
    this.#overhang = false
    this.#length += HEADER_LENGTH
  }

  #armSync(): void {
    if (this.#syncTimer !== undefined) return
    this.#syncTimer = this.#clock.after(SYNC_EVERY, () => {
      this.#syncTimer = undefined
      if (this.#closing || this.#doubtful) return
      this.#syncing = this.#syncBeside().finally(() => {
        this.#syncing = undefined
      })
    })
  }

  /** The sync of `everysec`, while records go on being written. */
  async #syncBeside(): Promise<void> {
    const place = this.#place
    const length = this.#length
    const position = this.#durable
    try {
      await this.#file.datasync()
    } catch (error) {
      // The file was synced once more, and left, before another took its place.
      if (place !== this.#place) return
      this.#doubtful = true
      this.#fail(error)
      if (!this.#closing) this.#enqueue({ kind: 'sync' })
      return
    }
    if (place === this.#place) this.#syncedLength = Math.max(this.#syncedLength, length)
    this.#synced = Math.max(this.#synced, position)
    this.#announce()
    if (this.#synced < this.#durable) this.#armSync()
  }

  /** From here on effects go to the next increment. When it cannot be listed, they go on to the present one. */
  async #switchFile(job: SwitchJob): Promise<void> {
    if (!(await this.#persist(() => this.#syncFile()))) {
      return job.settle(new RewriteAbandoned('the log is being closed'))
    }
    const manifest = { ...this.#manifest, increments: [...this.#manifest.increments, job.place] }
    try {
      await replaceManifest(this.#storage, this.#directory, manifest)
    } catch (error) {
      return job.settle(error)
    }
    this.#manifest = manifest
    // Nothing may be written to a file that a crash could leave unlisted.
    const path = join(this.#directory, LOG_DIRECTORY)
    const listed = await this.#persist(() => this.#storage.syncDirectory(path))
    const before = this.#file
    this.#earlier += this.#length
    this.#place = job.place
    this.#file = job.file
    this.#length = this.#syncedLength = this.#attested = 0
    await this.#syncing
    await before.close().catch(() => {})
    job.settle(listed ? undefined : new RewriteAbandoned('the log is being closed'))
  }

  async #rewrite(snapshot: Snapshot): Promise<void> {
    const storage = this.#storage
    const path = join(this.#directory, LOG_DIRECTORY)
    const names = await storage.list(path)
    const next = incrementFile(nextSequence(names, 'incr', this.#place.sequence))
    const base = baseFile(nextSequence(names, 'base', this.#manifest.base?.sequence ?? 0))
    const file = await storage.open(join(path, next.name), 'create')
    let steps: Iterator<unknown> | undefined
    let written: number
    try {
      await file.datasync()
      // A name must be durable before a manifest may list it.
      await storage.syncDirectory(path)
      // The snapshot and the boundary between the increments are the same moment: nothing is awaited in between.
      const sink = new EffectBuffer()
      steps = snapshot(sink)
      await new Promise<void>((resolve, reject) => {
        const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error))
        this.#enqueue({ kind: 'switch', place: next, file, settle })
        this.#buffer.forgetDatabase()
      })
      written = await writeBase(storage, path, base, steps, sink, this.#clock, () => this.#closing)
      // The base shows some values as they were later than T. It may not be read without the effects that made them so.
      await this.sync().catch(async (error) => {
        await storage.unlink(join(path, base.name)).catch(() => {})
        throw error
      })
    } catch (error) {
      steps?.return?.()
      if (this.#place !== next) {
        await file.close().catch(() => {})
        await storage.unlink(join(path, next.name)).catch(() => {})
      }
      throw error
    }

    const covered = this.#manifest.increments.filter((increment) => increment.sequence < next.sequence)
    const replaced = this.#manifest.base === undefined ? covered : [this.#manifest.base, ...covered]
    const manifest: Manifest = {
      base,
      history: [...this.#manifest.history, ...replaced.map(({ name, sequence }) => ({ name, sequence }))],
      increments: this.#manifest.increments.filter((increment) => increment.sequence >= next.sequence),
    }
    await replaceManifest(storage, this.#directory, manifest)
    this.#manifest = manifest
    this.baseSize = written
    this.#earlier = 0
    // History goes only once the manifest that does without it is durable; what cannot be removed now stays listed.
    await storage.syncDirectory(path)
    await removeHistory(storage, this.#directory, manifest)
  }

  // Waiting and telling

  #reach(position: number, mark: 'durable' | 'synced'): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return this.#waiters.wait(position, mark, this.#position)
  }

  #announce(): void {
    this.#waiters.reached(this.#durable, this.#synced)
    if (this.#announced === this.#durable) return
    this.#announced = this.#durable
    for (const listener of this.#durableListeners) listener(this.#durable)
  }

  #fail(error: unknown): void {
    const first = this.failure === undefined
    const failure = new WriteFailed(this.#place.name, error)
    this.failure = failure
    this.#waiters.refuse(failure)
    if (first) for (const listener of this.#failureListeners) listener(failure)
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(milliseconds, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
  }
}

interface RecordJob {
  kind: 'record'
  record: Buffer
  /** Position behind it. */
  end: number
}

interface SwitchJob {
  kind: 'switch'
  place: LogFile
  file: StorageFile
  settle: (error?: unknown) => void
}

type Job = RecordJob | SwitchJob | { kind: 'sync' }

/** Behind everything listed or lying about, so that no name is used twice. */
function nextSequence(names: string[], kind: 'base' | 'incr', listed: number): number {
  let last = listed
  for (const name of names) {
    const match = /^appendonly\.aof\.(\d+)\.(base|incr)\.aof$/.exec(name)
    if (match?.[2] === kind) last = Math.max(last, Number(match[1]))
  }
  return last + 1
}
