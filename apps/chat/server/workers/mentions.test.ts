import { expect, it } from 'vitest'
import { mentioned } from './mentions.js'

const people = ['민', '민아', '지훈', 'mina', 'Mina Kim', 'jun', '🦊여우']

it.each([
  ['a name', '@지훈 회의 들어오세요', ['지훈']],
  ['a name with a particle', '@지훈아 @민아에게 보냈어', ['지훈', '민아']],
  ['the longest name that fits', '@민아 안녕, @민 안녕', ['민아', '민']],
  ['a Korean title behind a Latin name', '@mina님 @jun씨', ['mina', 'jun']],
  ['a name with a blank', 'ask @Mina Kim about it', ['Mina Kim']],
  ['any case', 'hi @JUN', ['jun']],
  ['no longer Latin name', '@minami @junior', []],
  ['no address inside a word', 'mail jun@mina.kr', []],
  ['punctuation around', '(@jun), "@mina"!', ['jun', 'mina']],
  ['each once', '@jun @jun @jun', ['jun']],
  ['characters outside the basic plane', '👋@🦊여우야', ['🦊여우']],
  ['nobody', '@ @@ @누구', []],
])('mentions: %s', (_, text, expected) => {
  expect(mentioned(text, people)).toEqual(expected)
})
