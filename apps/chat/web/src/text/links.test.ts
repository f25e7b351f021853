import { expect, test } from 'vitest'
import { marked, pieces } from './links.js'

const links = (text: string) => pieces(text).flatMap((piece) => (piece.kind === 'link' ? [piece.text] : []))

test('the pieces are the text, whatever it holds', () => {
  for (const text of [
    '<b>x</b> & https://a.example/x',
    '@mina, https://a.example.',
    '',
    'a@b.example',
    'javascript:alert(1)',
  ]) {
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text)
  }
})

test('only http and https are linked', () => {
  expect(links('javascript:alert(1) data:text/html,x ftp://a.example file:///etc/passwd')).toEqual([])
  expect(links('http://a.example and HTTPS://B.example/x?y=1#z')).toEqual([
    'http://a.example',
    'HTTPS://B.example/x?y=1#z',
  ])
})

test('punctuation, an unopened bracket and particles stay outside; a Korean path stays inside', () => {
  expect(links('(see https://a.example/x).')).toEqual(['https://a.example/x'])
  expect(links('https://a.example/x_(y) ok')).toEqual(['https://a.example/x_(y)'])
  expect(links('https://a.example에서 보세요')).toEqual(['https://a.example'])
  expect(links('https://a.example/docs를 보세요')).toEqual(['https://a.example/docs'])
  expect(links('https://a.example/docs/2026-회의 에서')).toEqual(['https://a.example/docs/2026-회의'])
})

test('a quote or angle bracket ends an address', () => {
  expect(links('https://a.example/"onmouseover="x')).toEqual(['https://a.example/'])
})

test('mentions in any script, not inside an address of mail', () => {
  expect(pieces('@수아 and @jun_2! a@b.example').filter((piece) => piece.kind === 'mention')).toEqual([
    { kind: 'mention', text: '@수아' },
    { kind: 'mention', text: '@jun_2' },
  ])
})

test('highlights are cut at their ranges and repaired where they are wrong', () => {
  expect(marked('오늘 회의는', [[3, 5]])).toEqual([
    { text: '오늘 ', hit: false },
    { text: '회의', hit: true },
    { text: '는', hit: false },
  ])
  expect(
    marked('abc', [
      [1, 9],
      [0, 2],
      [-4, -1],
    ])
      .map((piece) => piece.text)
      .join(''),
  ).toBe('abc')
})
