import { describe, expect, it } from 'vitest'
import { parseName, textSchema } from './names.js'

describe('names', () => {
  it.each(['민아', 'Mina Kim', '👨‍👩‍👧 가족', 'a'.repeat(32), '가'.repeat(32)])('takes %s', (name) => {
    expect(parseName(name)).toBe(name)
  })

  it.each(['', '   ', 'a/b', 'a'.repeat(33), 'a\u0000b', 'a\nb', '\u202eabc', '\ud800', 7, null])(
    'refuses %j',
    (name) => {
      expect(parseName(name)).toBeUndefined()
    },
  )

  it('composes Hangul and drops blanks around', () => {
    expect(parseName(` ${'민아'.normalize('NFD')} `)).toBe('민아')
  })
})

describe('texts', () => {
  it('composes Hangul and keeps lines and joined emoji', () => {
    expect(textSchema.parse(`${'회의'.normalize('NFD')}\r\n\t👨‍👩‍👧`)).toBe('회의\n\t👨‍👩‍👧')
  })

  it.each(['', ' \n ', 'a\u0000', '\ud800', 'x'.repeat(4001)])('refuses %j', (text) => {
    expect(textSchema.safeParse(text).success).toBe(false)
  })

  it('counts a character outside the basic plane as one', () => {
    expect(textSchema.safeParse('🦊'.repeat(4000)).success).toBe(true)
    expect(textSchema.safeParse('🦊'.repeat(4001)).success).toBe(false)
  })
})
