import type { StorageFile } from '../io/storage.js'
import { Request } from '../resp/request.js'
import { parseCommand } from './command.js'
import type { DamageKind } from './errors.js'
import type { Stop } from './reader.js'
import {
  HEADER_LENGTH,
  isCutHeader,
  parseHeader,
  type RecordHeader,
  type RecordPlace,
  resemblesHeader,
  verifyAsLast,
  verifyRecord,
} from './record.js'
import { Window } from './window.js'

const SECTOR = 512
/** How far behind unchecked damage whole commands are looked for. */
const RESYNC_LIMIT = 64 * 1024 * 1024

/** What the bytes from `offset` to the end of the file are. */
export interface Damage {
  offset: number
  kind: DamageKind
  detail: string
  /**
   * tail: a crash explains it, and nothing acknowledged as durable lies behind `offset`; it may be cut off.
   * middle: it would take acknowledged effects with it.
   */
  place: 'tail' | 'middle'
  /** Bytes from `offset` to the end of the file. */
  length: number
}

/**
 * Judges why reading stopped. The file is a tail's last only if
 *
 *   1. no sound record stands behind the damage, or
 *   2. those that do were never known to be synced beyond it, and what is missing are lost sectors or ends of sectors
 *      (zeros): unsynced writes reached the medium out of order; and
 *   3. no whole commands that Redis appended later stand behind it, nor records whose place the damage has moved.
 */
export async function assessDamage(file: StorageFile, place: RecordPlace, size: number, stop: Stop): Promise<Damage> {
  const { offset } = stop
  const window = new Window(file, size)
  await window.need(offset, Math.min(HEADER_LENGTH, size - offset))
  const header = size - offset >= HEADER_LENGTH ? parseHeader(window.bytes, window.at(offset)) : undefined
  const rest = await surveyRest(file, place, offset, size)

  let kind: DamageKind = stop.kind
  if (rest.lastByte < size - 1) kind = 'zero-filled'
  else if (kind === 'checksum' && header !== undefined && offset >= HEADER_LENGTH + header.length) {
    const before = offset - HEADER_LENGTH - header.length
    await window.need(offset, HEADER_LENGTH + header.length)
    if (verifyRecord(window.bytes, window.at(offset), header, place, before)) kind = 'duplicated'
  }

  let middle: string | undefined
  if (stop.kind === 'unfinished-transaction') {
    // Everything behind MULTI was read and is sound.
  } else if (rest.nextRecord >= 0) {
    const lostSector = await holdsLostSector(file, offset, rest.nextRecord)
    if (rest.synced > offset) middle = `sound records follow at ${rest.nextRecord}, written when this one was synced`
    else if (!lostSector) middle = `sound records follow at ${rest.nextRecord}, and no lost sector explains it`
  } else if (rest.displaced >= 0) {
    middle = `records follow at ${rest.displaced} that are not in their place`
  } else {
    const follows = await commandsBehind(file, window, place, offset, size)
    if (follows >= 0) middle = `whole commands follow at ${follows}`
  }
  return {
    offset,
    kind,
    detail: middle === undefined ? stop.detail : `${stop.detail}; ${middle}`,
    place: middle === undefined ? 'tail' : 'middle',
    length: size - offset,
  }
}

/**
 * Where commands that no checksum covers stand behind the damage; −1 = nowhere. Commands inside the damaged record
 * itself do not count, they are lost with it.
 */
async function commandsBehind(
  file: StorageFile,
  window: Window,
  place: RecordPlace,
  offset: number,
  size: number,
): Promise<number> {
  const start = window.at(offset)
  if (window.bytes[start] === 0) return -1
  const header = size - offset >= HEADER_LENGTH ? parseHeader(window.bytes, start) : undefined
  if (header !== undefined) {
    const behind = offset + HEADER_LENGTH + header.length
    if (behind >= size || (await wholeCommands(file, behind, size)) !== behind) return -1
    // Or is it the announced length that is wrong, and the record the last one?
    if (size - offset <= RESYNC_LIMIT) {
      await window.need(offset, size - offset)
      if (verifyAsLast(window.bytes, window.at(offset), size - offset, place, offset)) return -1
    }
    return behind
  }
  const length = Math.min(HEADER_LENGTH, size - offset)
  if (resemblesHeader(window.bytes, start, length)) return -1
  if (isCutHeader(window.bytes, start, Math.min(SECTOR - (offset % SECTOR), size - offset))) return -1
  return wholeCommands(file, offset + 1, size)
}

interface Rest {
  /** Offset of the last byte that is not NUL; −1 when there is none. */
  lastByte: number
  /** Offset of the first sound record behind the damage; −1 = none. */
  nextRecord: number
  /** The largest synced length that a sound record behind the damage knows. */
  synced: number
  /** Offset of a whole record that belongs behind the damage, but to another offset; −1 = none. */
  displaced: number
}

async function surveyRest(file: StorageFile, place: RecordPlace, offset: number, size: number): Promise<Rest> {
  const rest: Rest = { lastByte: -1, nextRecord: -1, synced: 0, displaced: -1 }
  const window = new Window(file, size)
  let at = offset
  while (at < size) {
    await window.need(at, Math.min(size - at, SECTOR * 128))
    const { bytes, end } = window
    const start = window.at(at)
    const shift = at - start
    // A header may be cut by the window's end: those few bytes are looked at again with the next piece.
    const stop = window.complete ? end : end - HEADER_LENGTH
    let last = stop - 1
    while (last >= start && bytes[last] === 0) last--
    if (last >= start) rest.lastByte = last + shift
    let next = bytes.indexOf('#c:', start, 'latin1')
    let resume = stop + shift
    while (next >= 0 && next < stop) {
      const candidate = next + shift
      const header = candidate > offset && next + HEADER_LENGTH <= end ? parseHeader(bytes, next) : undefined
      if (header !== undefined && candidate + HEADER_LENGTH + header.length <= size) {
        const whole = new Window(file, size)
        await whole.need(candidate, HEADER_LENGTH + header.length)
        if (verifyRecord(whole.bytes, whole.at(candidate), header, place, candidate)) {
          if (rest.nextRecord < 0) rest.nextRecord = candidate
          rest.synced = Math.max(rest.synced, header.synced)
          // A sound record's bytes need no further look; its last byte is a line feed.
          resume = candidate + HEADER_LENGTH + header.length
          rest.lastByte = resume - 1
          break
        }
        if (rest.displaced < 0 && isDisplaced(whole, candidate, header, place, offset)) rest.displaced = candidate
      }
      next = bytes.indexOf('#c:', next + 1, 'latin1')
    }
    at = resume
  }
  return rest
}

/**
 * Was this record written behind the damage, with what stands there now synced? With `always` a record knows its own
 * offset as the synced length; otherwise whole commands have to do as evidence.
 */
function isDisplaced(
  window: Window,
  candidate: number,
  header: RecordHeader,
  place: RecordPlace,
  offset: number,
): boolean {
  const { bytes } = window
  let at = window.at(candidate)
  if (header.synced < offset) return false
  if (verifyRecord(bytes, at, header, place, header.synced)) return true
  if (header.synced === offset) return false
  const end = at + HEADER_LENGTH + header.length
  const request = new Request()
  at += HEADER_LENGTH
  while (at >= 0 && at < end) at = parseCommand(bytes, at, end, request)
  return at === end
}

/**
 * Is there a sector in `[from, to)` that ends in zeros? So reads what never reached the medium, or reached it when less of
 * the sector was filled.
 */
async function holdsLostSector(file: StorageFile, from: number, to: number): Promise<boolean> {
  const window = new Window(file, to)
  for (let at = from - (from % SECTOR) + SECTOR; at <= to; at += SECTOR) {
    await window.need(at - 1, 1)
    if (window.bytes[window.at(at - 1)] === 0) return true
  }
  return false
}

/** The first offset at or behind `from` where a line begins from which on only whole commands stand; −1 = none. */
async function wholeCommands(file: StorageFile, from: number, size: number): Promise<number> {
  const length = Math.min(size - from, RESYNC_LIMIT)
  const window = new Window(file, size)
  await window.need(from, length)
  const bytes = window.bytes
  const start = window.at(from)
  const end = start + length
  const request = new Request()
  for (let at = start; at >= 0 && at < end; at = bytes.indexOf('\n*', at, 'latin1') + 1 || -1) {
    let next = parseCommand(bytes, at, end, request)
    if (next < 0) continue
    while (next < end) {
      const more = parseCommand(bytes, next, end, request)
      if (more < 0) break
      next = more
    }
    if (next >= end || (length === RESYNC_LIMIT && next > start + length / 2)) return from + at - start
  }
  return -1
}
