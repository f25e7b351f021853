import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Somebody else has the directory open. */
export class DirectoryLocked extends Error {
  override readonly name = 'DirectoryLocked'
  constructor(
    readonly path: string,
    readonly pid: number,
  ) {
    super(`${path} is held by process ${pid}`)
  }
}

export interface Lock {
  release(): Promise<void>
}

interface Holder {
  pid: number
  /** When that process started, in clock ticks since boot (Linux): tells a later process of the same pid apart. */
  started: string | null
}

/**
 * An exclusive lock as a file that names its holder. PGlite has none of its own, and two processes on one directory destroy
 * it. A holder that no longer runs (kill -9, power loss) does not count; its file is moved aside, which only one of several
 * rivals can do.
 */
export async function lock(path: string): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true })
  for (;;) {
    try {
      const file = await open(path, 'wx')
      try {
        await file.writeFile(JSON.stringify({ pid: process.pid, started: await startOf(process.pid) } satisfies Holder))
      } finally {
        await file.close()
      }
      return { release: () => rm(path, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await holderOf(path)
    if (holder && (await runs(holder))) throw new DirectoryLocked(path, holder.pid)
    const aside = `${path}.stale-${process.pid}`
    await rename(path, aside).catch(() => undefined)
    await rm(aside, { force: true })
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    try {
      return JSON.parse(text) as Holder
    } catch {
      // Made, but not written yet: its maker is at it right now, or died in between.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return undefined
}

async function runs(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return holder.started === null || holder.started === (await startOf(holder.pid))
}

/** Field 22 of /proc/PID/stat, counted after the command name, which may itself hold blanks and parentheses. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
}
