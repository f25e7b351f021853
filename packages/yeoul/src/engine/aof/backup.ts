import { join } from 'node:path'
import type { Clock } from '../io/clock.js'
import type { Storage, StorageFile } from '../io/storage.js'
import { readLogFile } from './directory.js'
import { BackupRefused, CorruptLog } from './errors.js'
import {
  formatManifest,
  LOG_DIRECTORY,
  type LogFile,
  MANIFEST_NAME,
  type Manifest,
  readManifest,
  replayOrder,
  writeManifest,
} from './manifest.js'
import { Pace } from './reader.js'

export interface BackupProgress {
  /** Bytes copied, of so many; then the same bytes are read again to verify them. */
  phase: 'copying' | 'verifying'
  bytes: number
  total: number
}

export interface BackupReport {
  /** Bytes of all files of the copy. */
  bytes: number
  files: number
  effects: number
}

/** The manifest changes only when a compaction begins or ends. */
const ATTEMPTS = 100
const PIECE = 1024 * 1024

/**
 * Copies the log of a directory to another one, while whoever owns it goes on writing: the copy is the state at one
 * moment not before the call, and a data directory of its own. It needs no connection and takes no lock.
 *
 * Files grow at their end only, or are removed. So once all files of one manifest are open, what they hold up to their
 * lengths of that moment stays readable, whatever a compaction does; only the last may end within a record, and is
 * cut before it. The copy's manifest comes last: without it the copy is incomplete, and an engine refuses it.
 *
 * Rejects with BackupRefused when there is no log or the target holds one, CorruptLog when the source is damaged, and
 * UnsupportedLog for RDB bases.
 */
export async function copyAppendOnly(
  storage: Storage,
  directory: string,
  target: string,
  clock: Clock,
  progress?: (progress: BackupProgress) => void,
): Promise<BackupReport> {
  const path = join(target, LOG_DIRECTORY)
  await storage.makeDirectory(path)
  if ((await storage.list(path)).length > 0) {
    throw new BackupRefused(`${path} holds files already: name a directory that is empty or not there yet`)
  }
  const { manifest, files } = await openAll(storage, directory)
  try {
    const sizes: number[] = []
    for (const file of files) sizes.push(await file.size())
    const total = sizes.reduce((sum, size) => sum + size, 0)
    let bytes = 0
    for (const [i, place] of replayOrder(manifest).entries()) {
      await copyFile(storage, files[i], sizes[i], join(path, place.name), (copied) => {
        bytes += copied
        progress?.({ phase: 'copying', bytes, total })
      })
    }
    const report = await verify(storage, target, manifest, clock, total, progress)
    await writeManifest(storage, target, { ...manifest, history: [] })
    await storage.syncDirectory(target)
    return report
  } finally {
    for (const file of files) await file.close().catch(() => {})
  }
}

/** All files of one manifest, open: it is the same before and after. */
async function openAll(storage: Storage, directory: string): Promise<{ manifest: Manifest; files: StorageFile[] }> {
  for (let attempt = 1; ; attempt++) {
    const manifest = await readManifest(storage, directory)
    if (manifest === undefined) throw new BackupRefused(`${directory} holds no ${LOG_DIRECTORY}/${MANIFEST_NAME}`)
    const files: StorageFile[] = []
    let missing: LogFile | undefined
    for (const place of replayOrder(manifest)) {
      try {
        files.push(await storage.open(join(directory, LOG_DIRECTORY, place.name), 'read'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        missing = place
        break
      }
    }
    const after = await readManifest(storage, directory)
    const same = after !== undefined && formatManifest(after) === formatManifest(manifest)
    if (same && missing === undefined) return { manifest, files }
    for (const file of files) await file.close()
    if (same && missing !== undefined) {
      throw new CorruptLog(directory, missing.name, 0, 'missing', 'the manifest lists it, but there is no such file')
    }
    if (attempt === ATTEMPTS) throw new BackupRefused(`${directory} is compacted all the time: try again later`)
  }
}

async function copyFile(
  storage: Storage,
  source: StorageFile,
  size: number,
  path: string,
  copied: (bytes: number) => void,
): Promise<void> {
  const file = await storage.open(path, 'create')
  try {
    const piece = Buffer.allocUnsafeSlow(Math.min(Math.max(size, 1), PIECE))
    for (let at = 0; at < size; ) {
      const count = await source.read(at, piece.subarray(0, Math.min(piece.length, size - at)))
      // A record whose write failed has been cut off again.
      if (count === 0) break
      await file.write(at, piece.subarray(0, count))
      at += count
      copied(count)
    }
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Reads the copy as opening does; cuts an unfinished record off its last increment. */
async function verify(
  storage: Storage,
  target: string,
  manifest: Manifest,
  clock: Clock,
  total: number,
  progress?: (progress: BackupProgress) => void,
): Promise<BackupReport> {
  const places = replayOrder(manifest)
  const report: BackupReport = { bytes: 0, files: places.length, effects: 0 }
  const pace = new Pace(clock)
  for (const place of places) {
    const told = (offset: number) => progress?.({ phase: 'verifying', bytes: report.bytes + offset, total })
    const { damage, size, effects } = await readLogFile(storage, target, place, pace, () => {}, told)
    report.effects += effects
    report.bytes += damage?.offset ?? size
    if (damage === undefined) continue
    if (place !== places.at(-1) || place.type !== 'i' || damage.place !== 'tail') {
      throw new CorruptLog(target, place.name, damage.offset, damage.kind, `${damage.detail} (so it is in the source)`)
    }
    const file = await storage.open(join(target, LOG_DIRECTORY, place.name), 'append')
    try {
      await file.truncate(damage.offset)
      await file.datasync()
    } finally {
      await file.close()
    }
  }
  progress?.({ phase: 'verifying', bytes: report.bytes, total: report.bytes })
  return report
}
