import fc from 'fast-check'
import { expect, test } from 'vitest'
import { advanceRead, unreadBy, unreadCount } from './unread.js'

test('members minus those whose position has reached the message; the author has read it', () => {
  const reads = new Map([
    ['mina', 3],
    ['jun', 5],
    ['sua', 9],
  ])
  expect(unreadBy(4, reads, 5, 'mina')).toBe(1)
  expect(unreadBy(4, reads, 6, 'mina')).toBe(2)
  expect(unreadBy(4, reads, 3, 'mina')).toBe(1)
})

test('an author without a position still counts as a reader of the own message', () => {
  expect(unreadBy(3, new Map([['mina', 0]]), 1, 'jun')).toBe(2)
})

test('never below zero, whatever the member count says', () => {
  expect(unreadBy(0, new Map([['mina', 9]]), 2, 'jun')).toBe(0)
})

test('positions never move back', () => {
  const reads = new Map([['mina', 5]])
  expect(advanceRead(reads, 'mina', 4)).toBe(false)
  expect(advanceRead(reads, 'mina', 7)).toBe(true)
  expect(reads.get('mina')).toBe(7)
})

test('a pill never goes below zero', () => {
  expect(unreadCount(4, 9)).toBe(0)
  expect(unreadCount(9, 4)).toBe(5)
})

test('receipts in any order from several devices: derived equals brute force at every step', () => {
  const users = ['mina', 'jun', 'sua', 'min']
  const receipt = fc.record({ user: fc.constantFrom(...users), seq: fc.integer({ min: 0, max: 30 }) })
  fc.assert(
    fc.property(fc.array(receipt, { maxLength: 60 }), (receipts) => {
      const reads = new Map<string, number>()
      const seen: { user: string; seq: number }[] = []
      for (const one of receipts) {
        advanceRead(reads, one.user, one.seq)
        seen.push(one)
        for (const seq of [1, 10, 30]) {
          const unread = users.filter(
            (user) => user !== 'mina' && !seen.some((past) => past.user === user && past.seq >= seq),
          ).length
          expect(unreadBy(users.length, reads, seq, 'mina')).toBe(unread)
        }
      }
    }),
  )
})
