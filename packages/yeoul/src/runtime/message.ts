import { type Failure, FIELD, fieldMap, idTime, readFailures, readNumber } from './entry-fields.js'
import type { YeoulError } from './errors.js'

export interface Message<T> {
  /** Stays the same across retries, long ones too, and redrives: what to remember for idempotence. */
  readonly id: string
  /** Id of this very entry in the stream; differs from `id` for a copy appended by a long retry or a redrive. */
  readonly entryId: string
  readonly topic: string
  readonly value: T
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** 1 for the first. */
  readonly attempt: number
  /** Number within the key, when it was published with `sequence`. */
  readonly sequence: number | undefined
  readonly publishedAt: Date
  /** Every field of the entry, as bytes that may be shared with the store: do not write into them. */
  readonly fields: ReadonlyMap<string, Buffer>
  /** Set only by `read()`, of an entry that does not decode or does not fit the schema: `value` throws it. */
  readonly undecodable: YeoulError | undefined
}

/**
 * An entry as a message. One pass over the names finds what every message needs; everything else (headers, the field
 * map) is read from the bytes when asked for.
 */
export class ReceivedMessage<T> implements Message<T> {
  /** Assigned once, after decoding. */
  value!: T
  attempt = 1
  undecodable: YeoulError | undefined

  /** The value's bytes; undefined when the entry has no such field. */
  data: Buffer | undefined
  traceparent: Buffer | undefined
  private versionBytes: Buffer | undefined
  private keyBytes: Buffer | undefined
  private sequenceBytes: Buffer | undefined
  private originBytes: Buffer | undefined
  private groupBytes: Buffer | undefined
  private attemptBytes: Buffer | undefined
  private hasHeaders = false
  private originId: string | undefined

  constructor(
    readonly topic: string,
    readonly entryId: string,
    readonly raw: readonly Buffer[],
    private readonly dataField: Buffer,
  ) {
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i]
      if (this.data === undefined && same(name, dataField)) this.data = raw[i + 1]
      else if (name[0] === UNDERSCORE) this.takeOwn(name, raw[i + 1])
      else if (this.keyBytes === undefined && same(name, KEY)) this.keyBytes = raw[i + 1]
      else if (name[0] === LETTER_H && name[1] === DOT) this.hasHeaders = true
      else if (same(name, TRACEPARENT)) this.traceparent = raw[i + 1]
    }
    if (this.originBytes) this.originId = this.originBytes.toString('latin1')
  }

  get id(): string {
    return this.originId ?? this.entryId
  }

  get key(): string | undefined {
    return this.keyBytes?.toString('utf8')
  }

  get sequence(): number | undefined {
    return readNumber(this.sequenceBytes)
  }

  /** Of the value; undefined when the entry states none. */
  get version(): number | undefined {
    return readNumber(this.versionBytes)
  }

  get publishedAt(): Date {
    return new Date(idTime(this.id))
  }

  get headers(): Readonly<Record<string, string>> {
    if (!this.hasHeaders) return NO_HEADERS
    const headers: Record<string, string> = {}
    for (let i = 0; i + 1 < this.raw.length; i += 2) {
      const name = this.raw[i]
      if (name[0] === LETTER_H && name[1] === DOT) headers[name.toString('utf8', 2)] = this.raw[i + 1].toString('utf8')
    }
    return headers
  }

  get fields(): ReadonlyMap<string, Buffer> {
    return fieldMap(this.raw)
  }

  /** The one group that this copy was appended for; undefined for everything a producer wrote. */
  get onlyGroup(): string | undefined {
    return this.originBytes === undefined ? undefined : this.groupBytes?.toString('utf8')
  }

  /** Attempts made before this entry was appended. */
  get carriedAttempts(): number {
    return this.originBytes === undefined ? 0 : (readNumber(this.attemptBytes) ?? 0)
  }

  get carriedFailures(): Failure[] {
    return this.originBytes === undefined ? [] : readFailures(this.fields.get(FIELD.failures))
  }

  /** The same entry for another attempt: earlier handlers may keep the object they were given. */
  again(): ReceivedMessage<T> {
    return new ReceivedMessage<T>(this.topic, this.entryId, this.raw, this.dataField)
  }

  private takeOwn(name: Buffer, value: Buffer): void {
    if (same(name, SEQUENCE)) this.sequenceBytes = value
    else if (same(name, VERSION)) this.versionBytes = value
    else if (same(name, ORIGIN)) this.originBytes = value
    else if (same(name, GROUP)) this.groupBytes = value
    else if (same(name, ATTEMPT)) this.attemptBytes = value
  }
}

const UNDERSCORE = 0x5f
const LETTER_H = 0x68
const DOT = 0x2e
const KEY = Buffer.from(FIELD.key)
const TRACEPARENT = Buffer.from(FIELD.traceparent)
const SEQUENCE = Buffer.from(FIELD.sequence)
const VERSION = Buffer.from(FIELD.version)
const ORIGIN = Buffer.from(FIELD.origin)
const GROUP = Buffer.from(FIELD.group)
const ATTEMPT = Buffer.from(FIELD.attempt)
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Names are a few bytes: a loop beats the call into Buffer.equals. */
function same(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
