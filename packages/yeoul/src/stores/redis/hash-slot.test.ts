import { expect, test } from 'vitest'
import { hashTag, slotOf } from './hash-slot.js'

test.each([
  ['123456789', 12739],
  ['foo', 12182],
  ['', 0],
  ['{user1000}.following', 3443],
  ['user1000', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
])('slot of %s as the cluster specification gives it', (key, slot) => {
  expect(slotOf(key)).toBe(slot)
})

test('the tag is the text between the first brace and the next closing one, when there is any', () => {
  expect(['a{b}c{d}', 'a{}b', 'a{b', 'a}b{c}'].map(hashTag)).toEqual(['b', 'a{}b', 'a{b', 'c'])
})
