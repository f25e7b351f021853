import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFields } from '../wire.js'
import { extendWire, pack, unpack, wireOf } from './fields.js'

const field = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)

test('a field list survives packing', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 12 }), (fields) => {
      const bytes = fields.map((one) => Buffer.from(one as string))
      expect(unpack(pack(fields))).toEqual(bytes)
    }),
  )
})

test('wire form can be extended by a field', () => {
  const { source, start, end, pairs } = extendWire(wireOf(['data', '값', Buffer.from([0, 255]), '']), '_seq', '12')
  expect(pairs).toBe(3)
  expect(readFields(source, start, end)).toEqual(
    ['data', '값', Buffer.from([0, 255]), '', '_seq', '12'].map((one) => Buffer.from(one as string)),
  )
})
