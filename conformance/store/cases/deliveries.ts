import { describe, expect, test } from 'vitest'
import { deadStream, missingKey } from '../../../packages/yeoul/src/runtime/keys.js'
import type { Fields } from '../../../packages/yeoul/src/runtime/store.js'
import { type Bench, shown } from '../bench.js'

export function deliveries(bench: Bench): void {
  describe('deliveries', () => {
    test('R1 whoever comes upon a pending entry that somebody deleted writes down which it was', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 4)
      await bench.store.ensureGroup(stream, 'g', '0')
      const held = await bench.deliver(stream, 'g', 'c', 4)
      await bench.store.remove(stream, ids.slice(0, 3))
      expect(await bench.store.heartbeat(stream, 'g', 'c', [held[0], held[3]])).toEqual([ids[0]])
      expect(await bench.store.claimIds(stream, 'g', 'd', [ids[1]], 0)).toEqual([])
      expect((await bench.store.claim(stream, 'g', 'd', { minIdle: 0, count: 10 })).deleted).toContain(ids[2])
      const noted = await bench.store.range(missingKey(stream), '-', '+')
      expect(noted.map(({ fields }) => fields.map(String))).toEqual([
        ['group', 'g', 'id', ids[0], 'consumer', 'c', 'deliveries', '1'],
        ['group', 'g', 'id', ids[1], 'consumer', 'c', 'deliveries', '1'],
        ['group', 'g', 'id', ids[2], 'consumer', 'c', 'deliveries', '1'],
      ])
      expect((await bench.store.pending(stream, 'g', { count: 10 })).map(({ id }) => id)).toEqual([ids[3]])
    })

    const setUp = async (count = 3) => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, count)
      await bench.store.ensureGroup(stream, 'g', '0')
      const held = await bench.deliver(stream, 'g', 'zombie', count)
      return { stream, ids, held }
    }

    test('R3 a claim counts one delivery more and says how long the entry was idle', async () => {
      const { stream, ids } = await setUp()
      const none = await bench.store.claim(stream, 'g', 'live', { minIdle: 3_600_000, count: 10 })
      expect(none).toEqual({ next: '0-0', deliveries: [], deleted: [] })
      const first = await bench.store.claim(stream, 'g', 'live', { minIdle: 0, count: 2 })
      expect(first.deliveries.map(({ id, deliveries }) => [id, deliveries])).toEqual([
        [ids[0], 2],
        [ids[1], 2],
      ])
      expect(first.deliveries.map(({ fields }) => fields.map(String))).toEqual([
        ['data', '0'],
        ['data', '1'],
      ])
      for (const { idle } of first.deliveries) expect(idle).toBeGreaterThanOrEqual(0)
      const rest = await bench.store.claim(stream, 'g', 'live', { minIdle: 0, count: 2, cursor: first.next })
      expect(rest.deliveries.map(({ id }) => id)).toEqual([ids[2]])
      expect(rest.next).toBe('0-0')
      expect((await bench.store.pending(stream, 'g', { count: 9 })).every(({ consumer }) => consumer === 'live')).toBe(
        true,
      )
    })

    test('R3 claims of two processes at once take each entry once', async () => {
      const { stream, ids } = await setUp(40)
      const second = await bench.another()
      await new Promise((resolve) => setTimeout(resolve, 1_050)) // so idle that the second claim cannot find them idle again
      const [a, b] = await Promise.all([
        bench.store.claim(stream, 'g', 'a', { minIdle: 1_000, count: 40 }),
        second.claim(stream, 'g', 'b', { minIdle: 1_000, count: 40 }),
      ])
      const taken = [...a.deliveries, ...b.deliveries].map(({ id }) => id)
      expect(taken.sort()).toEqual([...ids].sort())
    })

    test('R3 what was taken over is fenced: a late settle, dead letter, reschedule, heartbeat, release change nothing', async () => {
      const { stream, ids, held } = await setUp()
      await bench.store.claim(stream, 'g', 'live', { minIdle: 0, count: 2 })
      const before = await bench.store.pending(stream, 'g', { count: 10 })
      expect(await bench.store.settle(stream, 'g', 'zombie', held.slice(0, 2))).toEqual(ids.slice(0, 2))
      expect(await bench.store.heartbeat(stream, 'g', 'zombie', held.slice(0, 2))).toEqual(ids.slice(0, 2))
      await bench.store.release(stream, 'g', 'zombie', held.slice(0, 2))
      const dead = { stream: deadStream(stream, 'g'), fields: ['data', 'x'] }
      expect(await bench.store.deadLetter(stream, 'g', 'zombie', held[0], dead)).toBeNull()
      const later = { due: 0, key: 'k', fields: ['data', 'x'] }
      expect(await bench.store.reschedule(stream, 'g', 'zombie', held[0], later)).toBe(false)
      const after = await bench.store.pending(stream, 'g', { count: 10 })
      expect(after.map(({ id, consumer, deliveries }) => [id, consumer, deliveries])).toEqual(
        before.map(({ id, consumer, deliveries }) => [id, consumer, deliveries]),
      )
      expect(await bench.store.info(dead.stream)).toBeNull()
      expect(await bench.store.scheduled(stream)).toEqual({ waiting: 0, nextDue: null })
      expect(await bench.store.settle(stream, 'g', 'zombie', held)).toEqual(ids.slice(0, 2))
    })

    test('R3 the delivery count fences one consumer against its own past', async () => {
      const { stream, ids, held } = await setUp(1)
      const [again] = await bench.store.claimIds(stream, 'g', 'zombie', ids, 0)
      expect(again).toMatchObject({ id: ids[0], deliveries: 2 })
      expect(await bench.store.settle(stream, 'g', 'zombie', held)).toEqual(ids)
      expect(await bench.store.settle(stream, 'g', 'zombie', [again])).toEqual([])
    })

    test('R4 claimIds takes exactly those given, if idle enough', async () => {
      const { stream, ids } = await setUp()
      expect(await bench.store.claimIds(stream, 'g', 'live', [ids[1]], 3_600_000)).toEqual([])
      const [taken] = await bench.store.claimIds(stream, 'g', 'live', [ids[1], '1-1'], 0)
      expect(taken).toMatchObject({ id: ids[1], deliveries: 2 })
      expect(taken.fields.map(String)).toEqual(['data', '1'])
      expect(await bench.store.pending(stream, 'g', { count: 9, consumer: 'live' })).toHaveLength(1)
      expect(await bench.store.claimIds(stream, 'g', 'live', [], 0)).toEqual([])
    })

    test('settle answers what was settled already; ids in any order; thousands at once', async () => {
      const { stream, ids, held } = await setUp(3000)
      const odd = held.filter((_, i) => i % 2).reverse()
      expect(await bench.store.settle(stream, 'g', 'zombie', odd)).toEqual([])
      expect(new Set(await bench.store.settle(stream, 'g', 'zombie', held))).toEqual(new Set(odd.map(({ id }) => id)))
      expect((await bench.store.groups(stream))[0].pending).toBe(0)
      expect(await bench.store.settle(stream, 'g', 'zombie', [{ id: ids[0], deliveries: 1 }])).toEqual([ids[0]])
    })

    test('R3 a heartbeat keeps what is held: idle starts again, owner and count stay', async () => {
      const { stream, held } = await setUp()
      await new Promise((resolve) => setTimeout(resolve, 60)) // idle time must have grown
      expect(await bench.store.heartbeat(stream, 'g', 'zombie', held.slice(0, 1))).toEqual([])
      const [first, second] = await bench.store.pending(stream, 'g', { count: 10 })
      expect(first).toMatchObject({ consumer: 'zombie', deliveries: 1 })
      expect(first.idle).toBeLessThan(second.idle)
    })

    test('R15 what is released can be claimed at once, and the delivery is not counted', async () => {
      const { stream, ids, held } = await setUp()
      await bench.store.release(stream, 'g', 'zombie', held)
      const { deliveries } = await bench.store.claim(stream, 'g', 'live', { minIdle: 3_600_000, count: 10 })
      expect(deliveries.map(({ id, deliveries: count }) => [id, count])).toEqual(ids.map((id) => [id, 1]))
    })

    test('claim names entries that were deleted and drops them from the pending list', async () => {
      const { stream, ids } = await setUp()
      await bench.store.remove(stream, [ids[1]])
      const { deliveries, deleted } = await bench.store.claim(stream, 'g', 'live', { minIdle: 0, count: 10 })
      expect(deleted).toEqual([ids[1]])
      expect(deliveries.map(({ id }) => id)).toEqual([ids[0], ids[2]])
      expect((await bench.store.groups(stream))[0].pending).toBe(2)
    })

    test('R5 a dead letter is appended there and acknowledged here, once under repetition', async () => {
      const { stream, held } = await setUp(1)
      const target = { stream: deadStream(stream, 'g'), fields: ['data', '0', '_reason', 'exhausted'] }
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => bench.store.deadLetter(stream, 'g', 'zombie', held[0], target)),
      )
      expect(answers.filter((id) => id !== null)).toHaveLength(1)
      const letters = await bench.store.range(target.stream, '-', '+')
      expect(shown(letters)).toEqual([[answers.find((id) => id !== null), 'data', '0', '_reason', 'exhausted']])
      expect((await bench.store.groups(stream))[0].pending).toBe(0)
    })

    test('R4 a reschedule leaves the stream for the schedule, once under repetition', async () => {
      const { stream, ids, held } = await setUp(1)
      const later = { due: 0, key: ids[0], fields: ['data', '0', '_attempt', '3'] }
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => bench.store.reschedule(stream, 'g', 'zombie', held[0], later)),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      expect(await bench.store.scheduled(stream)).toEqual({ waiting: 1, nextDue: 0 })
      expect((await bench.store.groups(stream))[0].pending).toBe(0)
      expect(await bench.store.promote(stream, 10)).toEqual({ promoted: 1, nextDue: null, waiting: 0 })
      const entries = await bench.store.range(stream, '-', '+')
      expect(entries[1].fields.map(String)).toEqual(['data', '0', '_attempt', '3'])
    })

    test('R5 redrive moves letters once each, also from two processes at once', async () => {
      const { stream, held } = await setUp(30)
      const dead = deadStream(stream, 'g')
      const letters: { id: string; fields: Fields }[] = []
      for (const [i, delivery] of held.entries()) {
        const fields = ['data', String(i)]
        const id = await bench.store.deadLetter(stream, 'g', 'zombie', delivery, { stream: dead, fields })
        letters.push({ id: id!, fields })
      }
      const second = await bench.another()
      const [a, b] = await Promise.all([
        bench.store.redrive(dead, stream, letters),
        second.redrive(dead, stream, [...letters].reverse()),
      ])
      expect([...a, ...b].filter((id) => id !== null)).toHaveLength(30)
      expect(a.map((id, i) => id !== null || b[29 - i] !== null).every(Boolean)).toBe(true)
      expect((await bench.store.info(dead))!.length).toBe(0)
      const back = (await bench.store.range(stream, `(${held[29].id}`, '+')).map(({ fields }) => String(fields[1]))
      expect(back.sort()).toEqual(letters.map(({ fields }) => String(fields[1])).sort())
      expect(await bench.store.redrive(dead, stream, letters.slice(0, 2))).toEqual([null, null])
    })
  })
}
