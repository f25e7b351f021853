import { EntryId } from './entry-id.js'

/**
 * One entry in a segment. IDs are written against the base ID of the entry's node, so that every entry can be read by
 * itself, forwards and backwards; numbers are big-endian.
 *
 *     | shape | ms 0/1/2/8 | seq 0/1/2/8 | length 1-4 | pairs 0/1-4 | field list in RESP wire form: length bytes |
 *
 *     shape  bit 0    tombstone: the entry is deleted
 *            bit 1-2  bytes of ms:  0 = the base's; 1, 2 = base + delta; 3 = all 8 bytes
 *            bit 3-4  bytes of seq: the same; relative to the base's sequence while ms is the base's, else to 0
 *            bit 5-6  bytes of length, less one
 *            bit 7    pairs follows, as wide as length; otherwise the entry has one field
 *
 * The 200-byte message of one field at a steady rate takes 3 to 5 bytes beside its wire form.
 */
export const MAX_HEADER = 1 + 8 + 8 + 4 + 4

const TOMBSTONE = 1

/** Writes an entry at `at` (MAX_HEADER + end - start bytes must be free there) and returns where it ends. */
export function writeEntry(
  target: Buffer,
  at: number,
  base: EntryId,
  id: EntryId,
  source: Buffer,
  start: number,
  end: number,
  fieldCount: number,
): number {
  const shapeAt = at++
  let shape = 0

  const sameMs = id.msLo === base.msLo && id.msHi === base.msHi
  if (!sameMs) {
    // Below 2^16 the difference of the low halves, modulo 2^32, is the difference when the high halves agree with it.
    const delta = (id.msLo - base.msLo) >>> 0
    const carried = id.msLo < base.msLo ? base.msHi + 1 : base.msHi
    if (delta > 0xffff || id.msHi !== carried) {
      shape |= 3 << 1
      target.writeUInt32BE(id.msHi, at)
      target.writeUInt32BE(id.msLo, at + 4)
      at += 8
    } else if (delta > 0xff) {
      shape |= 2 << 1
      target[at++] = delta >>> 8
      target[at++] = delta
    } else {
      shape |= 1 << 1
      target[at++] = delta
    }
  }

  const from = sameMs ? base.seqLo : 0
  const step = (id.seqLo - from) >>> 0
  const carried = sameMs ? (id.seqLo < from ? base.seqHi + 1 : base.seqHi) : 0
  if (step > 0xffff || id.seqHi !== carried) {
    shape |= 3 << 3
    target.writeUInt32BE(id.seqHi, at)
    target.writeUInt32BE(id.seqLo, at + 4)
    at += 8
  } else if (step > 0xff) {
    shape |= 2 << 3
    target[at++] = step >>> 8
    target[at++] = step
  } else if (step > 0) {
    shape |= 1 << 3
    target[at++] = step
  }

  const length = end - start
  const width = length <= 0xff ? 1 : length <= 0xffff ? 2 : length <= 0xffffff ? 3 : 4
  shape |= (width - 1) << 5
  at = writeNumber(target, at, length, width)
  if (fieldCount !== 1) {
    shape |= 0x80
    at = writeNumber(target, at, fieldCount, width)
  }
  target[shapeAt] = shape

  // A call into the runtime costs more than copying a few bytes by hand.
  if (length < 40) while (start < end) target[at++] = source[start++]
  else at += source.copy(target, at, start, end)
  return at
}

export function markDeleted(bytes: Buffer, at: number): void {
  bytes[at] |= TOMBSTONE
}

/** Reads entries of one node; `id`, `live`, `fieldCount`, `start` and `end` describe the one read last. */
export class EntryReader {
  readonly base = new EntryId()
  readonly id = new EntryId()
  live = false
  fieldCount = 0
  /** bytes[start, end) is the field list; the next entry begins at `end`. */
  start = 0
  end = 0

  read(bytes: Buffer, at: number): void {
    const { base, id } = this
    const shape = bytes[at++]
    this.live = (shape & TOMBSTONE) === 0

    const ms = (shape >> 1) & 3
    let seqHi = 0
    let seqLo = 0
    if (ms === 0) {
      id.msHi = base.msHi
      id.msLo = base.msLo
      seqHi = base.seqHi
      seqLo = base.seqLo
    } else if (ms === 3) {
      id.msHi = bytes.readUInt32BE(at)
      id.msLo = bytes.readUInt32BE(at + 4)
      at += 8
    } else {
      const delta = ms === 1 ? bytes[at++] : (bytes[at++] << 8) | bytes[at++]
      id.msLo = (base.msLo + delta) >>> 0
      id.msHi = id.msLo < base.msLo ? base.msHi + 1 : base.msHi
    }

    const seq = (shape >> 3) & 3
    if (seq === 0) {
      id.seqHi = seqHi
      id.seqLo = seqLo
    } else if (seq === 3) {
      id.seqHi = bytes.readUInt32BE(at)
      id.seqLo = bytes.readUInt32BE(at + 4)
      at += 8
    } else {
      const delta = seq === 1 ? bytes[at++] : (bytes[at++] << 8) | bytes[at++]
      id.seqLo = (seqLo + delta) >>> 0
      id.seqHi = id.seqLo < seqLo ? seqHi + 1 : seqHi
    }

    const width = ((shape >> 5) & 3) + 1
    const length = readNumber(bytes, at, width)
    at += width
    if (shape & 0x80) {
      this.fieldCount = readNumber(bytes, at, width)
      at += width
    } else {
      this.fieldCount = 1
    }
    this.start = at
    this.end = at + length
  }
}

function writeNumber(target: Buffer, at: number, value: number, width: number): number {
  for (let shift = (width - 1) * 8; shift >= 0; shift -= 8) target[at++] = value >>> shift
  return at
}

function readNumber(bytes: Buffer, at: number, width: number): number {
  let value = 0
  for (const end = at + width; at < end; at++) value = value * 256 + bytes[at]
  return value
}
