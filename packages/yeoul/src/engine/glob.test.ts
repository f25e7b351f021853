import { expect, test } from 'vitest'
import { glob } from './glob.js'

test.each([
  ['*', '', true],
  ['*', 'abc', true],
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h*llo', 'heeeello', true],
  ['h[ae]llo', 'hallo', true],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['h[a-b]llo', 'hbllo', true],
  ['h[b-a]llo', 'hallo', true],
  ['h\\[llo', 'h[llo', true],
  ['\\*', 'a', false],
  ['\\*', '*', true],
  ['[\\]]', ']', true],
  ['a[', 'a', false],
  ['[abc', 'b', true],
  ['a*b*c', 'axxbxxc', true],
  ['a*b*c', 'axxbxx', false],
  ['**a**', 'bab', true],
  ['news.*', 'news.', true],
  ['news.*', 'news', false],
  ['a', '', false],
  ['', '', true],
  ['', 'a', false],
  ['\xff*', '\xff\0\n', true],
])('E1 %j against %j', (pattern, text, match) => {
  expect(glob(pattern, text)).toBe(match)
})

test('case is ignored on request only', () => {
  expect(glob('AB*', 'abc', true)).toBe(true)
  expect(glob('AB*', 'abc')).toBe(false)
})

test('E9 a hostile pattern costs no exponential search', () => {
  // Backtracking over every star would need more steps than the machine has time.
  expect(glob(`${'a*'.repeat(60)}b`, 'a'.repeat(20000))).toBe(false)
})
