import type { EntryId } from '../stream/entry-id.js'

/**
 * Entry IDs as bulk strings (`$15\r\n1700000000000-0\r\n`), one behind another: written once, they are copied into the
 * reply and into the effect. The milliseconds of consecutive IDs are mostly the same and are kept.
 */
export class IdText {
  bytes = Buffer.allocUnsafeSlow(1024)
  /** End of what was written. */
  length = 0
  count = 0

  #msHi = -1
  #msLo = -1
  /** Digits of the milliseconds kept, and the dash. */
  readonly #ms = Buffer.allocUnsafeSlow(24)
  #msLength = 0

  clear(): void {
    this.length = 0
    this.count = 0
  }

  /** Appends one and answers where it begins. */
  add(id: EntryId): number {
    const from = this.length
    if (from + 64 > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2)
      this.bytes.copy(larger, 0, 0, from)
      this.bytes = larger
    }
    if (id.msLo !== this.#msLo || id.msHi !== this.#msHi) this.#keep(id)
    const { bytes } = this
    const ms = this.#ms
    const msLength = this.#msLength
    const seq = id.seqLo
    let at: number
    if (id.seqHi === 0 && seq < 1000) {
      const digits = seq < 10 ? 1 : seq < 100 ? 2 : 3
      at = this.#header(from, msLength + digits)
      for (let i = 0; i < msLength; i++) bytes[at++] = ms[i]
      if (digits === 3) bytes[at++] = 48 + ((seq / 100) | 0)
      if (digits > 1) bytes[at++] = 48 + (((seq / 10) | 0) % 10)
      bytes[at++] = 48 + (seq % 10)
    } else {
      const text = id.seqHi < 0x200000 ? String(id.seq) : String((BigInt(id.seqHi) << 32n) | BigInt(seq))
      at = this.#header(from, msLength + text.length)
      for (let i = 0; i < msLength; i++) bytes[at++] = ms[i]
      for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    }
    bytes[at++] = 13
    bytes[at++] = 10
    this.length = at
    this.count++
    return from
  }

  #header(at: number, size: number): number {
    const { bytes } = this
    bytes[at++] = 36
    if (size >= 10) bytes[at++] = 48 + ((size / 10) | 0)
    bytes[at++] = 48 + (size % 10)
    bytes[at++] = 13
    bytes[at++] = 10
    return at
  }

  #keep(id: EntryId): void {
    this.#msHi = id.msHi
    this.#msLo = id.msLo
    const text = id.msHi < 0x200000 ? String(id.ms) : String((BigInt(id.msHi) << 32n) | BigInt(id.msLo))
    this.#msLength = this.#ms.write(`${text}-`, 'latin1')
  }
}
