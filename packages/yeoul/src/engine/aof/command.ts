import type { Request } from '../resp/request.js'

/** The file ends before the command does. */
export const INCOMPLETE = -1
/** These bytes begin no command. */
export const MALFORMED = -2

/**
 * Reads the one command at `bytes[at, end)` into `request`, in place. Answers the offset behind it, INCOMPLETE or
 * MALFORMED. Stricter than a connection's parser: a log holds no inline commands, no empty ones, no odd numbers.
 */
export function parseCommand(bytes: Buffer, at: number, end: number, request: Request): number {
  if (at >= end) return INCOMPLETE
  if (bytes[at] !== 42) return MALFORMED
  let position = readNumber(bytes, at + 1, end)
  if (position < 0) return position
  const count = number
  if (count < 1) return MALFORMED
  request.reset(bytes, at)
  for (let i = 0; i < count; i++) {
    if (position >= end) return INCOMPLETE
    if (bytes[position] !== 36) return MALFORMED
    const start = readNumber(bytes, position + 1, end)
    if (start < 0) return start
    const stop = start + number
    if (stop + 2 > end) return INCOMPLETE
    if (bytes[stop] !== 13 || bytes[stop + 1] !== 10) return MALFORMED
    request.add(position, start, stop)
    position = stop + 2
  }
  return position
}

/** What `readNumber` read. */
let number = 0

/** Decimal digits and CR LF at `at`; answers the offset behind them. */
function readNumber(bytes: Buffer, at: number, end: number): number {
  let value = 0
  let i = at
  for (; i < end; i++) {
    const digit = bytes[i] - 48
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    if (value > 0x7fffffff) return MALFORMED
  }
  if (i >= end) return INCOMPLETE
  if (i === at || bytes[i] !== 13) return MALFORMED
  if (i + 1 >= end) return INCOMPLETE
  if (bytes[i + 1] !== 10) return MALFORMED
  number = value
  return i + 2
}
