import { describe, expect, test } from 'vitest'
import type { Bench } from '../bench.js'

export function schedule(bench: Bench): void {
  describe('schedule', () => {
    test('R6 what is due is appended, oldest first, at most the limit; the next due time is told', async () => {
      const stream = bench.fresh()
      const far = 4_000_000_000_000
      await bench.store.schedule(stream, ['n', '2'], { due: 2, key: 'b' })
      await bench.store.schedule(stream, ['n', '1'], { due: 1, key: 'a' })
      await bench.store.schedule(stream, ['n', '3'], { due: 3, key: 'c' })
      await bench.store.schedule(stream, ['n', 'far'], { due: far, key: 'd' })
      expect(await bench.store.scheduled(stream)).toEqual({ waiting: 4, nextDue: 1 })
      expect(await bench.store.info(stream)).toBeNull()
      expect(await bench.store.promote(stream, 2)).toEqual({ promoted: 2, nextDue: 3, waiting: 2 })
      expect(await bench.store.promote(stream, 10)).toEqual({ promoted: 1, nextDue: far, waiting: 1 })
      expect(await bench.store.promote(stream, 10)).toEqual({ promoted: 0, nextDue: far, waiting: 1 })
      expect((await bench.store.range(stream, '-', '+')).map(({ fields }) => String(fields[1]))).toEqual([
        '1',
        '2',
        '3',
      ])
    })

    test('R6 the same key replaces; unschedule takes out', async () => {
      const stream = bench.fresh()
      await bench.store.schedule(stream, ['n', 'old'], { due: 1, key: 'k' })
      await bench.store.schedule(stream, ['n', 'new'], { due: 2, key: 'k' })
      expect(await bench.store.scheduled(stream)).toEqual({ waiting: 1, nextDue: 2 })
      expect(await bench.store.unschedule(stream, 'other')).toBe(false)
      await bench.store.schedule(stream, ['n', 'gone'], { due: 1, key: 'x' })
      expect(await bench.store.unschedule(stream, 'x')).toBe(true)
      expect(await bench.store.promote(stream, 10)).toMatchObject({ promoted: 1, waiting: 0 })
      expect((await bench.store.range(stream, '-', '+')).map(({ fields }) => String(fields[1]))).toEqual(['new'])
    })

    test('R6 two processes promote each entry once; fields are bytes', async () => {
      const stream = bench.fresh()
      const second = await bench.another()
      const bytes = Buffer.from([0, 58, 255, 13, 10, 49, 58])
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          bench.store.schedule(stream, ['n', String(i), bytes, bytes, '', ''], { due: i, key: `k${i}` }),
        ),
      )
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 ? bench.store : second).promote(stream, 10)),
      )
      expect(results.reduce((sum, { promoted }) => sum + promoted, 0)).toBe(50)
      const entries = await bench.store.range(stream, '-', '+')
      expect(entries.map(({ fields }) => String(fields[1]))).toEqual(Array.from({ length: 50 }, (_, i) => String(i)))
      expect(entries[49].fields.slice(2)).toEqual([bytes, bytes, Buffer.alloc(0), Buffer.alloc(0)])
    })
  })
}
