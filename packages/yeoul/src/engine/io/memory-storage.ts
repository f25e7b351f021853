import { dirname } from 'node:path/posix'
import { DirectoryLocked, type Storage, type StorageFile, type StorageLock } from './storage.js'

/**
 * A disk in memory, with faults on demand. It keeps beside each file what a crash of the machine would leave of it:
 * the synced bytes, and of the unsynced ones as many as `crash` says; and likewise the names.
 */
export class MemoryStorage implements Storage {
  #files = new Map<string, Content>()
  /** The names that a crash of the machine leaves in any case: as they were when their directory was last synced. */
  #durableNames = new Map<string, Content>()
  readonly #directories = new Set<string>(['/', '.'])
  readonly #locks = new Set<string>()
  #faults: Fault[] = []
  #generation = 0

  /** Called before each operation that changes something; what it throws is what the operation rejects with. */
  before: ((operation: Operation, path: string) => void) | undefined

  /** The next `times` operations of this kind fail with `code`; a failing write first takes `taken` bytes. */
  failNext(operation: Operation, code: string, options: { times?: number; taken?: number } = {}): void {
    this.#faults.push({ operation, code, times: options.times ?? 1, taken: options.taken ?? 0 })
  }

  /** The disk works again. */
  heal(): void {
    this.#faults = []
  }

  /**
   * The machine stops and starts again: every open file and lock is gone. Of the bytes of each file not covered by a
   * datasync, `keep` survive at the front (all of them by default: only the process stopped). `names` is asked for
   * each name created, replaced or removed since the last sync of its directory whether that survives; all do by default.
   */
  crash(options: { keep?: number; names?: (path: string) => boolean } = {}): void {
    this.#generation++
    this.#locks.clear()
    this.#faults = []
    this.before = undefined
    if (options.keep === undefined) return
    for (const path of new Set([...this.#durableNames.keys(), ...this.#files.keys()])) {
      const before = this.#durableNames.get(path)
      if (before === this.#files.get(path) || options.names === undefined || options.names(path)) continue
      if (before === undefined) this.#files.delete(path)
      else this.#files.set(path, before)
    }
    this.#durableNames = new Map(this.#files)
    for (const content of this.#files.values()) {
      if (content.bytes.length > content.synced) {
        content.bytes = Buffer.from(content.bytes.subarray(0, content.synced + options.keep))
      }
      content.synced = content.bytes.length
      content.forgotten = undefined
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
    const content = { bytes: Buffer.from(bytes), synced: bytes.length, forgotten: undefined }
    this.#files.set(path, content)
    this.#durableNames.set(path, content)
  }

  /** An independent copy of the tree, synced or not, without locks and faults. */
  clone(): MemoryStorage {
    const copy = new MemoryStorage()
    for (const directory of this.#directories) copy.#directories.add(directory)
    const copies = new Map<Content, Content>()
    const copyOf = (content: Content): Content => {
      let same = copies.get(content)
      if (same === undefined) copies.set(content, (same = { ...content, bytes: Buffer.from(content.bytes) }))
      return same
    }
    for (const [path, content] of this.#files) copy.#files.set(path, copyOf(content))
    for (const [path, content] of this.#durableNames) copy.#durableNames.set(path, copyOf(content))
    return copy
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<StorageFile> {
    if (mode !== 'read') this.#enter('open', path)
    let content = this.#files.get(path)
    if (content === undefined) {
      if (mode === 'read') throw failure('ENOENT', path)
      if (!this.#directories.has(dirname(path))) throw failure('ENOENT', path)
      this.#files.set(path, (content = { bytes: Buffer.alloc(0), synced: 0, forgotten: undefined }))
    }
    if (mode === 'create') {
      content.bytes = Buffer.alloc(0)
      content.synced = 0
      content.forgotten = undefined
    }
    return this.#file(path, content)
  }

  async rename(from: string, to: string): Promise<void> {
    this.#enter('rename', from)
    this.#files.set(to, this.#content(from))
    this.#files.delete(from)
  }

  async unlink(path: string): Promise<void> {
    this.#enter('unlink', path)
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
    this.#enter('makeDirectory', path)
    for (let at = path; !this.#directories.has(at); at = dirname(at)) this.#directories.add(at)
  }

  async syncDirectory(path: string): Promise<void> {
    this.#enter('syncDirectory', path)
    for (const name of this.#durableNames.keys()) if (dirname(name) === path) this.#durableNames.delete(name)
    for (const [name, content] of this.#files) if (dirname(name) === path) this.#durableNames.set(name, content)
  }

  async lock(path: string, since: number): Promise<StorageLock> {
    if (this.#locks.has(path)) throw new DirectoryLocked(path, { pid: process.pid, host: 'memory', since })
    this.#locks.add(path)
    return { release: async () => void this.#locks.delete(path) }
  }

  #file(path: string, content: Content): StorageFile {
    const generation = this.#generation
    const enter = (operation: Operation): void => {
      if (generation !== this.#generation) throw failure('EBADF', path)
      this.#enter(operation, path)
    }
    return {
      size: async () => content.bytes.length,
      read: async (position, target) => {
        if (generation !== this.#generation) throw failure('EBADF', path)
        return content.bytes.copy(target, 0, position, position + target.length)
      },
      write: async (position, bytes) => {
        const taken = this.#fault('write', path)
        if (generation !== this.#generation) throw failure('EBADF', path)
        const part = taken === undefined ? bytes : bytes.subarray(0, taken.taken)
        const end = position + part.length
        const larger = Buffer.alloc(Math.max(content.bytes.length, end))
        content.bytes.copy(larger)
        part.copy(larger, position)
        content.bytes = larger
        content.synced = Math.min(content.synced, position)
        if (content.forgotten !== undefined && position <= content.forgotten.from && end > content.forgotten.from) {
          content.forgotten = end < content.forgotten.to ? { from: end, to: content.forgotten.to } : undefined
        }
        if (taken !== undefined) throw failure(taken.code, path)
      },
      datasync: async () => {
        const length = content.bytes.length
        try {
          enter('datasync')
        } catch (error) {
          if (length > content.synced) content.forgotten = { from: content.synced, to: length }
          throw error
        }
        content.synced = content.forgotten?.from ?? length
      },
      truncate: async (length) => {
        enter('truncate')
        content.bytes = Buffer.from(content.bytes.subarray(0, length))
        content.synced = Math.min(content.synced, length)
        if (content.forgotten !== undefined && length <= content.forgotten.from) content.forgotten = undefined
      },
      close: async () => {},
    }
  }

  #content(path: string): Content {
    const content = this.#files.get(path)
    if (content === undefined) throw failure('ENOENT', path)
    return content
  }

  #enter(operation: Operation, path: string): void {
    const fault = this.#fault(operation, path)
    if (fault !== undefined) throw failure(fault.code, path)
  }

  #fault(operation: Operation, path: string): Fault | undefined {
    this.before?.(operation, path)
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

interface Content {
  bytes: Buffer
  /** Length of the front that is on the medium. */
  synced: number
  /** What a failed datasync should have covered: no later one brings it to the medium unless it is written again. */
  forgotten: { from: number; to: number } | undefined
}

interface Fault {
  operation: Operation
  code: string
  times: number
  taken: number
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}
