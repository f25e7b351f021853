import type { EntryId } from '../stream/entry-id.js'

/** The longest ID as a bulk string: `$41\r\n`, two numbers of 20 digits and a dash, CRLF. */
export const ID_ROOM = 5 + 41 + 2

/** Digits of the milliseconds written last, and the dash: consecutive IDs mostly share them, or all but the last few. */
const prefix = Buffer.allocUnsafeSlow(24)
let prefixLength = 0
let prefixHi = -1
let prefixLo = -1

/** Writes an ID as a bulk string (`$15\r\n1700000000000-0\r\n`) and returns where it ends; ID_ROOM bytes must be free. */
export function putId(bytes: Buffer, at: number, id: EntryId): number {
  if (id.msLo !== prefixLo || id.msHi !== prefixHi) keepPrefix(id)
  const { seqHi, seqLo } = id
  const small = seqHi === 0 && seqLo < 1000000000
  const text = small ? '' : String((BigInt(seqHi) << 32n) | BigInt(seqLo))
  const digits = small ? countDigits(seqLo) : text.length
  const size = prefixLength + digits
  bytes[at++] = 36
  if (size >= 10) bytes[at++] = 48 + ((size / 10) | 0)
  bytes[at++] = 48 + (size % 10)
  bytes[at++] = 13
  bytes[at++] = 10
  for (let i = 0; i < prefixLength; i++) bytes[at++] = prefix[i]
  if (small) putDigits(bytes, at, seqLo, digits)
  else bytes.write(text, at, 'latin1')
  at += digits
  bytes[at++] = 13
  bytes[at++] = 10
  return at
}

/** Most numbers are cut in two halves below 2^31: dividing small integers is far cheaper than making text of a double. */
function keepPrefix({ msHi, msLo }: EntryId): void {
  prefixHi = msHi
  prefixLo = msLo
  if (msHi >= 0x200000) {
    prefixLength = prefix.write(`${(BigInt(msHi) << 32n) | BigInt(msLo)}-`, 'latin1')
    return
  }
  const ms = msHi * 4294967296 + msLo
  const upper = Math.floor(ms / 100000000)
  const lower = (ms - upper * 100000000) | 0
  const upperDigits = upper === 0 ? 0 : countDigits(upper)
  const lowerDigits = upper === 0 ? countDigits(lower) : 8
  putDigits(prefix, 0, upper, upperDigits)
  putDigits(prefix, upperDigits, lower, lowerDigits)
  prefixLength = upperDigits + lowerDigits
  prefix[prefixLength++] = 45
}

function countDigits(value: number): number {
  if (value < 10) return 1
  if (value < 100) return 2
  if (value < 1000) return 3
  if (value < 10000) return 4
  if (value < 100000) return 5
  if (value < 1000000) return 6
  if (value < 10000000) return 7
  return value < 100000000 ? 8 : 9
}

/** The last `digits` decimal digits of a number below 2^31. */
function putDigits(bytes: Buffer, at: number, value: number, digits: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    const rest = (value / 10) | 0
    bytes[i] = 48 + value - rest * 10
    value = rest
  }
}

/** Entry IDs as bulk strings, one behind another: arguments of an effect, written once. */
export class IdText {
  bytes = Buffer.allocUnsafeSlow(1024)
  /** End of what was written. */
  length = 0
  count = 0

  clear(): void {
    this.length = 0
    this.count = 0
  }

  add(id: EntryId): void {
    if (this.length + ID_ROOM > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2)
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    this.length = putId(this.bytes, this.length, id)
    this.count++
  }
}
