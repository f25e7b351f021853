import { close, constants, fdatasync, fstat, fsync, ftruncate, open, read, write } from 'node:fs'
import { mkdir, readdir, rename, unlink } from 'node:fs/promises'
import { acquireLock } from './lock-file.js'
import type { Storage, StorageFile, StorageLock } from './storage.js'

const FLAGS = {
  read: constants.O_RDONLY,
  append: constants.O_RDWR | constants.O_CREAT,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
}

/** The file system of this machine; every call runs in libuv's thread pool. */
export class FileStorage implements Storage {
  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<StorageFile> {
    return new DiskFile(await openDescriptor(path, FLAGS[mode]))
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to)
  }

  unlink(path: string): Promise<void> {
    return unlink(path)
  }

  list(directory: string): Promise<string[]> {
    return readdir(directory)
  }

  async makeDirectory(path: string): Promise<void> {
    await mkdir(path, { recursive: true })
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows cannot open a directory as a file; its file systems journal names by themselves.
    if (process.platform === 'win32') return
    const descriptor = await openDescriptor(path, constants.O_RDONLY)
    try {
      await settle((done) => fsync(descriptor, done))
    } finally {
      await settle((done) => close(descriptor, done))
    }
  }

  lock(path: string, since: number): Promise<StorageLock> {
    return acquireLock(path, since)
  }
}

class DiskFile implements StorageFile {
  constructor(readonly descriptor: number) {}

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fstat(this.descriptor, (error, stats) => (error ? reject(error) : resolve(stats.size)))
    })
  }

  async read(position: number, target: Buffer): Promise<number> {
    let done = 0
    while (done < target.length) {
      const count = await new Promise<number>((resolve, reject) => {
        read(this.descriptor, target, done, target.length - done, position + done, (error, bytes) =>
          error ? reject(error) : resolve(bytes),
        )
      })
      if (count === 0) break
      done += count
    }
    return done
  }

  write(position: number, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      // The system may take less than it is given (a full disk, a limit): the next call then says why.
      const more = (done: number): void => {
        write(this.descriptor, bytes, done, bytes.length - done, position + done, (error, count) => {
          if (error) reject(error)
          else if (done + count < bytes.length) more(done + count)
          else resolve()
        })
      }
      more(0)
    })
  }

  datasync(): Promise<void> {
    return settle((done) => fdatasync(this.descriptor, done))
  }

  truncate(length: number): Promise<void> {
    return settle((done) => ftruncate(this.descriptor, length, done))
  }

  close(): Promise<void> {
    return settle((done) => close(this.descriptor, done))
  }
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o644, (error, descriptor) => (error ? reject(error) : resolve(descriptor)))
  })
}

function settle(call: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())))
}
