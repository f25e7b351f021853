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
