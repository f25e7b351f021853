import type { StorageFile } from '../io/storage.js'
import { HEADER_LENGTH, parseHeader, type RecordPlace, verifyRecord } from './record.js'

/*
 * After a failed sync the system may call pages clean that never reached the medium, so that a later sync proves nothing.
 * As a rule it still has them in memory: they are read and written again, which makes them dirty.
 */

const PIECE = 1024 * 1024

/** Writes what stands in [from, to) over itself, as a process before us left it. */
export async function writeAgain(file: StorageFile, from: number, to: number): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(Math.min(Math.max(to - from, 0), PIECE))
  for (let at = from; at < to; ) {
    const count = await file.read(at, piece.subarray(0, Math.min(piece.length, to - at)))
    if (count === 0) throw gone(at)
    await file.write(at, piece.subarray(0, count))
    at += count
  }
}

/** The same for records that we wrote: they are still what we wrote, or it rejects. */
export async function writeRecordsAgain(
  file: StorageFile,
  place: RecordPlace,
  from: number,
  to: number,
): Promise<void> {
  for (let at = from; at < to; ) {
    const head = Buffer.alloc(HEADER_LENGTH)
    await file.read(at, head)
    const header = parseHeader(head, 0)
    const total = HEADER_LENGTH + (header?.length ?? 0)
    const record = Buffer.allocUnsafeSlow(Math.min(total, to - at))
    await file.read(at, record)
    if (header === undefined || record.length < total || !verifyRecord(record, 0, header, place, at)) throw gone(at)
    await file.write(at, record)
    at += total
  }
}

function gone(at: number): Error {
  return Object.assign(new Error(`what was written at ${at} is gone after a failed sync`), { code: 'EIO' })
}
