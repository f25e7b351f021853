import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { message } from './messages.fixture.js'
import { Timeline } from './timeline.js'

const seqs = (timeline: Timeline) => timeline.messages().map((held) => held.seq)

describe('timeline', () => {
  test('out of order and twice: shown once each, in order', () => {
    const timeline = new Timeline()
    timeline.startAfter(0)
    expect(timeline.merge([message(3), message(1)]).map((added) => added.seq)).toEqual([1, 3])
    expect(timeline.merge([message(3), message(2)]).map((added) => added.seq)).toEqual([2])
    expect(seqs(timeline)).toEqual([1, 2, 3])
    expect(timeline.gaps()).toEqual([])
  })

  test('a jump is a gap until it is filled, and a reconnect resumes before it', () => {
    const timeline = new Timeline()
    timeline.startAfter(10)
    timeline.merge([message(11), message(14)])
    expect(timeline.gaps()).toEqual([{ from: 12, to: 13 }])
    expect(timeline.contiguous()).toBe(11)
    timeline.merge([message(12), message(13)])
    expect(timeline.gaps()).toEqual([])
    expect(timeline.contiguous()).toBe(14)
  })

  test('a top that was only announced is a gap at the end', () => {
    const timeline = new Timeline()
    timeline.startAfter(5)
    timeline.raiseTop(8)
    expect(timeline.gaps()).toEqual([{ from: 6, to: 8 }])
    expect(timeline.missingLive()).toBe(3)
  })

  test('history before the first held message is no gap; a distant segment makes one', () => {
    const timeline = new Timeline()
    timeline.startAfter(100)
    timeline.merge([message(101)])
    expect(timeline.gaps()).toEqual([])
    timeline.merge([message(40), message(41)])
    expect(timeline.gaps()).toEqual([{ from: 42, to: 100 }])
    expect(timeline.missingLive()).toBe(0)
    expect(timeline.contiguous()).toBe(101)
  })

  test('a reconnect never forgets what joined history already covers', () => {
    const timeline = new Timeline()
    timeline.startAfter(10)
    timeline.merge([message(11), message(12)])
    timeline.startAfter(50)
    expect(timeline.contiguous()).toBe(12)
  })

  test('one client id under two sequences is shown once and leaves no hole', () => {
    const timeline = new Timeline()
    timeline.startAfter(0)
    timeline.merge([message(1, { clientId: 'x' }), message(2, { clientId: 'x' }), message(3)])
    expect(seqs(timeline)).toEqual([1, 3])
    expect(timeline.gaps()).toEqual([])
  })

  test('the same client id of two users is two messages', () => {
    const timeline = new Timeline()
    timeline.merge([message(1, { clientId: 'x' }), message(2, { clientId: 'x', user: 'jun' })])
    expect(seqs(timeline)).toEqual([1, 2])
  })

  test('stored is learnt from a later copy and from the stored mark, never unlearnt', () => {
    const timeline = new Timeline()
    timeline.merge([message(1), message(2)])
    timeline.merge([message(1, { stored: true })])
    expect(timeline.isStored(timeline.get(1)!)).toBe(true)
    expect(timeline.isStored(timeline.get(2)!)).toBe(false)
    timeline.markStored(2)
    timeline.markStored(1)
    timeline.merge([message(1)])
    expect(timeline.messages().every((held) => timeline.isStored(held))).toBe(true)
  })

  test('any delivery of 1…n with losses, doubles and disorder: rows and gaps together are exactly 1…top', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 120 }), (arrivals) => {
        const timeline = new Timeline()
        timeline.startAfter(0)
        for (const seq of arrivals) timeline.merge([message(seq)])
        const covered = new Map<number, number>()
        const cover = (seq: number) => covered.set(seq, (covered.get(seq) ?? 0) + 1)
        for (const seq of seqs(timeline)) cover(seq)
        for (const gap of timeline.gaps()) for (let seq = gap.from; seq <= gap.to; seq++) cover(seq)
        const top = Math.max(...arrivals)
        expect([...covered.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: top }, (_, index) => index + 1))
        expect([...covered.values()].every((times) => times === 1)).toBe(true)
        expect(seqs(timeline)).toEqual([...new Set(arrivals)].sort((a, b) => a - b))
      }),
    )
  })
})
