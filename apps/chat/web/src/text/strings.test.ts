import { expect, test } from 'vitest'
import { fill } from '../../../../look/template.js'
import { en } from './en.js'
import { ko } from './ko.js'

test('both languages have the same sentences with the same values', () => {
  expect(Object.keys(ko)).toEqual(Object.keys(en))
  const withoutCases = (template: string) => template.replace(/(?:=\d+|one|other)\s*\{[^{}]*\}/g, '')
  const names = (template: string) =>
    [...new Set([...withoutCases(template).matchAll(/\{(\w+)(?=[,}])/g)].map((match) => match[1]))].sort()
  for (const key of Object.keys(en) as (keyof typeof en)[]) expect([key, names(ko[key])]).toEqual([key, names(en[key])])
})

test('no Korean sentence puts a particle after a value', () => {
  for (const [key, sentence] of Object.entries(ko))
    expect([key, /\}(?:이|가|을|를|은|는|과|와|으로|로)(?=[\s.,]|$)/.test(sentence)]).toEqual([key, false])
})

test('plurals: exact case, category, other; the number in the language’s grouping', () => {
  const sentence = '{n, plural, =0 {none} one {# message} other {# messages}} from {who}'
  expect(fill('en', sentence, { n: 0, who: 'x' })).toBe('none from x')
  expect(fill('en', sentence, { n: 1, who: 'x' })).toBe('1 message from x')
  expect(fill('en', sentence, { n: 1234, who: 'x' })).toBe('1,234 messages from x')
  expect(fill('ko', '{n, plural, other {새 메시지 #개}}', { n: 1 })).toBe('새 메시지 1개')
})

test('a value that looks like a placeholder is not filled again', () => {
  expect(fill('en', '{a} {b}', { a: '{b}', b: 'x' })).toBe('{b} x')
})
