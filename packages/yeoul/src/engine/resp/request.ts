import { Names } from './names.js'

/**
 * One command as it arrived on the wire, without a copy: argument `i` is `bytes[start(i) .. end(i))`, and its
 * bulk-string framing begins at `head(i)`:
 *
 *     *3\r\n $4\r\nXACK\r\n $1\r\ns\r\n $3\r\n1-1\r\n
 *            ^head(0)       ^head(1)
 *               ^start(0) ^end(0)
 *
 * Arguments are contiguous, so `bytes[head(a) .. end(b) + 2)` is the wire form of the arguments a…b: a stream entry
 * is stored, logged and sent again as exactly those bytes.
 *
 * Names are kept as latin1 strings (one character a byte), which makes them binary-safe and cheap to compare.
 * A parser reuses its Request: whoever keeps one beyond the call keeps `retain()` of it.
 */
export class Request {
  bytes: Buffer = EMPTY
  count = 0
  /** Offsets are relative to `base`, so that the parser can move an unfinished command in memory. */
  base = 0
  heads = new Int32Array(16)
  starts = new Int32Array(16)
  ends = new Int32Array(16)

  head(i: number): number {
    return this.base + this.heads[i]
  }

  start(i: number): number {
    return this.base + this.starts[i]
  }

  end(i: number): number {
    return this.base + this.ends[i]
  }

  /** Bytes of argument `i`. */
  length(i: number): number {
    return this.ends[i] - this.starts[i]
  }

  /** Argument `i` as a latin1 string: one character a byte. */
  string(i: number): string {
    return this.bytes.toString('latin1', this.base + this.starts[i], this.base + this.ends[i])
  }

  /** As `string`, for what is likely to come again: the name of a key, a group, a consumer. */
  name(i: number): string {
    return names.get(this.bytes, this.base + this.starts[i], this.base + this.ends[i])
  }

  /** Argument `i` as a view into the request's memory: valid only during the call. */
  view(i: number): Buffer {
    return this.bytes.subarray(this.base + this.starts[i], this.base + this.ends[i])
  }

  /** Argument `i` as memory of its own. */
  copy(i: number): Buffer {
    return Buffer.from(this.view(i))
  }

  /** Is argument `i` this word, whatever its case? `word` is upper-case ASCII. */
  is(i: number, word: string): boolean {
    const start = this.base + this.starts[i]
    if (this.ends[i] - this.starts[i] !== word.length) return false
    for (let k = 0; k < word.length; k++) {
      let byte = this.bytes[start + k]
      if (byte >= 97 && byte <= 122) byte -= 32
      if (byte !== word.charCodeAt(k)) return false
    }
    return true
  }

  /** Appends an argument that stands at these absolute offsets of `bytes`. */
  add(head: number, start: number, end: number): void {
    const i = this.count
    if (i === this.heads.length) this.#grow()
    this.heads[i] = head - this.base
    this.starts[i] = start - this.base
    this.ends[i] = end - this.base
    this.count = i + 1
  }

  /** A copy with memory of its own, for a queued transaction or a parked reader. */
  retain(): Request {
    const copy = new Request()
    if (this.count === 0) return copy
    const from = this.head(0)
    copy.bytes = Buffer.from(this.bytes.subarray(from, this.end(this.count - 1) + 2))
    copy.count = this.count
    copy.base = this.base - from
    copy.heads = this.heads.slice(0, this.count)
    copy.starts = this.starts.slice(0, this.count)
    copy.ends = this.ends.slice(0, this.count)
    return copy
  }

  /** A request made in process. Strings are taken as UTF-8. */
  static of(...args: (string | Buffer | number | bigint)[]): Request {
    return Request.fromBuffers(args.map((arg) => (Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg)))))
  }

  static fromBuffers(args: readonly Buffer[]): Request {
    const parts: Buffer[] = []
    const request = new Request()
    let at = 0
    for (const arg of args) {
      const header = Buffer.from(`$${arg.length}\r\n`, 'latin1')
      request.add(at, at + header.length, at + header.length + arg.length)
      parts.push(header, arg, CRLF)
      at += header.length + arg.length + 2
    }
    request.bytes = Buffer.concat(parts, at)
    return request
  }

  #grow(): void {
    const size = this.heads.length * 2
    for (const name of ['heads', 'starts', 'ends'] as const) {
      const larger = new Int32Array(size)
      larger.set(this[name])
      this[name] = larger
    }
    // A peer decides how many arguments a command has: a large array is given up again in reset().
  }

  reset(bytes: Buffer, base: number): void {
    this.bytes = bytes
    this.base = base
    this.count = 0
    if (this.heads.length > 4096) {
      this.heads = new Int32Array(16)
      this.starts = new Int32Array(16)
      this.ends = new Int32Array(16)
    }
  }
}

const names = new Names()
const EMPTY = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')
