/**
 * PORT: the disk. Paths are plain strings; directories and files of one Storage form one tree.
 *
 * No call blocks the event loop; each answers by its promise. A rejection carries the system's `code` (ENOENT, ENOSPC,
 * EIO, EROFS …). Calls on different files run in any order; on one file the caller awaits one before it starts the
 * next, except `datasync`, which may run beside a `write` and then covers what was written before it began.
 *
 * What survives what:
 *   - A crash of the process loses nothing that a resolved `write`, `truncate` or `rename` did.
 *   - A crash of the machine may lose, tear (any prefix, or any sectors of it) or reorder whatever was written to a
 *     file since its last resolved `datasync`; lost sectors read as zeros or lie beyond the end of the file. Synced
 *     bytes are not touched.
 *   - A new name, a rename or an unlink survives a crash of the machine once `syncDirectory` of its directory resolved;
 *     before that it may be there or not, but a rename is never half done: the name leads to the old file or the new.
 *   - After a `datasync` was rejected, what it should have covered may be lost even if a later one resolves: the
 *     caller writes it again.
 */
export interface Storage {
  /**
   * `read`: the file must exist. `append`: created empty when missing, otherwise left as it is. `create`: created, or
   * emptied when it exists. `append` and `create` allow reading, too.
   */
  open(path: string, mode: 'read' | 'append' | 'create'): Promise<StorageFile>
  /** Atomic; replaces what stood at `to`. */
  rename(from: string, to: string): Promise<void>
  /** The file must exist (ENOENT). */
  unlink(path: string): Promise<void>
  /** Names in a directory, no order promised. The directory must exist (ENOENT). */
  list(directory: string): Promise<string[]>
  /** Creates a directory and its parents; harmless when it exists. */
  makeDirectory(path: string): Promise<void>
  /** Makes names created, renamed and removed in this directory durable. */
  syncDirectory(path: string): Promise<void>
  /**
   * Takes the lock file at `path` for this process, or rejects with DirectoryLocked naming the owner. Of any number of
   * starters one gets it. The lock of an owner that is known to be gone is taken over.
   */
  lock(path: string, since: number): Promise<StorageLock>
}

export interface StorageFile {
  /** Current length in bytes. */
  size(): Promise<number>
  /** Fills `target` from `position` on as far as the file goes; answers the bytes read, 0 at the end. */
  read(position: number, target: Buffer): Promise<number>
  /** Resolves when all bytes were taken; a rejection says nothing about how many were. */
  write(position: number, bytes: Buffer): Promise<void>
  /** Resolves when everything written before, and the length, is on the medium. */
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface StorageLock {
  release(): Promise<void>
}

/** Who holds a directory. */
export interface LockOwner {
  pid: number
  host: string
  /** Milliseconds since the epoch. */
  since: number
}

/** Another process uses the directory (E8). Trying again helps once that one has ended. */
export class DirectoryLocked extends Error {
  override readonly name = 'DirectoryLocked'
  readonly code = 'DIRECTORY_LOCKED'
  readonly canRetry = true

  constructor(
    readonly path: string,
    /** Undefined when the lock file could not be read. */
    readonly owner: LockOwner | undefined,
    advice = 'stop it first, or use another directory',
  ) {
    super(
      owner === undefined
        ? `${path} is in use, but does not say by whom: ${advice}`
        : `${path} is in use by process ${owner.pid} on ${owner.host} since ${new Date(owner.since).toISOString()}: ${advice}`,
    )
  }
}
