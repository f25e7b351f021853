import { crc32 } from 'node:zlib'

/**
 * A record is what one write brings to an append-only file: a header in the form of an annotation line, which Redis
 * skips, and whole effects (RESP commands), whole transactions included.
 *
 *     #c:1f6e03b2:00000049:000000001a40\r\n   *3\r\n$4\r\nXACK\r\n…
 *        │        │        │               └ `length` bytes of effects
 *        │        │        └ 12 hex digits: bytes of this file known to be synced when the record was written
 *        │        └ 8 hex digits: length of the effects in bytes
 *        └ 8 hex digits: CRC-32 over 17 bytes that are not in the file (sequence of the file as u64le, offset of the
 *          header as u64le, type of the file as one letter), then over everything behind these digits
 *
 * The place is part of the sum, so a record that was written twice, landed elsewhere or came back from a deleted file
 * of the same name does not match. Digits are lower-case.
 */
export const HEADER_LENGTH = 35

/** Where a record stands: which file of the manifest. */
export interface RecordPlace {
  sequence: number
  type: 'b' | 'i'
}

const COVERED_FROM = 11
const salt = Buffer.alloc(17)

function checksum(place: RecordPlace, offset: number, bytes: Buffer, start: number, end: number): number {
  salt.writeBigUInt64LE(BigInt(place.sequence), 0)
  salt.writeBigUInt64LE(BigInt(offset), 8)
  salt[16] = place.type.charCodeAt(0)
  return crc32(bytes.subarray(start + COVERED_FROM, end), crc32(salt))
}

/** Fills the header of the record `bytes[0, end)`, whose effects begin at HEADER_LENGTH and which goes to `offset`. */
export function sealRecord(bytes: Buffer, end: number, place: RecordPlace, offset: number, synced: number): void {
  const length = (end - HEADER_LENGTH).toString(16).padStart(8, '0')
  bytes.write(`#c:00000000:${length}:${synced.toString(16).padStart(12, '0')}\r\n`, 0, 'latin1')
  bytes.write(checksum(place, offset, bytes, 0, end).toString(16).padStart(8, '0'), 3, 'latin1')
}

export interface RecordHeader {
  checksum: number
  /** Bytes of effects behind the header. */
  length: number
  /** Bytes of the file that were synced when the record was written. */
  synced: number
}

/** The header at `at`; undefined when the 35 bytes are not one. Nothing in it is verified yet. */
export function parseHeader(bytes: Buffer, at: number): RecordHeader | undefined {
  if (
    bytes[at] !== 35 ||
    bytes[at + 1] !== 99 ||
    bytes[at + 2] !== 58 ||
    bytes[at + 11] !== 58 ||
    bytes[at + 20] !== 58 ||
    bytes[at + 33] !== 13 ||
    bytes[at + 34] !== 10
  ) {
    return undefined
  }
  const header = { checksum: hex(bytes, at + 3, 8), length: hex(bytes, at + 12, 8), synced: hex(bytes, at + 21, 12) }
  return header.checksum < 0 || header.length < 0 || header.synced < 0 ? undefined : header
}

/** Is the whole record at `bytes[at …]`, with this header, what was written to `offset` of that file? */
export function verifyRecord(
  bytes: Buffer,
  at: number,
  header: RecordHeader,
  place: RecordPlace,
  offset: number,
): boolean {
  return checksum(place, offset, bytes, at, at + HEADER_LENGTH + header.length) === header.checksum
}

/** As `verifyRecord`, but for a record of `total` bytes whatever length its header announces. */
export function verifyAsLast(bytes: Buffer, at: number, total: number, place: RecordPlace, offset: number): boolean {
  const copy = Buffer.from(bytes.subarray(at, at + total))
  const length = (total - HEADER_LENGTH).toString(16).padStart(8, '0')
  copy.write(length, 12, 'latin1')
  return checksum(place, offset, copy, 0, total) === hex(copy, 3, 8)
}

/** Could these bytes be a header in which a few bits changed? */
export function resemblesHeader(bytes: Buffer, at: number, length: number): boolean {
  let matching = 0
  for (let i = 0; i < length; i++) {
    if (fits(bytes[at + i], i)) matching++
  }
  return length > 3 && matching >= length - 3
}

/** Do these bytes, up to the end of the sector, begin as a header does and go on with the zeros of a write that was lost? */
export function isCutHeader(bytes: Buffer, at: number, length: number): boolean {
  let visible = 0
  while (visible < Math.min(length, HEADER_LENGTH) && fits(bytes[at + visible], visible)) visible++
  if (visible === 0 || visible === HEADER_LENGTH || visible === length) return visible === length
  for (let i = visible; i < length; i++) if (bytes[at + i] !== 0) return false
  return true
}

function fits(byte: number, position: number): boolean {
  const expected = SHAPE.charCodeAt(position)
  return expected === HEX ? (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102) : byte === expected
}

/** `h` stands for a hex digit. */
const SHAPE = '#c:hhhhhhhh:hhhhhhhh:hhhhhhhhhhhh\r\n'
const HEX = 104

function hex(bytes: Buffer, at: number, digits: number): number {
  let value = 0
  for (let i = at; i < at + digits; i++) {
    const byte = bytes[i]
    if (byte >= 48 && byte <= 57) value = value * 16 + byte - 48
    else if (byte >= 97 && byte <= 102) value = value * 16 + byte - 87
    else return -1
  }
  return value
}
