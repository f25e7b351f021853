import { join } from 'node:path'
import { systemClock } from '../io/clock.js'
import type { Storage } from '../io/storage.js'
import type { Damage } from './damage.js'
import { type Cut, cutFile, readLogFile } from './directory.js'
import { CorruptLog } from './errors.js'
import { LOG_DIRECTORY, type LogFile, MANIFEST_NAME, readManifest, replayOrder, writeManifest } from './manifest.js'
import { Pace } from './reader.js'

export interface CheckedFile {
  name: string
  type: 'base' | 'increment'
  /** Bytes; 0 for a missing file. */
  size: number
  records: number
  /** Effects before the damage, if there is any. */
  effects: number
  /** Bytes of commands that no checksum covers, as Redis writes them. */
  unchecked: number
  damage: Damage | undefined
  missing: boolean
}

export interface CheckReport {
  directory: string
  files: CheckedFile[]
  /** What is wrong with the manifest itself. */
  manifest: string | undefined
  /** Does the engine start on the directory as it is now? True also with a damaged tail: opening cuts it. */
  startable: boolean
  /** Nothing is damaged, nothing was cut. */
  sound: boolean
  /** What was taken off, and the files that keep it. */
  cuts: Cut[]
}

/**
 * Reads the log of a directory without applying it. With `fix`, a damaged file is cut at the first bad byte; the bytes
 * taken off are kept beside it as FILE.cut-OFFSET, and increments behind a cut one leave the manifest and are kept as
 * FILE.cut-0: what they say builds upon what was lost. A broken manifest or a missing file is reported, not repaired.
 *
 * With `fix` the directory is locked meanwhile (DirectoryLocked). Rejects with UnsupportedLog for RDB bases.
 */
export async function checkAppendOnly(
  directory: string,
  storage: Storage,
  options: { fix?: boolean } = {},
): Promise<CheckReport> {
  const lock = options.fix ? await storage.lock(join(directory, 'yeoul.lock'), systemClock.now()) : undefined
  try {
    return await check(directory, storage, options.fix === true)
  } finally {
    await lock?.release()
  }
}

async function check(directory: string, storage: Storage, fix: boolean): Promise<CheckReport> {
  const report: CheckReport = {
    directory,
    files: [],
    manifest: undefined,
    startable: false,
    sound: false,
    cuts: [],
  }
  let manifest: Awaited<ReturnType<typeof readManifest>>
  try {
    manifest = await readManifest(storage, directory)
  } catch (error) {
    if (!(error instanceof CorruptLog)) throw error
    report.manifest = error.message
    return report
  }
  if (manifest === undefined) {
    report.manifest = `there is no ${join(LOG_DIRECTORY, MANIFEST_NAME)}`
    return report
  }
  const places = replayOrder(manifest)
  for (const place of places) report.files.push(await checkFile(storage, directory, place))
  const bad = report.files.findIndex((file) => file.missing || file.damage !== undefined)
  if (bad < 0) {
    report.startable = report.sound = true
    return report
  }
  const { damage, missing } = report.files[bad]
  const last = bad === places.length - 1 && places[bad].type === 'i'
  report.startable = last && damage?.place === 'tail'
  if (!fix || missing || damage === undefined) return report

  // Increments that will no longer be listed are kept first: a crash in between leaves a manifest that can be fixed again.
  for (const place of places.slice(bad + 1)) {
    const checked = report.files.find((file) => file.name === place.name)!
    if (checked.missing) continue
    const whole: Damage = {
      offset: 0,
      kind: damage.kind,
      detail: 'it follows a cut',
      place: 'tail',
      length: checked.size,
    }
    report.cuts.push(await cutFile(storage, directory, place.name, whole))
  }
  report.cuts.push(await cutFile(storage, directory, places[bad].name, damage))
  manifest.increments = manifest.increments.filter((increment) => places.indexOf(increment) <= bad)
  await writeManifest(storage, directory, manifest)
  report.startable = true
  return report
}

async function checkFile(storage: Storage, directory: string, place: LogFile): Promise<CheckedFile> {
  const checked: CheckedFile = {
    name: place.name,
    type: place.type === 'b' ? 'base' : 'increment',
    size: 0,
    records: 0,
    effects: 0,
    unchecked: 0,
    damage: undefined,
    missing: false,
  }
  try {
    const { size, records, effects, unchecked, damage } = await readLogFile(
      storage,
      directory,
      place,
      new Pace(systemClock),
      () => {},
    )
    return { ...checked, size, records, effects, unchecked, damage }
  } catch (error) {
    if (error instanceof CorruptLog && error.kind === 'missing') return { ...checked, missing: true }
    throw error
  }
}
