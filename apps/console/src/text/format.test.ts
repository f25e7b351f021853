import { expect, test } from 'vitest'
import { en } from './en.js'
import { bigCount, bytes, duration, pretty, timeOfId } from './format.js'
import { ko } from './ko.js'
import { translator } from './strings.js'

const english = translator('en')
const korean = translator('ko')

test('durations in two units', () => {
  expect([0, 0.34, 9.96, 12.4, 200, 7_500, 270_000].map((seconds) => duration(english, seconds))).toEqual([
    '0 s',
    '0.3 s',
    '10 s',
    '12 s',
    '3 min 20 s',
    '2 h 5 min',
    '3 d 3 h',
  ])
  expect(duration(korean, 200)).toBe('3분 20초')
})

test('sizes and big counts', () => {
  expect(bytes('en', 1_536)).toBe('1.5 KiB')
  expect(bytes('en', 38_500_000)).toBe('37 MiB')
  expect(bigCount('ko', 120_000)).toBe('12만')
  expect(bigCount('en', 99_999)).toBe('99,999')
})

test('only plausible ids carry a time', () => {
  expect(timeOfId('1795309594240-3')).toBe(1795309594240)
  expect(timeOfId('5-0')).toBeNull()
})

test('JSON is indented, anything else is left as it is', () => {
  expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}')
  expect(pretty('<b>no json</b>')).toBe('<b>no json</b>')
})

test('both languages have the same sentences, and no Korean particle follows a value', () => {
  expect(Object.keys(ko)).toEqual(Object.keys(en))
  for (const [key, sentence] of Object.entries(ko)) {
    expect([key, /\}(?:이|가|을|를|은|는|과|와|으로|로)(?=[\s.,]|$)/.test(sentence)]).toEqual([key, false])
  }
})
