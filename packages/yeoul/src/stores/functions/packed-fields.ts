import type { Fields } from '../../runtime/store.js'

/**
 * Fields as one value of the schedule hash: `<decimal byte length>:<bytes>` for every name and value in turn.
 *
 *     4:data11:{"id":"o-1"}3:key10:customer-7
 */
export function packFields(fields: Fields): Buffer {
  const parts: Buffer[] = []
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field) : field
    parts.push(Buffer.from(`${bytes.length}:`, 'latin1'), bytes)
  }
  return Buffer.concat(parts)
}

export function unpackFields(packed: Buffer): Buffer[] {
  const fields: Buffer[] = []
  for (let at = 0; at < packed.length; ) {
    const colon = packed.indexOf(0x3a, at)
    const start = colon + 1
    at = start + Number(packed.toString('latin1', at, colon))
    fields.push(packed.subarray(start, at))
  }
  return fields
}
