import type { Request } from '../resp/request.js'
import { EntryId } from '../stream/entry-id.js'
import { CommandError, notAnInteger } from './command.js'

const I64_MAX = 9223372036854775807n
const I64_MIN = -9223372036854775808n
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/

/** A signed 64-bit decimal as Redis takes it: no blanks, no plus, no leading zeros. */
export function parseInteger(text: string): bigint | undefined {
  if (!INTEGER.test(text)) return undefined
  const value = BigInt(text)
  return value > I64_MAX || value < I64_MIN ? undefined : value
}

/** Argument `i`, a signed 64-bit integer, as a number: exact up to 2^53. `refusal` replaces the usual error. */
export function integer(request: Request, i: number, refusal?: string): number {
  const start = request.start(i)
  const end = request.end(i)
  const { bytes } = request
  // The everyday case, without a string: up to 15 digits, no sign.
  const digits = end - start
  if (digits > 0 && digits <= 15 && (bytes[start] !== 48 || digits === 1)) {
    let value = 0
    let at = start
    for (; at < end; at++) {
      const digit = bytes[at] - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at === end) return value
  }
  const value = parseInteger(request.string(i))
  if (value === undefined) throw refusal === undefined ? notAnInteger() : new CommandError(`ERR ${refusal}`)
  return Number(value)
}

/** A double as C's strtod reads it, as far as Redis takes the result; undefined for NaN and anything else. */
export function parseDouble(text: string): number | undefined {
  const match = /^([+-]?)(?:(inf|infinity)|(0x[0-9a-f]+)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?))$/i.exec(text)
  if (match === null) return undefined
  const magnitude =
    match[2] !== undefined ? Number.POSITIVE_INFINITY : match[3] !== undefined ? Number(match[3]) : Number(match[4])
  return match[1] === '-' ? -magnitude : magnitude
}

export function double(request: Request, i: number, refusal = 'ERR value is not a valid float'): number {
  const value = parseDouble(request.string(i))
  if (value === undefined) throw new CommandError(refusal)
  return value
}

export function invalidId(): CommandError {
  return new CommandError('ERR Invalid stream ID specified as stream command argument')
}

/** `ms-seq` or `ms` (sequence 0). */
export function entryId(request: Request, i: number): EntryId {
  const id = new EntryId()
  readEntryId(request, i, id)
  return id
}

/** As `entryId`, into `out`. */
export function readEntryId(request: Request, i: number, out: EntryId): void {
  if (out.readBytes(request.bytes, request.start(i), request.end(i))) return
  const id = EntryId.parse(request.string(i))
  if (id === undefined) throw invalidId()
  out.set(id)
}

/** As `entryId`, taking `-` and `+`, too. */
export function rangeId(request: Request, i: number, missing: 'min' | 'max' = 'min'): EntryId {
  return parseRangeId(request.string(i), missing)
}

function parseRangeId(text: string, missing: 'min' | 'max'): EntryId {
  if (text === '-') return EntryId.zero()
  if (text === '+') return EntryId.max()
  const id = EntryId.parse(text, missing)
  if (id === undefined) throw invalidId()
  return id
}

/** The lower end of an interval, as the first ID inside it: `(id` begins behind id. */
export function intervalStart(text: string): EntryId {
  if (text.length < 2 || text[0] !== '(') return parseRangeId(text, 'min')
  const id = EntryId.parse(text.slice(1))
  if (id === undefined) throw invalidId()
  if (!id.increment()) throw new CommandError('ERR invalid start ID for the interval')
  return id
}

/** The upper end of an interval, as the last ID inside it. */
export function intervalEnd(text: string): EntryId {
  if (text.length < 2 || text[0] !== '(') return parseRangeId(text, 'max')
  const id = EntryId.parse(text.slice(1), 'max')
  if (id === undefined) throw invalidId()
  if (!id.decrement()) throw new CommandError('ERR invalid end ID for the interval')
  return id
}

/** Milliseconds to wait; Infinity for 0, which means for ever. */
export function timeout(request: Request, i: number): number {
  const value = integer(request, i, 'timeout is not an integer or out of range')
  if (value < 0) throw new CommandError('ERR timeout is negative')
  return value === 0 ? Number.POSITIVE_INFINITY : value
}
