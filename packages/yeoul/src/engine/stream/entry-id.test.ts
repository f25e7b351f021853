import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryId } from './entry-id.js'

const U64 = (1n << 64n) - 1n
const u64 = fc.oneof(fc.bigInt(0n, U64), fc.constantFrom(0n, 1n, 0xffffffffn, 0x100000000n, U64 - 1n, U64))
const pair = fc.tuple(u64, u64)

function make([ms, seq]: [bigint, bigint]): EntryId {
  return new EntryId(Number(ms >> 32n), Number(ms & 0xffffffffn), Number(seq >> 32n), Number(seq & 0xffffffffn))
}

function value([ms, seq]: [bigint, bigint]): bigint {
  return (ms << 64n) | seq
}

describe('EntryId', () => {
  it('E2 keeps all 128 bits from text to text', () => {
    fc.assert(
      fc.property(pair, ([ms, seq]) => {
        const text = `${ms}-${seq}`
        const id = EntryId.parse(text)
        expect(id).toEqual(make([ms, seq]))
        expect(String(id)).toBe(text)
      }),
    )
  })

  it('E2 orders as 128-bit numbers', () => {
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const expected = value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0
        expect(Math.sign(make(a).compare(make(b)))).toBe(expected)
        expect(make(a).equals(make(b))).toBe(expected === 0)
      }),
    )
  })

  it('E2 counts up and down with carry, and stops at either end', () => {
    fc.assert(
      fc.property(pair, (a) => {
        const up = make(a)
        const last = value(a) === value([U64, U64])
        expect(up.increment()).toBe(!last)
        const n = last ? value(a) : value(a) + 1n
        expect(up).toEqual(make([n >> 64n, n & U64]))
        const down = make(a)
        const first = value(a) === 0n
        expect(down.decrement()).toBe(!first)
        const m = first ? 0n : value(a) - 1n
        expect(down).toEqual(make([m >> 64n, m & U64]))
      }),
    )
    expect(EntryId.max().isMax()).toBe(true)
    expect(EntryId.zero().isZero()).toBe(true)
  })

  it('E1 reads what Redis reads', () => {
    const read = (text: string, missing?: 'min' | 'max') => EntryId.parse(text, missing)?.toString()
    expect(read('5')).toBe('5-0')
    expect(read('5', 'max')).toBe('5-18446744073709551615')
    expect(read('5-3', 'max')).toBe('5-3')
    expect(read('01-5')).toBe('1-5')
    expect(read('+7-1')).toBe('7-1')
    expect(read('11-+2')).toBe('11-2')
    expect(read(' 3-4')).toBe('3-4')
    expect(read(`${'0'.repeat(100)}12-1`)).toBe('12-1')
  })

  it.each([
    '',
    '-',
    '--',
    '12-',
    '-1',
    '0x10-1',
    '1-2-3',
    '1.5',
    'a',
    '1-*',
    '18446744073709551616',
    '1-18446744073709551616',
    '1'.repeat(128),
  ])('E1 refuses %j', (text) => {
    expect(EntryId.parse(text)).toBeUndefined()
  })

  it('makes IDs of clock times', () => {
    expect(String(EntryId.of(1_700_000_000_123, 7))).toBe('1700000000123-7')
    expect(EntryId.of(1_700_000_000_123).ms).toBe(1_700_000_000_123)
    expect(EntryId.of(1, 2 ** 40).seq).toBe(2 ** 40)
  })
})
