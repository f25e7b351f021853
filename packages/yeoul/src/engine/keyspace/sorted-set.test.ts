import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedSet } from './sorted-set.js'

/** The order as it is defined, made anew each time. */
class Model {
  readonly scores = new Map<string, number>()

  get order(): [string, number][] {
    return [...this.scores].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))
  }
}

function all(set: SortedSet): [string, number][] {
  const found: [string, number][] = []
  set.walk(0, set.size, (member, score) => void found.push([member, score]))
  return found
}

const member = fc.integer({ min: 0, max: 3000 }).map((n) => `m${n}`)
const score = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(Infinity, -Infinity, 0.5))

describe('sorted set', () => {
  it('keeps the order of score, then of bytes, whatever comes and goes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('set', 'set', 'set', 'delete'), member, score), {
          size: 'max',
          maxLength: 4000,
        }),
        (steps) => {
          const set = new SortedSet()
          const model = new Model()
          for (const [step, name, value] of steps) {
            if (step === 'set') {
              expect(set.set(name, value)).toBe(!model.scores.has(name))
              model.scores.set(name, value)
            } else expect(set.delete(name)).toBe(model.scores.delete(name))
          }
          const { order } = model
          expect(all(set)).toEqual(order)
          expect(set.size).toBe(order.length)
          order.forEach(([name], i) => {
            if (i % 17 === 0) expect(set.rank(name)).toBe(i)
          })
          const back: string[] = []
          set.walkBack(1, set.size, (name) => void back.push(name))
          expect(back).toEqual(
            order
              .slice(1)
              .map(([name]) => name)
              .reverse(),
          )
          for (const bound of [-5, 0, 0.5, 5, Infinity]) {
            const below = order.filter(([, value]) => value < bound).length
            const upTo = order.filter(([, value]) => value <= bound).length
            expect(set.rankOfScore({ value: bound, exclusive: false })).toBe(below)
            expect(set.rankOfScore({ value: bound, exclusive: true })).toBe(upTo)
            expect(set.rankAfterScore({ value: bound, exclusive: false })).toBe(upTo)
            expect(set.rankAfterScore({ value: bound, exclusive: true })).toBe(below)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('takes a hundred thousand members in rising order and gives them back from the front', () => {
    const set = new SortedSet()
    for (let i = 0; i < 100_000; i++) set.set(`m${i}`, i)
    for (let i = 0; i < 100_000; i += 1000) expect(set.rank(`m${i}`)).toBe(i)
    for (let i = 0; i < 99_999; i++) set.delete(`m${i}`)
    expect(all(set)).toEqual([['m99999', 99_999]])
  })
})
