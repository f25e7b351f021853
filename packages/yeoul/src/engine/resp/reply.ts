/**
 * Writes replies of one peer into one growing buffer, in RESP2 or RESP3 as the peer negotiated.
 *
 * Strings given here are latin1 (one character a byte), as everywhere inside the engine; `text` takes UTF-8.
 */
export class Reply {
  protocol: 2 | 3 = 2
  bytes: Buffer
  length = 0

  constructor(size = SMALL) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  simple(text: string): void {
    this.#line(43, text)
  }

  ok(): void {
    this.raw(OK, 0, 5)
  }

  /** `text` begins with its code: `ERR …`, `WRONGTYPE …`. Line breaks become blanks: a name must not forge a reply. */
  error(text: string): void {
    this.#line(45, text.replace(/[\r\n]/g, ' '))
  }

  integer(value: number | bigint): void {
    this.#line(58, String(value))
  }

  /** A bulk string of latin1 characters. */
  bulk(value: string): void {
    const size = value.length
    this.#header(36, size, size + 2)
    if (size < 24) {
      const bytes = this.bytes
      let at = this.length
      for (let i = 0; i < size; i++) bytes[at++] = value.charCodeAt(i)
      this.length = at
    } else {
      this.length += this.bytes.write(value, this.length, size, 'latin1')
    }
    this.#crlf()
  }

  /** A bulk string of Unicode text. */
  text(value: string): void {
    const bytes = Buffer.from(value)
    this.bulkBytes(bytes, 0, bytes.length)
  }

  bulkBytes(source: Buffer, start = 0, end: number = source.length): void {
    this.#header(36, end - start, end - start + 2)
    this.length += source.copy(this.bytes, this.length, start, end)
    this.#crlf()
  }

  /** RESP3 `=…txt:`; a bulk string in RESP2. `value` is UTF-8 text. */
  verbatim(value: string): void {
    if (this.protocol === 2) {
      this.text(value)
      return
    }
    const bytes = Buffer.from(value)
    this.#header(61, bytes.length + 4, bytes.length + 6)
    this.length += this.bytes.write('txt:', this.length, 'latin1')
    this.length += bytes.copy(this.bytes, this.length)
    this.#crlf()
  }

  /** The missing value: null bulk string in RESP2, null in RESP3. */
  nil(): void {
    if (this.protocol === 3) this.raw(NULL, 0, 3)
    else this.raw(NIL, 0, 5)
  }

  /** The missing aggregate: null array in RESP2, null in RESP3. */
  nilArray(): void {
    if (this.protocol === 3) this.raw(NULL, 0, 3)
    else this.raw(NIL_ARRAY, 0, 5)
  }

  array(count: number): void {
    this.#header(42, count, 0)
  }

  /** `pairs` keys and values follow: a map in RESP3, a flat array of twice the length in RESP2. */
  map(pairs: number): void {
    if (this.protocol === 3) this.#header(37, pairs, 0)
    else this.#header(42, pairs * 2, 0)
  }

  set(count: number): void {
    this.#header(this.protocol === 3 ? 126 : 42, count, 0)
  }

  push(count: number): void {
    this.#header(this.protocol === 3 ? 62 : 42, count, 0)
  }

  /** A double in RESP3, its shortest text in RESP2. */
  double(value: number): void {
    const text = Number.isNaN(value)
      ? 'nan'
      : value === Number.POSITIVE_INFINITY
        ? 'inf'
        : value === Number.NEGATIVE_INFINITY
          ? '-inf'
          : Object.is(value, -0)
            ? '-0'
            : formatDouble(value)
    if (this.protocol === 3) this.#line(44, text)
    else this.bulk(text)
  }

  boolean(value: boolean): void {
    if (this.protocol === 3) this.#line(35, value ? 't' : 'f')
    else this.integer(value ? 1 : 0)
  }

  /** Bytes that are RESP already. */
  raw(source: Buffer, start: number, end: number): void {
    this.reserve(end - start)
    if (end - start < 16) {
      const { bytes } = this
      let at = this.length
      for (let i = start; i < end; i++) bytes[at++] = source[i]
      this.length = at
    } else this.length += source.copy(this.bytes, this.length, start, end)
  }

  /**
   * Begins an array whose length is known only later: write the elements, then `closeArray(mark, count)`.
   * The header is inserted by moving the elements, so use it for small or rare arrays.
   */
  openArray(): number {
    return this.length
  }

  closeArray(mark: number, count: number): void {
    this.#insert(mark, `*${count}\r\n`)
  }

  /** As `closeArray`, for `pairs` keys and values written since `openArray`. */
  closeMap(mark: number, pairs: number): void {
    this.#insert(mark, this.protocol === 3 ? `%${pairs}\r\n` : `*${pairs * 2}\r\n`)
  }

  /** Throws away what was written since `mark` (a former `length`): an error replaces a half-written reply. */
  rewind(mark: number): void {
    this.length = mark
  }

  /** The bytes written so far, handed over; the writer goes on with memory of its own. */
  take(): Buffer {
    const taken = this.bytes.subarray(0, this.length)
    this.bytes = Buffer.allocUnsafeSlow(Math.min(Math.max(this.length, 512), 65536))
    this.length = 0
    return taken
  }

  /** Gives up memory that a past reply needed. */
  relax(): void {
    if (this.length === 0 && this.bytes.length > SMALL) this.bytes = Buffer.allocUnsafeSlow(SMALL)
  }

  reserve(size: number): void {
    const needed = this.length + size
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  #insert(mark: number, header: string): void {
    this.reserve(header.length)
    this.bytes.copyWithin(mark + header.length, mark, this.length)
    this.bytes.write(header, mark, 'latin1')
    this.length += header.length
  }

  /** `<type><value>\r\n`, with room for `extra` bytes behind it. */
  #header(type: number, value: number, extra: number): void {
    this.reserve(23 + extra)
    const bytes = this.bytes
    let at = this.length
    bytes[at++] = type
    if (value >= 0 && value < 10) bytes[at++] = 48 + value
    else if (value >= 10 && value < 100) {
      bytes[at++] = 48 + ((value / 10) | 0)
      bytes[at++] = 48 + (value % 10)
    } else if (value >= 100 && value < 1000) {
      bytes[at++] = 48 + ((value / 100) | 0)
      bytes[at++] = 48 + (((value / 10) | 0) % 10)
      bytes[at++] = 48 + (value % 10)
    } else at += bytes.write(String(value), at, 'latin1')
    bytes[at++] = 13
    bytes[at++] = 10
    this.length = at
  }

  #line(type: number, text: string): void {
    this.reserve(text.length + 3)
    this.bytes[this.length++] = type
    this.length += this.bytes.write(text, this.length, 'latin1')
    this.#crlf()
  }

  #crlf(): void {
    this.bytes[this.length++] = 13
    this.bytes[this.length++] = 10
  }
}

/** A finite double as Redis prints it: the shortest digits that read back the same, exponent form as C's `%.17g`. */
export function formatDouble(value: number): string {
  const text = String(value)
  const exponent = text.indexOf('e')
  if (exponent < 0) return text
  const digits = text.slice(exponent + 2)
  return text.slice(0, exponent + 2) + (digits.length < 2 ? `0${digits}` : digits)
}

const SMALL = 1024
const OK = Buffer.from('+OK\r\n')
const NULL = Buffer.from('_\r\n')
const NIL = Buffer.from('$-1\r\n')
const NIL_ARRAY = Buffer.from('*-1\r\n')
