import { describe, expect, test } from 'vitest'
import type { Bench } from '../bench.js'

export function trimming(bench: Bench): void {
  describe('trim', () => {
    test('R11 never takes what a group has not acknowledged', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 250)
      expect(await bench.store.trim(stream, { acknowledged: true })).toEqual({ removed: 0, unread: 0, length: 250 })
      expect(await bench.store.trim(stream, { maxLength: 0 })).toMatchObject({ removed: 0, length: 250 })
      await bench.store.ensureGroup(stream, 'a', '0')
      await bench.store.ensureGroup(stream, 'b', '0')
      expect(await bench.store.trim(stream, { acknowledged: true })).toMatchObject({ removed: 0 })
      const a = await bench.deliver(stream, 'a', 'c', 200)
      await bench.store.settle(stream, 'a', 'c', a)
      expect(await bench.store.trim(stream, { maxLength: 0 })).toMatchObject({ removed: 0 })
      const b = await bench.deliver(stream, 'b', 'c', 150)
      await bench.store.settle(stream, 'b', 'c', [...b.slice(0, 40), ...b.slice(41)])
      expect(await bench.store.trim(stream, { acknowledged: true })).toEqual({ removed: 40, unread: 0, length: 210 })
      await bench.store.settle(stream, 'b', 'c', [b[40]])
      expect(await bench.store.trim(stream, { acknowledged: true })).toEqual({ removed: 110, unread: 0, length: 100 })
      expect((await bench.store.range(stream, '-', '+', { count: 1 }))[0].id).toBe(ids[150])
      const rest = await bench.deliver(stream, 'b', 'c', 1000)
      expect(rest).toHaveLength(100)
    })

    test('R1 what trimming took is on record: how much, below which id, and what was forced', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 10)
      await bench.store.ensureGroup(stream, 'g', '0')
      expect((await bench.store.info(stream))?.trimmed).toEqual({ removed: 0, below: null, forcedBelow: null })
      await bench.store.settle(stream, 'g', 'c', await bench.deliver(stream, 'g', 'c', 4))
      await bench.store.trim(stream, { acknowledged: true, maxLength: 7 })
      expect((await bench.store.info(stream))?.trimmed).toEqual({ removed: 3, below: ids[3], forcedBelow: null })
      await bench.store.trim(stream, { minId: ids[8], force: true })
      expect((await bench.store.info(stream))?.trimmed).toEqual({ removed: 8, below: ids[8], forcedBelow: ids[8] })
      await bench.store.trim(stream, { maxLength: 0, force: true })
      const info = await bench.store.info(stream)
      expect(info?.trimmed.removed).toBe(10)
      expect(info?.trimmed.below).toMatch(new RegExp(`^${ids[9].split('-')[0]}-`))
      expect(info?.trimmed.below).not.toBe(ids[9])
    })

    test('R11 maxLength, minId and limit are kept exactly, within what is acknowledged', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 300)
      await bench.store.ensureGroup(stream, 'g', '$')
      expect(await bench.store.trim(stream, { maxLength: 295 })).toEqual({ removed: 5, unread: 0, length: 295 })
      expect(await bench.store.trim(stream, { minId: ids[10] })).toEqual({ removed: 5, unread: 0, length: 290 })
      expect(await bench.store.trim(stream, { acknowledged: true, limit: 7 })).toEqual({
        removed: 7,
        unread: 0,
        length: 283,
      })
      expect(await bench.store.trim(stream, { maxLength: 50, limit: 120 })).toEqual({
        removed: 120,
        unread: 0,
        length: 163,
      })
      expect(await bench.store.trim(stream, { maxLength: 200 })).toEqual({ removed: 0, unread: 0, length: 163 })
      expect(await bench.store.trim(stream, { acknowledged: true })).toEqual({ removed: 163, unread: 0, length: 0 })
      expect(await bench.store.trim(stream, {})).toEqual({ removed: 0, unread: 0, length: 0 })
      expect(await bench.store.trim(bench.fresh(), { maxLength: 1 })).toEqual({ removed: 0, unread: 0, length: 0 })
    })

    test('R11 force is explicit and counts what a group had not handled', async () => {
      const stream = bench.fresh()
      await bench.fill(stream, 20)
      await bench.store.ensureGroup(stream, 'g', '0')
      const held = await bench.deliver(stream, 'g', 'c', 5)
      await bench.store.settle(stream, 'g', 'c', held)
      expect(await bench.store.trim(stream, { maxLength: 12, force: true })).toEqual({
        removed: 8,
        unread: 3,
        length: 12,
      })
      expect(await bench.store.trim(stream, { acknowledged: true, force: true })).toMatchObject({ removed: 0 })
      const alone = bench.fresh()
      await bench.fill(alone, 5)
      expect(await bench.store.trim(alone, { maxLength: 2, force: true })).toEqual({ removed: 3, unread: 0, length: 2 })
    })

    test('R11 a group that was lost still counts by its checkpoint', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 10)
      await bench.store.ensureGroup(stream, 'there', '$')
      await bench.store.checkpoint(stream, 'lost', ids[3])
      expect(await bench.store.trim(stream, { acknowledged: true })).toEqual({ removed: 4, unread: 0, length: 6 })
    })
  })
}
