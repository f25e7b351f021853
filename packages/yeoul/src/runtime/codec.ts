import { YeoulError } from './errors.js'

/** How a value becomes the bytes of one field and back. Both ways may throw: the error's text goes to the dead letter. */
export interface Codec<T> {
  /** Shown in the registry. */
  readonly name: string
  encode(value: T): string | Buffer
  /** Memory of `data` may be shared with the store: do not write into it. */
  decode(data: Buffer): T
}

/** A codec of whatever type. */
export interface AnyCodec {
  readonly name: string
  encode(value: never): string | Buffer
  decode(data: Buffer): unknown
}

/** `fields` is no codec of one field: the value is the whole entry, as `Record<string, string>`. */
export type CodecName = 'json' | 'text' | 'bytes' | 'fields'

const json: Codec<unknown> = {
  name: 'json',
  encode(value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`JSON has no form for ${typeof value}`)
    return text
  },
  decode: (data) => JSON.parse(data.toString('utf8')),
}

const text: Codec<string> = {
  name: 'text',
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`expected text, got ${typeof value}`)
    return value
  },
  decode: (data) => data.toString('utf8'),
}

const bytes: Codec<Buffer> = {
  name: 'bytes',
  encode(value) {
    if (!Buffer.isBuffer(value)) throw new TypeError(`expected a Buffer, got ${typeof value}`)
    return value
  },
  /** A copy: handlers may keep it. */
  decode: (data) => Buffer.from(data),
}

const BUILT_IN = { json, text, bytes }

/** Undefined for `fields`. */
export function codecOf(option: CodecName | AnyCodec | undefined): Codec<unknown> | undefined {
  if (option === undefined) return json
  if (option === 'fields') return undefined
  if (typeof option === 'string' && Object.hasOwn(BUILT_IN, option)) return BUILT_IN[option] as Codec<unknown>
  if (typeof option === 'object' && typeof option.encode === 'function' && typeof option.decode === 'function') {
    return option as unknown as Codec<unknown>
  }
  throw new YeoulError('INVALID_OPTION', `codec: ${JSON.stringify(option)} is unknown`, {
    advice: "Choose 'json', 'text', 'bytes' or 'fields', or give an object { name, encode, decode }.",
  })
}
