/**
 * An entry ID: milliseconds and sequence, two unsigned 64-bit numbers, each held as two unsigned 32-bit halves so
 * that neither comparing nor counting allocates. Mutable: owners copy with `set`, nobody keeps another's.
 */
export class EntryId {
  constructor(
    public msHi = 0,
    public msLo = 0,
    public seqHi = 0,
    public seqLo = 0,
  ) {}

  static zero(): EntryId {
    return new EntryId()
  }

  static max(): EntryId {
    return new EntryId(MAX, MAX, MAX, MAX)
  }

  static of(ms: number, seq = 0): EntryId {
    return new EntryId(Math.floor(ms / TWO_32), ms >>> 0, Math.floor(seq / TWO_32), seq >>> 0)
  }

  set(other: EntryId): this {
    this.msHi = other.msHi
    this.msLo = other.msLo
    this.seqHi = other.seqHi
    this.seqLo = other.seqLo
    return this
  }

  clone(): EntryId {
    return new EntryId(this.msHi, this.msLo, this.seqHi, this.seqLo)
  }

  compare(other: EntryId): number {
    return this.msHi - other.msHi || this.msLo - other.msLo || this.seqHi - other.seqHi || this.seqLo - other.seqLo
  }

  equals(other: EntryId): boolean {
    return (
      this.seqLo === other.seqLo && this.msLo === other.msLo && this.msHi === other.msHi && this.seqHi === other.seqHi
    )
  }

  isZero(): boolean {
    return this.msHi === 0 && this.msLo === 0 && this.seqHi === 0 && this.seqLo === 0
  }

  isMax(): boolean {
    return this.msHi === MAX && this.msLo === MAX && this.seqHi === MAX && this.seqLo === MAX
  }

  /** The next ID, carrying into the milliseconds; false (and unchanged) at the last possible one. */
  increment(): boolean {
    if (this.isMax()) return false
    if (this.seqLo !== MAX) this.seqLo++
    else {
      this.seqLo = 0
      if (this.seqHi !== MAX) this.seqHi++
      else {
        this.seqHi = 0
        if (this.msLo !== MAX) this.msLo++
        else {
          this.msLo = 0
          this.msHi++
        }
      }
    }
    return true
  }

  /** The previous ID; false (and unchanged) at 0-0. */
  decrement(): boolean {
    if (this.isZero()) return false
    if (this.seqLo !== 0) this.seqLo--
    else {
      this.seqLo = MAX
      if (this.seqHi !== 0) this.seqHi--
      else {
        this.seqHi = MAX
        if (this.msLo !== 0) this.msLo--
        else {
          this.msLo = MAX
          this.msHi--
        }
      }
    }
    return true
  }

  /** Milliseconds as a number: exact below 2^53, which is all that a clock gives. */
  get ms(): number {
    return this.msHi * TWO_32 + this.msLo
  }

  get seq(): number {
    return this.seqHi * TWO_32 + this.seqLo
  }

  toString(): string {
    // IDs made into text one after another mostly share their milliseconds.
    if (this.msLo !== textLo || this.msHi !== textHi) {
      textHi = this.msHi
      textLo = this.msLo
      textOfMs = `${decimal(textHi, textLo)}-`
    }
    return textOfMs + decimal(this.seqHi, this.seqLo)
  }

  /**
   * Takes the ID that stands plainly in bytes[start, end): `ms-seq`, at most 15 digits each. False for everything else,
   * right or wrong: `parse` knows. Nothing is allocated.
   */
  readBytes(bytes: Uint8Array, start: number, end: number): boolean {
    let ms = 0
    let at = start
    for (; at < end; at++) {
      const digit = bytes[at] - 48
      if (digit < 0 || digit > 9) break
      ms = ms * 10 + digit
    }
    if (at === start || at - start > 15 || end - at < 2 || end - at > 16 || bytes[at] !== DASH) return false
    let seq = 0
    while (++at < end) {
      const digit = bytes[at] - 48
      if (digit < 0 || digit > 9) return false
      seq = seq * 10 + digit
    }
    this.#take(ms, seq)
    return true
  }

  /** As `readBytes`. */
  readText(text: string): boolean {
    const end = text.length
    let ms = 0
    let at = 0
    for (; at < end; at++) {
      const digit = text.charCodeAt(at) - 48
      if (digit < 0 || digit > 9) break
      ms = ms * 10 + digit
    }
    if (at === 0 || at > 15 || end - at < 2 || end - at > 16 || text.charCodeAt(at) !== DASH) return false
    let seq = 0
    while (++at < end) {
      const digit = text.charCodeAt(at) - 48
      if (digit < 0 || digit > 9) return false
      seq = seq * 10 + digit
    }
    this.#take(ms, seq)
    return true
  }

  #take(ms: number, seq: number): void {
    this.msHi = ms < TWO_32 ? 0 : Math.floor(ms / TWO_32)
    this.msLo = ms >>> 0
    this.seqHi = seq < TWO_32 ? 0 : Math.floor(seq / TWO_32)
    this.seqLo = seq >>> 0
  }

  /**
   * `ms-seq` or `ms`; the sequence of a bare `ms` is `missing` ('min' = 0, 'max' = 2^64-1). Undefined when it is no ID.
   * As lax as Redis: leading blanks, zeros and a plus are taken (checked on 7.0.15), at most 127 bytes.
   */
  static parse(text: string, missing: 'min' | 'max' = 'min'): EntryId | undefined {
    const plain = new EntryId()
    if (plain.readText(text)) return plain
    if (text.length > 127) return undefined
    const dash = text.indexOf('-')
    const id = new EntryId()
    if (dash < 0) {
      if (!halves(text, scratch)) return undefined
      id.msHi = scratch[0]
      id.msLo = scratch[1]
      if (missing === 'max') id.seqHi = id.seqLo = MAX
      return id
    }
    if (!halves(text.slice(0, dash), scratch)) return undefined
    id.msHi = scratch[0]
    id.msLo = scratch[1]
    if (!halves(text.slice(dash + 1), scratch)) return undefined
    id.seqHi = scratch[0]
    id.seqLo = scratch[1]
    return id
  }
}

const DASH = 45
const MAX = 0xffffffff
const TWO_32 = 4294967296
const U64_MAX = 18446744073709551615n
const scratch: [number, number] = [0, 0]

let textHi = 0
let textLo = 0
let textOfMs = '0-'

function decimal(hi: number, lo: number): string {
  if (hi === 0 && lo < 1000000000) return String(lo)
  if (hi < 0x200000) {
    // In two halves: the text of a number that does not fit 31 bits is made digit by exact digit, five times as slowly.
    const value = hi * TWO_32 + lo
    const upper = Math.floor(value / 100000000)
    return String(upper) + String(value - upper * 100000000 + 100000000).slice(1)
  }
  return String((BigInt(hi) << 32n) | BigInt(lo))
}

/** Parses an unsigned 64-bit decimal into [hi, lo]. */
function halves(text: string, out: [number, number]): boolean {
  const digits = /^\s*\+?(\d+)$/.exec(text)?.[1]
  if (digits === undefined) return false
  if (digits.length <= 15) {
    const value = Number(digits)
    out[0] = Math.floor(value / TWO_32)
    out[1] = value >>> 0
    return true
  }
  const value = BigInt(digits)
  if (value > U64_MAX) return false
  out[0] = Number(value >> 32n)
  out[1] = Number(value & 0xffffffffn)
  return true
}
