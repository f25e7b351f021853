import { dirname } from 'node:path/posix'
import { MemoryContent } from './memory-content.js'
import { DirectoryLocked, type Storage, type StorageFile, type StorageLock } from './storage.js'

export interface CrashOptions {
  /** Of the bytes of each file not covered by a datasync, so many survive at the front. */
  keep?: number
  /** Asked for each name created, replaced or removed since the last sync of its directory: does that survive? */
  names?: (path: string) => boolean
  /**
   * Instead of `keep`: answers a whole number from 0 to below − 1, and so decides which sectors of the unsynced writes
   * survive, in which order, and where a write is torn. Names are decided by it, too, unless `names` is given.
   */
  random?: (below: number) => number
  /** With `random`: now and then an unsynced sector lands where another unsynced one belongs. */
  misdirect?: boolean
}

/**
 * A disk in memory, with faults on demand. It keeps beside each file what a crash of the machine would leave of it:
 * the synced bytes, and of the unsynced ones as many as `crash` says; and likewise the names.
 */
export class MemoryStorage implements Storage {
  #files = new Map<string, MemoryContent>()
  /** The names that a crash of the machine leaves in any case: as they were when their directory was last synced. */
  #durableNames = new Map<string, MemoryContent>()
  readonly #directories = new Set<string>(['/', '.'])
  readonly #locks = new Set<string>()
  #faults: Fault[] = []
  #generation = 0

  /**
   * Called before each operation that changes something; what it throws is what the operation rejects with, and a
   * promise it answers holds the operation back.
   */
  before: ((operation: Operation, path: string) => unknown) | undefined

  /** The next `times` operations of this kind fail with `code`; a failing write first takes `taken` bytes. */
  failNext(operation: Operation, code: string, options: { times?: number; taken?: number } = {}): void {
    this.#faults.push({ operation, code, times: options.times ?? 1, taken: options.taken ?? 0 })
  }

  /** The disk works again. */
  heal(): void {
    this.#faults = []
  }

  /**
   * The machine stops and starts again: every open file and lock is gone. Without `keep` and `random` only the process
   * stopped: everything written survives.
   */
  crash(options: CrashOptions = {}): void {
    const { keep, random } = options
    this.#generation++
    this.#locks.clear()
    this.#faults = []
    this.before = undefined
    if (keep === undefined && random === undefined) return
    const names = options.names ?? (random && (() => random(2) === 0))
    for (const path of new Set([...this.#durableNames.keys(), ...this.#files.keys()])) {
      const before = this.#durableNames.get(path)
      if (before === this.#files.get(path) || names === undefined || names(path)) continue
      if (before === undefined) this.#files.delete(path)
      else this.#files.set(path, before)
    }
    this.#durableNames = new Map(this.#files)
    for (const content of new Set(this.#files.values())) {
      if (random !== undefined) content.scatter(random, options.misdirect === true)
      else content.cut(keep as number)
    }
  }

  /** A copy of a file's bytes. */
  contents(path: string): Buffer {
    return Buffer.from(this.#content(path).bytes)
  }

  /** Bytes of the file that a datasync covers. */
  syncedLength(path: string): number {
    return this.#content(path).synced
  }

  /** Puts a file in place, synced. */
  plant(path: string, bytes: Buffer): void {
    this.#directories.add(dirname(path))
    const content = new MemoryContent(bytes)
    this.#files.set(path, content)
    this.#durableNames.set(path, content)
  }

  /** An independent copy of the tree, synced or not, without locks and faults. */
  clone(): MemoryStorage {
    const copy = new MemoryStorage()
    for (const directory of this.#directories) copy.#directories.add(directory)
    const copies = new Map<MemoryContent, MemoryContent>()
    const copyOf = (content: MemoryContent): MemoryContent => {
      let same = copies.get(content)
      if (same === undefined) copies.set(content, (same = content.clone()))
      return same
    }
    for (const [path, content] of this.#files) copy.#files.set(path, copyOf(content))
    for (const [path, content] of this.#durableNames) copy.#durableNames.set(path, copyOf(content))
    return copy
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<StorageFile> {
    if (mode !== 'read') await this.#enter('open', path)
    let content = this.#files.get(path)
    if (content === undefined) {
      if (mode === 'read') throw failure('ENOENT', path)
      if (!this.#directories.has(dirname(path))) throw failure('ENOENT', path)
      this.#files.set(path, (content = new MemoryContent()))
    }
    if (mode === 'create') content.truncate(0)
    return this.#file(path, content)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#enter('rename', from)
    this.#files.set(to, this.#content(from))
    this.#files.delete(from)
  }

  async unlink(path: string): Promise<void> {
    await this.#enter('unlink', path)
    this.#content(path)
    this.#files.delete(path)
  }

  async list(directory: string): Promise<string[]> {
    if (!this.#directories.has(directory)) throw failure('ENOENT', directory)
    const prefix = `${directory}/`
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#enter('makeDirectory', path)
    for (let at = path; !this.#directories.has(at); at = dirname(at)) this.#directories.add(at)
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#enter('syncDirectory', path)
    for (const name of this.#durableNames.keys()) if (dirname(name) === path) this.#durableNames.delete(name)
    for (const [name, content] of this.#files) if (dirname(name) === path) this.#durableNames.set(name, content)
  }

  async lock(path: string, since: number): Promise<StorageLock> {
    await this.#enter('lock', path)
    if (this.#locks.has(path)) throw new DirectoryLocked(path, { pid: process.pid, host: 'memory', since })
    this.#locks.add(path)
    const generation = this.#generation
    return {
      release: async () => {
        if (generation === this.#generation) this.#locks.delete(path)
      },
    }
  }

  #file(path: string, content: MemoryContent): StorageFile {
    const generation = this.#generation
    const alive = (): void => {
      if (generation !== this.#generation) throw failure('EBADF', path)
    }
    return {
      size: async () => content.bytes.length,
      read: async (position, target) => {
        alive()
        return content.bytes.copy(target, 0, position, position + target.length)
      },
      write: async (position, bytes) => {
        const held = this.before?.('write', path)
        if (held !== undefined) await held
        alive()
        const fault = this.#fault('write')
        content.write(position, fault === undefined ? bytes : bytes.subarray(0, fault.taken))
        if (fault !== undefined) throw failure(fault.code, path)
      },
      datasync: async () => {
        // What is written while the sync is under way is not covered by it.
        const covered = content.mark()
        try {
          await this.#enter('datasync', path)
          alive()
        } catch (error) {
          content.forget(covered)
          throw error
        }
        content.sync(covered)
      },
      truncate: async (length) => {
        await this.#enter('truncate', path)
        alive()
        content.truncate(length)
      },
      close: async () => {},
    }
  }

  #content(path: string): MemoryContent {
    const content = this.#files.get(path)
    if (content === undefined) throw failure('ENOENT', path)
    return content
  }

  async #enter(operation: Operation, path: string): Promise<void> {
    const held = this.before?.(operation, path)
    if (held !== undefined) await held
    const fault = this.#fault(operation)
    if (fault !== undefined) throw failure(fault.code, path)
  }

  #fault(operation: Operation): Fault | undefined {
    const fault = this.#faults.find((candidate) => candidate.operation === operation)
    if (fault === undefined) return undefined
    if (--fault.times <= 0) this.#faults.splice(this.#faults.indexOf(fault), 1)
    return fault
  }
}

export type Operation =
  | 'open'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'syncDirectory'
  | 'lock'

interface Fault {
  operation: Operation
  code: string
  times: number
  taken: number
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}
