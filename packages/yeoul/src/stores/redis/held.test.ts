import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ascending } from './held.js'

const u64 = fc.oneof(fc.bigInt(0n, 12n), fc.bigInt(0n, (1n << 64n) - 1n))

test('deliveries are put in the order of their ids as 64-bit numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(u64, u64), { maxLength: 20 }), (pairs) => {
      const held = pairs.map(([ms, seq]) => ({ id: `${ms}-${seq}`, deliveries: 1 }))
      const expected = [...pairs].sort(([a, b], [c, d]) => (a !== c ? (a < c ? -1 : 1) : b < d ? -1 : b > d ? 1 : 0))
      expect(ascending(held).map(({ id }) => id)).toEqual(expected.map(([ms, seq]) => `${ms}-${seq}`))
    }),
  )
})

test('what ascends already is not copied', () => {
  const held = ['9-9', '9-10', '10-1'].map((id) => ({ id, deliveries: 1 }))
  expect(ascending(held)).toBe(held)
})
