import type { EntryId } from './entry-id.js'

/**
 * How many bytes an entry takes in Redis' listpack. The log does not store listpacks, but where one node ends and the
 * next begins decides what `~` trimming removes and what XINFO STREAM counts, so nodes are weighed as Redis weighs them.
 *
 *     node  = 6 header | live | deleted | fields n | field × n | 0 | entry … | 1 end
 *     entry = flags | ms - base | seq - base | values, when the fields are those of the node's first entry   | elements
 *             flags | ms - base | seq - base | fields n | (field value) × n                                  | elements
 *
 * Every element is an integer of 1 to 9 bytes or a string with 1, 2 or 5 bytes of length, and its own length again
 * in 1 to 5 bytes behind it, for walking backwards. A text that is a canonical 64-bit integer is kept as an integer.
 */
export interface EntrySize {
  /** Bytes of the names and values themselves. */
  payload: number
  /** Bytes of the entry in the node. */
  entry: number
  /** Bytes of the node's list of field names, should this be its first entry. */
  master: number
}

/** What an empty node takes without its two counters. */
export const NODE_FRAME = 7

/** The longest listpack Redis makes, whatever the limits say. */
export const NODE_MOST = 1 << 30

/**
 * Measures the field list source[start…] of `fieldCount` pairs against the field list of the node's first entry
 * (masterBytes[masterStart…], masterCount pairs). `out.entry` lacks the two ID deltas: add idSize().
 */
export function measureFields(
  source: Buffer,
  start: number,
  fieldCount: number,
  masterBytes: Buffer | null,
  masterStart: number,
  masterCount: number,
  out: EntrySize,
): void {
  let at = start
  let masterAt = masterStart
  let same = masterBytes === null || masterCount === fieldCount
  let payload = 0
  let fields = 0
  let values = 0
  for (let i = 0; i < fieldCount; i++) {
    for (let part = 0; part < 2; part++) {
      let length = 0
      const head = at++
      for (let byte = source[at]; byte !== CR; byte = source[++at]) length = length * 10 + byte - ZERO
      at += 2
      payload += length
      const size = stringSize(source, at, length)
      if (part === 0) fields += size
      else values += size
      at += length + 2
      if (same && masterBytes !== null) {
        if (part === 0) {
          if (!sameBytes(source, head, at, masterBytes, masterAt)) same = false
          else masterAt += at - head
        } else {
          masterAt = skip(masterBytes, masterAt)
        }
      }
    }
  }
  out.payload = payload
  out.master = integerSize(fieldCount) + fields + TINY
  out.entry = same
    ? TINY + values + integerSize(fieldCount + 3)
    : TINY + integerSize(fieldCount) + fields + values + integerSize(fieldCount * 2 + 4)
}

/** Bytes of an entry's two ID deltas. */
export function idSize(base: EntryId, id: EntryId): number {
  return (
    integerSize((id.msHi - base.msHi) * TWO_32 + id.msLo - base.msLo) +
    integerSize((id.seqHi - base.seqHi) * TWO_32 + id.seqLo - base.seqLo)
  )
}

/** Bytes of an integer element with its backward length. */
export function integerSize(value: number): number {
  if (value >= 0 && value <= 127) return TINY
  if (value >= -4096 && value <= 4095) return 3
  if (value >= -0x8000 && value <= 0x7fff) return 4
  if (value >= -0x800000 && value <= 0x7fffff) return 5
  if (value >= -0x80000000 && value <= 0x7fffffff) return 6
  return 10
}

function stringSize(bytes: Buffer, at: number, length: number): number {
  if (length <= 20 && length > 0) {
    const first = bytes[at]
    if (first === MINUS || (first >= ZERO && first <= NINE)) {
      const value = canonicalInteger(bytes, at, length)
      if (value !== undefined) return integerSize(value)
    }
  }
  const encoded = length < 64 ? length + 1 : length < 4096 ? length + 2 : length + 5
  if (encoded <= 127) return encoded + 1
  if (encoded < 16383) return encoded + 2
  if (encoded < 2097151) return encoded + 3
  if (encoded < 268435455) return encoded + 4
  return encoded + 5
}

/** The number a text stands for when it is a 64-bit signed integer written the one canonical way. */
function canonicalInteger(bytes: Buffer, at: number, length: number): number | undefined {
  const negative = bytes[at] === MINUS
  const digits = negative ? length - 1 : length
  const from = negative ? at + 1 : at
  if (digits === 0 || digits > 19) return undefined
  if (bytes[from] === ZERO) return length === 1 ? 0 : undefined
  let value = 0
  for (let i = from; i < from + digits; i++) {
    const digit = bytes[i] - ZERO
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  if (digits === 19) {
    const text = bytes.toString('latin1', from, from + digits)
    if (text > (negative ? '9223372036854775808' : '9223372036854775807')) return undefined
  }
  return negative ? -value : value
}

function sameBytes(a: Buffer, start: number, end: number, b: Buffer, at: number): boolean {
  while (start < end) if (a[start++] !== b[at++]) return false
  return true
}

/** Past one bulk string. */
function skip(bytes: Buffer, at: number): number {
  let length = 0
  for (let byte = bytes[++at]; byte !== CR; byte = bytes[++at]) length = length * 10 + byte - ZERO
  return at + 2 + length + 2
}

const TINY = 2
const TWO_32 = 4294967296
const CR = 13
const MINUS = 45
const ZERO = 48
const NINE = 57
