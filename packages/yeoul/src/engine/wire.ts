import type { Cursor } from './stream/cursor.js'
import type { EntryId } from './stream/entry-id.js'

/** Names and values in turn. Strings are taken as UTF-8. */
export type Fields = readonly (string | Buffer)[]

/** Text as the engine keeps names: one character a byte. */
export function toName(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.from(text).toString('latin1')
  return text
}

/** A name of the engine as text. */
export function toText(name: string): string {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 127) return Buffer.from(name, 'latin1').toString()
  return name
}

/** Encodes field lists into wire form: `$4\r\ndata\r\n$2\r\n{}\r\n`. One for many entries: its memory is reused. */
export class FieldWriter {
  bytes = Buffer.allocUnsafeSlow(4096)
  length = 0

  write(fields: Fields): void {
    this.length = 0
    for (const field of fields) {
      if (typeof field === 'string') this.#text(field)
      else this.#bytes(field)
    }
    // Memory of one large entry is not kept.
    if (this.bytes.length > 1024 * 1024 && this.length < 4096) {
      this.bytes = Buffer.from(this.bytes.subarray(0, 4096))
    }
  }

  #text(text: string): void {
    // A character takes at most three bytes; short ASCII, the everyday case, needs no measuring.
    if (text.length <= 512) {
      this.#reserve(text.length * 3 + 16)
      const { bytes } = this
      const digits = text.length < 10 ? 1 : text.length < 100 ? 2 : 3
      const at = this.length + 1 + digits + 2
      const size = bytes.write(text, at)
      if (size === text.length) {
        this.#head(size)
        this.length += size
        this.#lineEnd()
        return
      }
    }
    const size = Buffer.byteLength(text)
    this.#reserve(size + 16)
    this.#head(size)
    this.length += this.bytes.write(text, this.length)
    this.#lineEnd()
  }

  #bytes(field: Buffer): void {
    this.#reserve(field.length + 16)
    this.#head(field.length)
    this.length += field.copy(this.bytes, this.length)
    this.#lineEnd()
  }

  #head(size: number): void {
    const { bytes } = this
    let at = this.length
    bytes[at++] = 36
    if (size < 10) bytes[at++] = 48 + size
    else if (size < 100) {
      bytes[at++] = 48 + ((size / 10) | 0)
      bytes[at++] = 48 + (size % 10)
    } else if (size < 1000) {
      bytes[at++] = 48 + ((size / 100) | 0)
      bytes[at++] = 48 + (((size / 10) | 0) % 10)
      bytes[at++] = 48 + (size % 10)
    } else at += bytes.write(String(size), at, 'latin1')
    bytes[at++] = 13
    bytes[at++] = 10
    this.length = at
  }

  #lineEnd(): void {
    this.bytes[this.length++] = 13
    this.bytes[this.length++] = 10
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.length + size, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}

/** The field list of an entry as views: memory that is never written again. */
export function readFields(bytes: Buffer, start: number, end: number): Buffer[] {
  const fields: Buffer[] = []
  for (let at = start; at < end; ) {
    let size = 0
    for (at++; bytes[at] !== 13; at++) size = size * 10 + bytes[at] - 48
    at += 2
    fields.push(bytes.subarray(at, at + size))
    at += size + 2
  }
  return fields
}

/** An entry that was read. ID text and fields are made when they are asked for. */
export class Entry {
  readonly #id: EntryId
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number
  #text: string | undefined
  #fields: Buffer[] | undefined

  constructor(cursor: Cursor) {
    this.#id = cursor.id.clone()
    this.#bytes = cursor.bytes
    this.#start = cursor.start
    this.#end = cursor.end
  }

  get id(): string {
    return (this.#text ??= this.#id.toString())
  }

  /** Names and values in turn; views into the stream's memory: do not write into them. */
  get fields(): Buffer[] {
    return (this.#fields ??= readFields(this.#bytes, this.#start, this.#end))
  }
}

/** An entry given to a consumer. */
export class Delivery extends Entry {
  constructor(
    cursor: Cursor,
    /** How often it was delivered, this time included. */
    readonly deliveries: number,
    /** ms since the delivery before this one; 0 at the first. */
    readonly idle: number,
  ) {
    super(cursor)
  }
}
