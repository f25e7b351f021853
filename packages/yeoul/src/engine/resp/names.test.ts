import { expect, it } from 'vitest'
import { Names } from './names.js'

it('answers what the bytes say, however many names share a slot', () => {
  const names = new Names()
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 5000; i++) {
      const text = `${'k'.repeat(i % 70)}\xff${i}`
      const bytes = Buffer.from(`<${text}>`, 'latin1')
      expect(names.get(bytes, 1, bytes.length - 1)).toBe(text)
      bytes[1] ^= 1
      expect(names.get(bytes, 1, bytes.length - 1)).toBe(bytes.toString('latin1', 1, bytes.length - 1))
    }
  }
  expect(names.get(Buffer.alloc(0), 0, 0)).toBe('')
})
