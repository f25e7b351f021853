import { join } from 'node:path'
import type { Clock } from '../io/clock.js'
import type { Storage } from '../io/storage.js'
import { assessDamage, type Damage } from './damage.js'
import { CorruptLog, UnsupportedLog } from './errors.js'
import {
  incrementFile,
  LOG_DIRECTORY,
  type LogFile,
  MANIFEST_NAME,
  type Manifest,
  readManifest,
  replayOrder,
  writeManifest,
} from './manifest.js'
import { type EffectVisitor, type FileReport, Pace, readFile } from './reader.js'

/** A damaged tail that was taken off, the bytes kept beside the file. */
export interface Cut {
  file: string
  offset: number
  /** Bytes taken off. */
  length: number
  kind: Damage['kind']
  detail: string
  /** Name of the file in the log directory that keeps them. */
  kept: string
}

export interface LoadProgress {
  bytes: number
  /** Bytes of all files. */
  total: number
  effects: number
}

export interface LoadedLog {
  manifest: Manifest
  effects: number
  cuts: Cut[]
  /** Length of each file of the manifest, by name. */
  sizes: Map<string, number>
  /** Length of the last increment that its records know to be synced. */
  synced: number
}

/**
 * Reads the log of a directory from base to last increment, cutting a damaged tail off the last file, and clears away
 * what an interrupted rewrite left. Creates the log when there is none. The caller holds the directory's lock.
 *
 * Rejects with CorruptLog, UnsupportedLog, or what `visit` threw wrapped in CorruptLog.
 */
export async function loadLog(
  storage: Storage,
  directory: string,
  clock: Clock,
  visit: EffectVisitor,
  progress?: (progress: LoadProgress) => void,
): Promise<LoadedLog> {
  let manifest = await readManifest(storage, directory)
  if (manifest === undefined) manifest = await createLog(storage, directory)
  else {
    // Whoever wrote it may have ended before its name was durable.
    await storage.syncDirectory(join(directory, LOG_DIRECTORY))
    await storage.syncDirectory(directory)
  }
  const sizes = await measure(storage, directory, replayOrder(manifest))
  await clearLeftovers(storage, directory, manifest)
  const files = replayOrder(manifest)
  const loaded: LoadedLog = { manifest, effects: 0, cuts: [], sizes, synced: 0 }
  const total = [...loaded.sizes.values()].reduce((sum, size) => sum + size, 0)
  const pace = new Pace(clock)
  let bytes = 0
  for (const place of files) {
    const report = await readLogFile(
      storage,
      directory,
      place,
      pace,
      (request, database, offset) => {
        try {
          visit(request, database, offset)
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          throw new CorruptLog(directory, place.name, offset, 'refused', `${describe(request)}: ${reason}`, error)
        }
      },
      progress && ((offset, effects) => progress({ bytes: bytes + offset, total, effects: loaded.effects + effects })),
    )
    loaded.effects += report.effects
    bytes += report.size
    loaded.synced = report.synced
    progress?.({ bytes, total, effects: loaded.effects })
    if (report.damage === undefined) continue
    const { damage } = report
    if (place !== files.at(-1) || place.type !== 'i' || damage.place === 'middle') {
      const detail = damage.place === 'middle' ? damage.detail : `${damage.detail}; only the last increment may be cut`
      throw new CorruptLog(directory, place.name, damage.offset, damage.kind, detail)
    }
    loaded.cuts.push(await cutFile(storage, directory, place.name, damage))
    loaded.sizes.set(place.name, damage.offset)
  }
  return loaded
}

/** What `readFile` found, damage judged. */
export interface LogFileReport extends FileReport {
  damage: Damage | undefined
}

/** Reads one file of the manifest. */
export async function readLogFile(
  storage: Storage,
  directory: string,
  place: LogFile,
  pace: Pace,
  visit: EffectVisitor,
  advanced?: (offset: number, effects: number) => void,
): Promise<LogFileReport> {
  const file = await storage.open(join(directory, LOG_DIRECTORY, place.name), 'read').catch((error) => {
    if (error?.code !== 'ENOENT') throw error
    throw new CorruptLog(directory, place.name, 0, 'missing', 'the manifest lists it, but there is no such file')
  })
  try {
    const magic = Buffer.alloc(5)
    if ((await file.read(0, magic)) === 5 && magic.toString('latin1') === 'REDIS') {
      throw new UnsupportedLog(
        `${place.name} is an RDB snapshot. Start redis-server on the directory once with ` +
          '`aof-use-rdb-preamble no`, run BGREWRITEAOF and stop it; then it opens here',
      )
    }
    const report = await readFile(file, place, pace, visit, advanced)
    const damage = report.stop && (await assessDamage(file, place, report.size, report.stop))
    return { ...report, damage }
  } finally {
    await file.close()
  }
}

/** Takes everything from the damage on off the file, after keeping a synced copy of it as FILE.cut-OFFSET. */
export async function cutFile(storage: Storage, directory: string, name: string, damage: Damage): Promise<Cut> {
  const path = join(directory, LOG_DIRECTORY)
  const names = new Set(await storage.list(path))
  let kept = `${name}.cut-${damage.offset}`
  for (let copy = 2; names.has(kept); copy++) kept = `${name}.cut-${damage.offset}-${copy}`
  const source = await storage.open(join(path, name), 'append')
  try {
    const target = await storage.open(join(path, kept), 'create')
    try {
      const piece = Buffer.alloc(Math.min(damage.length, 1024 * 1024))
      for (let done = 0; done < damage.length; ) {
        const count = await source.read(damage.offset + done, piece)
        if (count === 0) break
        await target.write(done, piece.subarray(0, count))
        done += count
      }
      await target.datasync()
    } finally {
      await target.close()
    }
    await storage.syncDirectory(path)
    await source.truncate(damage.offset)
    await source.datasync()
  } finally {
    await source.close()
  }
  return { file: name, offset: damage.offset, length: damage.length, kind: damage.kind, detail: damage.detail, kept }
}

/** An empty increment and its manifest. */
async function createLog(storage: Storage, directory: string): Promise<Manifest> {
  const path = join(directory, LOG_DIRECTORY)
  await storage.makeDirectory(path)
  if ((await storage.list(directory)).includes('appendonly.aof')) {
    throw new UnsupportedLog(
      `${join(directory, 'appendonly.aof')} was written by Redis 6 or older. Start redis-server 7 on the directory ` +
        'once with `aof-use-rdb-preamble no`, run BGREWRITEAOF and stop it; then it opens here',
    )
  }
  for (const name of await storage.list(path)) {
    if (!/\.(base|incr)\./.test(name) || name.startsWith('temp-')) continue
    // An empty one is what a first start leaves that was interrupted before it wrote the manifest.
    if ((await fileSize(storage, join(path, name))) > 0) {
      throw new CorruptLog(directory, MANIFEST_NAME, 0, 'missing', `${name} holds data, but no manifest lists it`)
    }
  }
  const manifest: Manifest = { base: undefined, history: [], increments: [] }
  await addFirstIncrement(storage, directory, manifest)
  await storage.syncDirectory(directory)
  return manifest
}

/**
 * Removes history and what interrupted rewrites left: temporary files, and bases and increments that no manifest lists,
 * be they from before it or not listed yet. Data is never in one that is not listed yet; if it is, the manifest is not the
 * last one. Gives a log without increments its first one.
 */
async function clearLeftovers(storage: Storage, directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, LOG_DIRECTORY)
  const listed = new Set([...replayOrder(manifest), ...manifest.history].map(({ name }) => name))
  const lastIncrement = manifest.increments.at(-1)?.sequence ?? 0
  for (const name of await storage.list(path)) {
    const match = /^appendonly\.aof\.(\d+)\.(base|incr)\.aof$/.exec(name)
    if (listed.has(name) || (match === null && !name.startsWith('temp-'))) continue
    const sequence = Number(match?.[1])
    if (match?.[2] === 'incr' && sequence > lastIncrement && (await fileSize(storage, join(path, name))) > 0) {
      throw new CorruptLog(directory, MANIFEST_NAME, 0, 'manifest', `it is older than ${name}, which holds data`)
    }
    await storage.unlink(join(path, name))
  }
  await removeHistory(storage, directory, manifest)
  if (manifest.increments.length === 0) await addFirstIncrement(storage, directory, manifest)
}

async function addFirstIncrement(storage: Storage, directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, LOG_DIRECTORY)
  const first = incrementFile(1)
  const file = await storage.open(join(path, first.name), 'create')
  await file.datasync()
  await file.close()
  // A name must be durable before a manifest may list it.
  await storage.syncDirectory(path)
  manifest.increments.push(first)
  await writeManifest(storage, directory, manifest)
}

/** Removes the files the manifest calls history, then forgets them. */
export async function removeHistory(storage: Storage, directory: string, manifest: Manifest): Promise<void> {
  if (manifest.history.length === 0) return
  const path = join(directory, LOG_DIRECTORY)
  for (const file of manifest.history) {
    await storage.unlink(join(path, file.name)).catch((error) => {
      if (error?.code !== 'ENOENT') throw error
    })
  }
  // A name that comes back after a crash must still be listed, or nobody would ever remove it.
  await storage.syncDirectory(path)
  manifest.history = []
  await writeManifest(storage, directory, manifest)
}

async function measure(storage: Storage, directory: string, files: LogFile[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  const names = new Set(await storage.list(join(directory, LOG_DIRECTORY)))
  for (const { name } of files) {
    if (!names.has(name)) {
      throw new CorruptLog(directory, name, 0, 'missing', 'the manifest lists it, but there is no such file')
    }
    sizes.set(name, await fileSize(storage, join(directory, LOG_DIRECTORY, name)))
  }
  return sizes
}

async function fileSize(storage: Storage, path: string): Promise<number> {
  const file = await storage.open(path, 'read')
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}

function describe(request: { count: number; string(i: number): string }): string {
  const words: string[] = []
  for (let i = 0; i < Math.min(request.count, 4); i++) words.push(request.string(i).slice(0, 40))
  return JSON.stringify(words.join(' '))
}
