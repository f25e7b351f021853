import { Request } from './request.js'

/** A peer broke the protocol. The text goes out as `-ERR Protocol error: …` and the connection is closed. */
export class ProtocolError {
  constructor(readonly text: string) {}
}

export interface ParserLimits {
  /** proto-max-bulk-len, bytes. */
  bulk: number
  /** Arguments of one command. */
  multibulk: number
  /** client-query-buffer-limit, bytes held for an unfinished command. */
  buffer: number
  /** Before AUTH: what the two refusals are called. */
  unauthenticated: boolean
}

export const LIMITS: ParserLimits = {
  bulk: 512 * 1024 * 1024,
  multibulk: 2147483647,
  buffer: 1024 * 1024 * 1024,
  unauthenticated: false,
}

/** Redis' limits for a peer that has not authenticated yet. */
export const UNAUTHENTICATED_LIMITS: ParserLimits = {
  bulk: 16384,
  multibulk: 10,
  buffer: 1024 * 1024,
  unauthenticated: true,
}

const INLINE_LIMIT = 64 * 1024
/** An emptied buffer up to this size is kept for what comes next. */
const KEEP = 256 * 1024
const EMPTY = Buffer.alloc(0)
const CR = 13
const LF = 10
const ASTERISK = 42
const DOLLAR = 36

/**
 * Cuts a byte stream into requests. "Not enough bytes yet" is a state, not an error: `next()` answers undefined and
 * goes on where it stopped once more bytes are pushed. Nothing is allocated because a peer announced it: memory
 * grows only with bytes that arrived.
 *
 * A whole command in one chunk is parsed where it lies; only an unfinished one is copied.
 *
 * Line ends are demanded where Redis skips two bytes unseen: entries are kept and sent on in the form in which they
 * arrived, so whatever passes here must be well-formed for every later reader.
 */
export class RequestParser {
  limits: ParserLimits
  #bytes: Buffer = EMPTY
  /** `#bytes[0 .. #length)` is filled. */
  #length = 0
  /** Where the current command begins. */
  #base = 0
  /** Where parsing goes on. */
  #at = 0
  /** Arguments still to come of the current multibulk; 0 = between commands. */
  #missing = 0
  /** Announced length of the bulk at `#at`, once its header was read; -1 = header not read yet. */
  #bulk = -1
  #bulkHead = 0
  /** Bytes of an unfinished header line that were searched already, from the line's start. */
  #searched = 0
  #owned = false
  readonly #request = new Request()

  constructor(limits: ParserLimits = LIMITS) {
    this.limits = limits
  }

  /** Bytes held back because their command is not complete. */
  get held(): number {
    return this.#length - this.#base
  }

  /** Bytes handed out as whole requests are no longer needed once the next chunk is pushed. */
  push(chunk: Buffer): void {
    const held = this.#length - this.#base
    if (held === 0) {
      this.#bytes = chunk
      this.#length = chunk.length
      this.#base = this.#at = 0
      this.#owned = false
      return
    }
    const needed = held + chunk.length
    if (this.#owned && this.#bytes.length - this.#length >= chunk.length) {
      chunk.copy(this.#bytes, this.#length)
      this.#length += chunk.length
      return
    }
    const room = this.#owned && this.#base >= this.#length / 2 ? this.#bytes.length : 0
    const target = room >= needed ? this.#bytes : Buffer.allocUnsafeSlow(Math.max(needed + (needed >> 1), 4096))
    this.#bytes.copy(target, 0, this.#base, this.#length)
    chunk.copy(target, held)
    this.#at -= this.#base
    this.#bulkHead -= this.#base
    this.#base = 0
    this.#bytes = target
    this.#length = needed
    this.#owned = true
    this.#request.bytes = target
    this.#request.base = 0
  }

  /** The next whole request, valid until the next call of `next` or `push`; throws ProtocolError. */
  next(): Request | undefined {
    if (this.#missing === 0 && this.#searched === 0) {
      const whole = this.#whole()
      if (whole !== undefined) return whole
    }
    const request = this.#request
    const bytes = this.#bytes
    const length = this.#length
    for (;;) {
      if (this.#missing === 0) {
        // Between commands: skip nothing, read the first header.
        if (this.#at >= length) {
          this.#base = this.#at
          if (this.#owned && this.#bytes.length > KEEP) this.relax()
          return undefined
        }
        this.#base = this.#at
        if (bytes[this.#at] !== ASTERISK) {
          const inline = this.#inline()
          if (inline === undefined) return undefined
          if (inline.count === 0) continue
          return inline
        }
        const eol = this.#line(this.#at + 1, 'too big mbulk count string')
        if (eol < 0) return this.#hold()
        const count = integer(bytes, this.#at + 1, eol)
        if (Number.isNaN(count) || count > 2147483647) throw new ProtocolError('invalid multibulk length')
        if (count > this.limits.multibulk) {
          throw new ProtocolError(
            this.limits.unauthenticated ? 'unauthenticated multibulk length' : 'invalid multibulk length',
          )
        }
        this.#at = eol + 2
        if (count <= 0) continue
        request.reset(bytes, this.#base)
        this.#missing = count
        this.#bulk = -1
      }
      while (this.#missing > 0) {
        if (this.#bulk < 0) {
          if (this.#at >= length) return this.#hold()
          if (bytes[this.#at] !== DOLLAR) {
            throw new ProtocolError(`expected '$', got '${printable(bytes[this.#at])}'`)
          }
          const eol = this.#line(this.#at + 1, 'too big bulk count string')
          if (eol < 0) return this.#hold()
          const size = integer(bytes, this.#at + 1, eol)
          if (Number.isNaN(size) || size < 0) throw new ProtocolError('invalid bulk length')
          if (size > this.limits.bulk) {
            throw new ProtocolError(this.limits.unauthenticated ? 'unauthenticated bulk length' : 'invalid bulk length')
          }
          this.#bulkHead = this.#at
          this.#at = eol + 2
          this.#bulk = size
        }
        const end = this.#at + this.#bulk
        if (end + 2 > length) return this.#hold()
        if (bytes[end] !== CR || bytes[end + 1] !== LF) throw new ProtocolError('expected CRLF after bulk string')
        request.add(this.#bulkHead, this.#at, end)
        this.#at = end + 2
        this.#bulk = -1
        this.#missing--
      }
      this.#base = this.#at
      return request
    }
  }

  /**
   * The next command if all of it has arrived and there is nothing odd about it, as is nearly always so; otherwise
   * undefined, and nothing has changed. Bytes behind `#length` may be looked at on the way, but nothing comes of them:
   * the end of the last argument decides.
   */
  #whole(): Request | undefined {
    const bytes = this.#bytes
    const length = this.#length
    const base = this.#at
    if (length - base < 4 || bytes[base] !== ASTERISK) return undefined
    let at = base + 1
    let count = 0
    for (let digits = 0; bytes[at] !== CR; at++, digits++) {
      const digit = bytes[at] - 48
      if (!(digit >= 0 && digit <= 9) || digits === 6 || (digits === 1 && count === 0)) return undefined
      count = count * 10 + digit
    }
    if (count === 0 || count > this.limits.multibulk || bytes[at + 1] !== LF) return undefined
    at += 2
    const mostBytes = this.limits.bulk
    const request = this.#request
    request.reset(bytes, base)
    for (let i = 0; i < count; i++) {
      if (at + 6 > length || bytes[at] !== DOLLAR) return undefined
      const head = at++
      let size = 0
      for (let digits = 0; bytes[at] !== CR; at++, digits++) {
        const digit = bytes[at] - 48
        if (!(digit >= 0 && digit <= 9) || digits === 9 || (digits === 1 && size === 0)) return undefined
        size = size * 10 + digit
      }
      const start = at + 2
      const end = start + size
      if (start === head + 3 || size > mostBytes || end + 2 > length) return undefined
      if (bytes[at + 1] !== LF || bytes[end] !== CR || bytes[end + 1] !== LF) return undefined
      request.add(head, start, end)
      at = end + 2
    }
    this.#at = this.#base = at
    return request
  }

  #hold(): undefined {
    if (this.held > this.limits.buffer) throw new ProtocolError('client query buffer limit exceeded')
    return undefined
  }

  /** Offset of the CRLF that ends the line beginning at `from`; -1 when it has not arrived. */
  #line(from: number, tooLong: string): number {
    const bytes = this.#bytes
    const length = this.#length
    const stop = Math.min(length - 1, from + INLINE_LIMIT)
    for (let i = from + this.#searched; i < stop; i++) {
      if (bytes[i] !== CR) continue
      if (bytes[i + 1] !== LF) throw new ProtocolError('expected CRLF after a length')
      this.#searched = 0
      return i
    }
    if (length - from > INLINE_LIMIT) throw new ProtocolError(tooLong)
    this.#searched = Math.max(0, stop - from)
    return -1
  }

  /** Gives up memory that past commands left behind; the request handed out last is no longer valid. */
  relax(): void {
    if (this.held > 0) return
    this.#bytes = EMPTY
    this.#length = this.#base = this.#at = 0
    this.#owned = false
    this.#request.reset(EMPTY, 0)
  }

  /** A line typed by hand: words, quoted as in a shell. An empty line is a request without arguments. */
  #inline(): Request | undefined {
    const lf = this.#bytes.indexOf(LF, this.#at)
    if (lf < 0 || lf >= this.#length) {
      if (this.#length - this.#at > INLINE_LIMIT) throw new ProtocolError('too big inline request')
      return undefined
    }
    if (lf - this.#at > INLINE_LIMIT) throw new ProtocolError('too big inline request')
    const stop = lf > this.#at && this.#bytes[lf - 1] === CR ? lf - 1 : lf
    const words = splitWords(this.#bytes.toString('latin1', this.#at, stop))
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request')
    this.#at = this.#base = lf + 1
    return Request.fromBuffers(words.map((word) => Buffer.from(word, 'latin1')))
  }
}

/** A decimal as Redis takes it in headers: optional minus, no leading zeros, no plus; NaN otherwise. */
function integer(bytes: Buffer, start: number, end: number): number {
  let i = start
  let negative = false
  if (i < end && bytes[i] === 45) {
    negative = true
    i++
  }
  const digits = end - i
  if (digits === 0 || digits > 15) return Number.NaN
  if (bytes[i] === 48 && (digits > 1 || negative)) return Number.NaN
  let value = 0
  for (; i < end; i++) {
    const digit = bytes[i] - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return negative ? -value : value
}

function printable(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }

/** C's isspace: `\s` would also take the byte 0xA0, which is part of many UTF-8 letters. */
function isSpace(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n' || c === '\v' || c === '\f' || c === '\r'
}

/** Splits an inline command; undefined when quotes do not match. Grammar: Redis' sdssplitargs as documented. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = []
  const nul = line.indexOf('\0')
  // A NUL ends the line, as it ends a string in C.
  if (nul >= 0) line = line.slice(0, nul)
  let i = 0
  for (;;) {
    while (i < line.length && isSpace(line[i])) i++
    if (i >= line.length) return words
    let word = ''
    let quote = ''
    for (; ; i++) {
      if (i >= line.length) {
        if (quote) return undefined
        break
      }
      const c = line[i]
      if (quote === '"') {
        if (c === '\\' && /^\\x[0-9a-fA-F]{2}/.test(line.slice(i, i + 4))) {
          word += String.fromCharCode(Number.parseInt(line.slice(i + 2, i + 4), 16))
          i += 3
        } else if (c === '\\' && i + 1 < line.length) {
          i++
          word += ESCAPES[line[i]] ?? line[i]
        } else if (c === '"') {
          if (i + 1 < line.length && !isSpace(line[i + 1])) return undefined
          i++
          break
        } else word += c
      } else if (quote === "'") {
        if (c === '\\' && line[i + 1] === "'") {
          i++
          word += "'"
        } else if (c === "'") {
          if (i + 1 < line.length && !isSpace(line[i + 1])) return undefined
          i++
          break
        } else word += c
      } else if (isSpace(c)) break
      else if (c === '"' || c === "'") quote = c
      else word += c
    }
    words.push(word)
  }
}
