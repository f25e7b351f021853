import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { link, open, readFile, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type AliveSocket, isListening, listenAlive } from './alive-socket.js'
import { DirectoryLocked, type LockOwner, type StorageLock } from './storage.js'

/**
 * A lock file holds one line of JSON: an Owner. It appears by link(2) of a complete temporary file, so it is never
 * seen half written, and of two starters one gets EEXIST.
 *
 * Taking over the lock of a dead owner: between finding it dead and replacing it another starter may have done the
 * same, so the replacement happens under a second lock, PATH.takeover, after reading PATH again. While it is held
 * nobody else replaces PATH, and rename(2) puts the new owner in place of the old in one step: at no moment is the lock
 * absent. A holder that dies in these milliseconds leaves PATH.takeover stale, and that is taken over in the same way.
 *
 * An owner in another container of this machine (another process namespace, the same boot) is alive as long as it
 * listens on the socket that it names; see alive-socket.ts.
 *
 * What it cannot see: whether an owner on another host, or in a container without such a socket, is alive. Such a lock is
 * never taken over. It needs link(2), which network file systems have but FAT and some volume drivers
 * lack.
 */
interface Owner extends LockOwner {
  /** Distinguishes two locks of one process. */
  token: string
  /** Start time of the process in clock ticks since boot: a pid that was given out again differs. Linux only. */
  started?: string
  /** Which boot of the machine. Linux only. */
  boot?: string
  /** Which process namespace the pid counts in. Linux only. */
  namespace?: string
  /** Linux only, where the file system holds sockets. */
  socket?: AliveSocket
}

/** Takes the lock at `path`; rejects with DirectoryLocked. `since`: milliseconds since the epoch, for the message. */
export function acquireLock(path: string, since: number): Promise<StorageLock> {
  return acquire(path, since, true)
}

async function acquire(path: string, since: number, showsLife: boolean): Promise<StorageLock> {
  const owner = describeProcess(since)
  const socket = showsLife ? await listenAlive(dirname(path), `${basename(path)}.${owner.token}.alive`) : undefined
  if (socket !== undefined) owner.socket = { name: socket.name, device: socket.device }
  try {
    await take(path, since, owner)
  } catch (error) {
    await socket?.close()
    throw error
  }
  return {
    async release() {
      const present = await readOwner(path)
      // Removed or replaced by hand: then it is not ours to remove.
      if (present !== 'gone' && present?.token === owner.token) await succeeds(unlink(path), 'ENOENT')
      await socket?.close()
    },
  }
}

async function take(path: string, since: number, owner: Owner): Promise<void> {
  const temporary = `${path}.${owner.token}`
  const file = await open(temporary, 'wx', 0o644)
  try {
    await file.writeFile(`${JSON.stringify(owner)}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
  try {
    for (;;) {
      if (await succeeds(link(temporary, path), 'EEXIST')) break
      const present = await readOwner(path)
      if (present === 'gone') continue
      await refuseUnlessDead(path, present)
      const takeover = await acquire(`${path}.takeover`, since, false)
      try {
        const still = await readOwner(path)
        if (still === 'gone' || still?.token !== present?.token) continue
        await rename(temporary, path)
        const left = present?.socket?.name
        if (left !== undefined && !left.includes('/')) await unlink(join(dirname(path), left)).catch(() => {})
        break
      } finally {
        await takeover.release()
      }
    }
  } finally {
    await succeeds(unlink(temporary), 'ENOENT')
  }
}

async function refuseUnlessDead(path: string, owner: Owner | undefined): Promise<void> {
  if (owner === undefined) throw new DirectoryLocked(path, undefined, 'remove the file if no process uses it')
  const here = describeProcess(0)
  if (owner.boot !== undefined && here.boot !== undefined && owner.boot !== here.boot) {
    // The same host was started again since.
    if (owner.host === here.host) return
  } else if (owner.namespace === here.namespace && (owner.boot !== undefined || owner.host === here.host)) {
    if (!isAlive(owner)) return
    throw new DirectoryLocked(path, owner)
  } else if (owner.socket !== undefined && owner.boot !== undefined && owner.boot === here.boot) {
    const listening = await isListening(dirname(path), owner.socket)
    if (listening === false) return
    if (listening) throw new DirectoryLocked(path, owner, 'it runs in another container of this machine; stop it first')
  }
  throw new DirectoryLocked(
    path,
    owner,
    'it is on another host or in another container, so whether it still runs cannot be seen from here; if it does not, remove the lock file',
  )
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = processStat(owner.pid)
  if (stat === undefined || owner.started === undefined) return true
  // A zombie has let go of everything; it only waits for its parent.
  return stat.started === owner.started && stat.state !== 'Z' && stat.state !== 'X'
}

function describeProcess(since: number): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    since,
    token: randomUUID(),
    started: processStat(process.pid)?.started,
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    namespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
  }
}

/** Fields 3 and 22 of /proc/PID/stat. Field 2, the name in parentheses, may hold blanks and parentheses itself. */
function processStat(pid: number): { state: string; started: string } | undefined {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0], started: fields[19] }
  })
}

/** Undefined when the file is there but says nothing intelligible. */
async function readOwner(path: string): Promise<Owner | undefined | 'gone'> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone'
    throw error
  }
  const owner = attempt(() => JSON.parse(text) as Owner)
  return typeof owner?.pid === 'number' && typeof owner.token === 'string' ? owner : undefined
}

/** False when the call was refused for this reason, which the caller expects. */
async function succeeds(call: Promise<void>, unless: string): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === unless) return false
    throw error
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
