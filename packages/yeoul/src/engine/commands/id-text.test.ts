import { expect, it } from 'vitest'
import { EntryId } from '../stream/entry-id.js'
import { ID_ROOM, putId } from './id-text.js'

/** The text of an ID, made the slow and obvious way. */
function plain({ msHi, msLo, seqHi, seqLo }: EntryId): string {
  return `${(BigInt(msHi) << 32n) | BigInt(msLo)}-${(BigInt(seqHi) << 32n) | BigInt(seqLo)}`
}

function* numbers(): Generator<bigint> {
  for (let digits = 0n, power = 1n; digits <= 20n; digits++, power *= 10n) {
    for (const near of [power - 1n, power, power + 1n]) if (near < 1n << 64n) yield near
  }
  for (let bits = 0n; bits <= 64n; bits++) yield (1n << bits) - 1n
}

it('writes and reads every width of both numbers as BigInt does', () => {
  const bytes = Buffer.alloc(ID_ROOM)
  const half = (value: bigint): [number, number] => [Number(value >> 32n), Number(value & 0xffffffffn)]
  for (const ms of numbers()) {
    for (const seq of numbers()) {
      const id = new EntryId(...half(ms), ...half(seq))
      const text = plain(id)
      expect(id.toString()).toBe(text)
      const end = putId(bytes, 0, id)
      expect(bytes.toString('latin1', 0, end)).toBe(`$${text.length}\r\n${text}\r\n`)
      expect(EntryId.parse(text)).toEqual(id)
      const read = new EntryId()
      // Longer ones are left to `parse`.
      const easy = ms < 10n ** 15n && seq < 10n ** 15n
      expect(read.readBytes(Buffer.from(text), 0, text.length)).toBe(easy)
      if (easy) expect(read).toEqual(id)
    }
  }
})

it.each(['', '-', '5', '5-', '-5', '5-*', '5-5-', '5--5', '+5-5', ' 5-5', '5-5 ', '5-a', 'a-5', '1234567890123456-1'])(
  'leaves %j, right or wrong, to the full parser',
  (text) => {
    const id = new EntryId(1, 2, 3, 4)
    expect(id.readBytes(Buffer.from(text), 0, text.length)).toBe(false)
    expect(id.readText(text)).toBe(false)
    expect(id).toEqual(new EntryId(1, 2, 3, 4))
  },
)
