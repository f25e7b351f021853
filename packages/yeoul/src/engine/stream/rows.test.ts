import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Rows } from './rows.js'

describe('Rows', () => {
  it('keep their order wherever rows come and go', () => {
    const step = fc.record({
      kind: fc.constantFrom('insert', 'insert', 'push', 'push', 'push', 'remove', 'shift', 'truncate', 'split'),
      at: fc.nat(999),
      times: fc.nat(60),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        let rows = new Rows(9, 128)
        let model: number[] = []
        let next = 1
        const insert = (row: number): void => {
          if (model.length === rows.most) return
          const at = rows.insert(row)
          for (let i = 0; i < rows.stride; i++) rows.words[at + i] = next + i
          model.splice(row, 0, next++)
        }
        const remove = (row: number): void => {
          if (model.length === 0) return
          rows.remove(row)
          model.splice(row, 1)
        }
        for (const { kind, at, times } of steps) {
          const row = Math.floor((at / 1000) * model.length)
          if (kind === 'insert') insert(row)
          if (kind === 'push') for (let i = 0; i < times; i++) insert(model.length)
          if (kind === 'remove') remove(row)
          if (kind === 'shift') for (let i = 0; i < times; i++) remove(0)
          if (kind === 'truncate' && at < 200) {
            rows.truncate(row)
            model = model.slice(0, row)
          }
          if (kind === 'split') {
            const upper = rows.split(row)
            expect(rows.size).toBe(row)
            if (at % 2) {
              rows = upper
              model = model.slice(row)
            } else {
              model = model.slice(0, row)
            }
          }
          expect(rows.size).toBe(model.length)
          expect(model.map((_, r) => rows.words[rows.at(r)])).toEqual(model)
          expect(model.map((_, r) => rows.words[rows.at(r) + 8] - 8)).toEqual(model)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('refuse a row more than they may hold', () => {
    const rows = new Rows(2, 8)
    for (let i = 0; i < 8; i++) rows.insert(rows.size)
    expect(rows.exhausted).toBe(true)
    expect(() => rows.insert(3)).toThrow(RangeError)
  })
})
