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

    test('R2 with `once` a repeat changes nothing: while it waits, after it was appended, and against an append', async () => {
      const stream = bench.fresh()
      const once = { window: 60_000 }
      const first = await bench.store.schedule(stream, ['n', '1'], { due: 5, key: 'k', once })
      expect(first).toEqual({ duplicate: false, id: null, due: null })
      const repeat = () => bench.store.schedule(stream, ['n', '2'], { due: 9, key: 'k', once })
      expect(await repeat()).toEqual({ duplicate: true, id: null, due: 5 })
      expect(await bench.store.promote(stream, 10)).toMatchObject({ promoted: 1, waiting: 0 })
      expect(await repeat()).toEqual({ duplicate: true, id: null, due: 5 })
      const append = { once: { id: 'k', window: 60_000 } }
      expect(await bench.store.append(stream, ['n', '3'], append)).toEqual({ id: '@5', duplicate: true })
      const { id } = await bench.store.append(stream, ['n', '4'], { once: { id: 'other', window: 60_000 } })
      expect(await bench.store.schedule(stream, ['n', '5'], { due: 9, key: 'other', once })).toEqual({
        duplicate: true,
        id,
        due: null,
      })
      expect((await bench.store.range(stream, '-', '+')).map(({ fields }) => String(fields[1]))).toEqual(['1', '4'])
      expect(await bench.store.scheduled(stream)).toEqual({ waiting: 0, nextDue: null })
    })

    test('R2 what was taken out of the schedule may be published again', async () => {
      const stream = bench.fresh()
      const later = { due: 4_000_000_000_000, key: 'k', once: { window: 60_000 } }
      await bench.store.schedule(stream, ['n', '1'], later)
      expect(await bench.store.unschedule(stream, 'k')).toBe(true)
      expect(await bench.store.schedule(stream, ['n', '2'], later)).toMatchObject({ duplicate: false })
    })

    test('R1 what waits can be listed in pages, by due time, bytes unchanged', async () => {
      const stream = bench.fresh()
      const bytes = Buffer.from([0, 58, 255])
      for (const due of [3, 1, 2]) await bench.store.schedule(stream, [`n${due}`, bytes], { due, key: `k${due}` })
      expect(await bench.store.scheduledEntries(stream, 0, 2)).toEqual([
        { key: 'k1', due: 1, fields: [Buffer.from('n1'), bytes] },
        { key: 'k2', due: 2, fields: [Buffer.from('n2'), bytes] },
      ])
      expect((await bench.store.scheduledEntries(stream, 2, 2)).map(({ key }) => key)).toEqual(['k3'])
      expect(await bench.store.scheduledEntries(stream, 3, 2)).toEqual([])
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
