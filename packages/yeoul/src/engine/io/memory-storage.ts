import { dirname } from 'node:path/posix'
import { DirectoryLocked, type Storage, type StorageFile, type StorageLock } from './storage.js'

/**
 * A disk in memory, with faults on demand. It keeps beside each file what a crash of the machine would leave of it:
 * the synced bytes, and of the unsynced ones as many as `crash` says. Names are durable at once.
 */
export class MemoryStorage implements Storage {
  readonly #files = new Map<string, Content>()
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
   * datasync, `keep` survive at the front (all of them by default: only the process stopped).
   */
  crash(options: { keep?: number } = {}): void {
    this.#generation++
    this.#locks.clear()
    this.#faults = []
    this.before = undefined
    if (options.keep === undefined) return
    for (const content of this.#files.values()) {
      if (content.bytes.length > content.synced) {
        content.bytes = Buffer.from(content.bytes.subarray(0, content.synced + options.keep))
      }
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
    this.#files.set(path, { bytes: Buffer.from(bytes), synced: bytes.length })
  }

  /** An independent copy of the tree, synced or not, without locks and faults. */
  clone(): MemoryStorage {
    const copy = new MemoryStorage()
    for (const directory of this.#directories) copy.#directories.add(directory)
    for (const [path, content] of this.#files) {
      copy.#files.set(path, { bytes: Buffer.from(content.bytes), synced: content.synced })
    }
    return copy
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<StorageFile> {
    if (mode !== 'read') this.#enter('open', path)
    let content = this.#files.get(path)
    if (content === undefined) {
      if (mode === 'read') throw failure('ENOENT', path)
      if (!this.#directories.has(dirname(path))) throw failure('ENOENT', path)
      this.#files.set(path, (content = { bytes: Buffer.alloc(0), synced: 0 }))
    }
    if (mode === 'create') {
      content.bytes = Buffer.alloc(0)
      content.synced = 0
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
        const larger = Buffer.alloc(Math.max(content.bytes.length, position + part.length))
        content.bytes.copy(larger)
        part.copy(larger, position)
        content.bytes = larger
        content.synced = Math.min(content.synced, position)
        if (taken !== undefined) throw failure(taken.code, path)
      },
      datasync: async () => {
        const length = content.bytes.length
        enter('datasync')
        content.synced = length
      },
      truncate: async (length) => {
        enter('truncate')
        content.bytes = Buffer.from(content.bytes.subarray(0, length))
        content.synced = Math.min(content.synced, length)
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
