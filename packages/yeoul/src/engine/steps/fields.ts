import { type Fields, FieldWriter } from '../wire.js'
import type { WireFields } from './context.js'

const writer = new FieldWriter()

/** Wire form of names and values in turn. The memory is used again by the next call. */
export function wireOf(fields: Fields): WireFields {
  writer.write(fields)
  return { source: writer.bytes, start: 0, end: writer.length, pairs: fields.length / 2 }
}

/** Wire form followed by one more name and value, both ASCII; in memory of its own. */
export function extendWire(fields: WireFields, name: string, value: string): WireFields {
  const more = Buffer.from(`$${name.length}\r\n${name}\r\n$${value.length}\r\n${value}\r\n`, 'latin1')
  const source = Buffer.concat([fields.source.subarray(fields.start, fields.end), more])
  return { source, start: 0, end: source.length, pairs: fields.pairs + 1 }
}

/**
 * A field list as one value of the schedule hash (a latin1 string): `<decimal byte length>:<bytes>` for every name and
 * value in turn.
 *
 *     4:data11:{"id":"o-1"}3:key10:customer-7
 */
export function pack(fields: Fields): string {
  let packed = ''
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field) : field
    packed += `${bytes.length}:${bytes.toString('latin1')}`
  }
  return packed
}

export function unpack(packed: string): Buffer[] {
  const fields: Buffer[] = []
  for (let at = 0; at < packed.length; ) {
    const colon = packed.indexOf(':', at)
    at = colon + 1 + Number(packed.slice(at, colon))
    fields.push(Buffer.from(packed.slice(colon + 1, at), 'latin1'))
  }
  return fields
}
