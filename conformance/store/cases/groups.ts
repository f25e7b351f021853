import { describe, expect, test } from 'vitest'
import type { Bench } from '../bench.js'

export function groups(bench: Bench): void {
  describe('groups', () => {
    test('ensureGroup makes a group once; it starts where it is told', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 3)
      expect(await bench.store.ensureGroup(stream, 'all', '0')).toBe(true)
      expect(await bench.store.ensureGroup(stream, 'all', '$')).toBe(false)
      await bench.store.ensureGroup(stream, 'end', '$')
      await bench.store.ensureGroup(stream, 'middle', ids[0])
      expect(await bench.deliver(stream, 'all', 'c', 10)).toHaveLength(3)
      expect(await bench.store.readGroup([stream], 'end', 'c', { count: 10 })).toEqual([])
      expect((await bench.deliver(stream, 'middle', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(1))
    })

    test('ensureGroup makes the stream as well', async () => {
      const stream = bench.fresh()
      await bench.store.ensureGroup(stream, 'g', '$')
      expect(await bench.store.info(stream)).toMatchObject({ length: 0, groups: 1, firstId: null, lastId: '0-0' })
    })

    test('R1 each entry goes to one consumer and stays pending until settled', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 4)
      await bench.store.ensureGroup(stream, 'g', '0')
      const one = await bench.deliver(stream, 'g', 'one', 2)
      const two = await bench.deliver(stream, 'g', 'two', 10)
      expect([...one, ...two].map(({ id }) => id)).toEqual(ids)
      expect(await bench.store.settle(stream, 'g', 'one', one)).toEqual([])
      const pending = await bench.store.pending(stream, 'g', { count: 10 })
      expect(pending.map(({ id, consumer, deliveries }) => [id, consumer, deliveries])).toEqual([
        [ids[2], 'two', 1],
        [ids[3], 'two', 1],
      ])
      expect(await bench.store.pending(stream, 'g', { count: 10, consumer: 'one' })).toEqual([])
      expect(await bench.store.pending(stream, 'g', { count: 10, from: ids[3], to: '+' })).toHaveLength(1)
      expect(await bench.store.pending(stream, 'g', { count: 10, minIdle: 3_600_000 })).toEqual([])
    })

    test('a waiting group read is woken by an append; several streams at once', async () => {
      const streams = [bench.fresh(), bench.fresh(), bench.fresh()]
      for (const stream of streams) await bench.store.ensureGroup(stream, 'g', '0')
      const waiting = bench.store.readGroup(streams, 'g', 'c', { count: 10, block: 20_000 })
      await bench.store.append(streams[1], ['data', 'x'])
      const read = await waiting
      expect(read.map(({ stream, entries }) => [stream, entries.length])).toEqual([[streams[1], 1]])
    })

    test('a group read that is aborted while waiting delivers nothing to nobody', async () => {
      const stream = bench.fresh()
      await bench.store.ensureGroup(stream, 'g', '0')
      for (let i = 0; i < 10; i++) {
        const stop = new AbortController()
        const waiting = bench.store.readGroup([stream], 'g', 'c', { count: 10, block: 20_000, signal: stop.signal })
        const appended = bench.store.append(stream, ['n', String(i)])
        stop.abort()
        const got = (await waiting).flatMap(({ entries }) => entries)
        await appended
        const rest = (await bench.store.readGroup([stream], 'g', 'c', { count: 10 })).flatMap(({ entries }) => entries)
        expect([...got, ...rest]).toHaveLength(1)
      }
    })

    test('R14 a missing group is told apart: GROUP_MISSING', async () => {
      const stream = bench.fresh()
      const missing = { code: 'GROUP_MISSING', outcome: 'none', retriable: false }
      await expect(bench.store.readGroup([stream], 'g', 'c', { count: 1 })).rejects.toMatchObject(missing)
      await bench.store.append(stream, ['a', '1'])
      await expect(bench.store.readGroup([stream], 'g', 'c', { count: 1 })).rejects.toMatchObject(missing)
      await expect(bench.store.readGroup([stream], 'g', 'c', { count: 1, block: 50 })).rejects.toMatchObject(missing)
      await expect(bench.store.settle(stream, 'g', 'c', [{ id: '1-1', deliveries: 1 }])).rejects.toMatchObject(missing)
      await expect(bench.store.consumers(stream, 'g')).rejects.toMatchObject(missing)
      await expect(bench.store.setGroup(bench.fresh(), 'g', '0')).rejects.toMatchObject(missing)
    })

    test('R14 a lost group comes back at its checkpoint, neither at 0 nor at $', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 5)
      await bench.store.ensureGroup(stream, 'g', '0')
      await bench.store.checkpoint(stream, 'g', ids[2])
      await bench.store.checkpoint(stream, 'g', ids[1]) // never moves back
      expect((await bench.store.groups(stream))[0].checkpoint).toBe(ids[2])
      await loseGroup(stream, 'g')
      expect(await bench.store.ensureGroup(stream, 'g', '0')).toBe(true)
      expect((await bench.deliver(stream, 'g', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(3))
    })

    test('R14 a checkpoint beyond a stream that was lost as well skips nothing new', async () => {
      const stream = bench.fresh()
      await bench.store.ensureGroup(stream, 'g', '0')
      await bench.store.checkpoint(stream, 'g', '9999999999999-5')
      await loseGroup(stream, 'g')
      await bench.store.ensureGroup(stream, 'g', '0')
      const { id } = await bench.store.append(stream, ['a', '1'])
      expect((await bench.deliver(stream, 'g', 'c', 10)).map((held) => held.id)).toEqual([id])
    })

    // XGROUP DESTROY by somebody else: removeGroup forgets the checkpoint, so it is put back.
    const loseGroup = async (stream: string, group: string): Promise<void> => {
      const mark = (await bench.store.groups(stream)).find(({ name }) => name === group)!.checkpoint!
      await bench.store.removeGroup(stream, group)
      await bench.store.checkpoint(stream, group, mark)
    }

    test('a group that is removed on purpose starts anew', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 3)
      await bench.store.ensureGroup(stream, 'g', '0')
      await bench.store.checkpoint(stream, 'g', ids[2])
      expect(await bench.store.removeGroup(stream, 'g')).toBe(true)
      expect(await bench.store.removeGroup(stream, 'g')).toBe(false)
      expect(await bench.store.removeGroup(bench.fresh(), 'g')).toBe(false)
      await bench.store.ensureGroup(stream, 'g', '0')
      expect(await bench.deliver(stream, 'g', 'c', 10)).toHaveLength(3)
    })

    test('R18 setGroup moves the cursor and the checkpoint; what is pending stays', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 4)
      await bench.store.ensureGroup(stream, 'g', '0')
      const held = await bench.deliver(stream, 'g', 'c', 1)
      await bench.deliver(stream, 'g', 'c', 10)
      await bench.store.checkpoint(stream, 'g', ids[3])
      await bench.store.setGroup(stream, 'g', ids[1])
      expect((await bench.store.groups(stream))[0]).toMatchObject({
        lastDeliveredId: ids[1],
        checkpoint: ids[1],
        pending: 4,
      })
      expect((await bench.deliver(stream, 'g', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(2))
      expect(await bench.store.settle(stream, 'g', 'c', held)).toEqual([])
    })

    test('R16 a consumer is only removed when it holds nothing', async () => {
      const stream = bench.fresh()
      await bench.fill(stream, 1)
      await bench.store.ensureGroup(stream, 'g', '0')
      const held = await bench.deliver(stream, 'g', 'c', 1)
      expect((await bench.store.consumers(stream, 'g')).map(({ name, pending }) => [name, pending])).toEqual([['c', 1]])
      expect(await bench.store.removeConsumer(stream, 'g', 'c')).toBe(false)
      await bench.store.settle(stream, 'g', 'c', held)
      expect(await bench.store.removeConsumer(stream, 'g', 'c')).toBe(true)
      expect(await bench.store.removeConsumer(stream, 'g', 'c')).toBe(false)
      expect(await bench.store.consumers(stream, 'g')).toEqual([])
    })

    test('R20 groups: lag, pending and the oldest pending; unknown is null, never 0', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 5)
      await bench.store.ensureGroup(stream, 'g', '0')
      expect((await bench.store.groups(stream))[0]).toMatchObject({
        pending: 0,
        oldestPendingId: null,
        oldestPendingIdle: null,
      })
      await bench.deliver(stream, 'g', 'c', 2)
      const [group] = await bench.store.groups(stream)
      expect(group).toMatchObject({
        name: 'g',
        consumers: 1,
        pending: 2,
        lastDeliveredId: ids[1],
        entriesRead: 2,
        lag: 3,
        oldestPendingId: ids[0],
        checkpoint: null,
      })
      expect(group.oldestPendingIdle).toBeGreaterThanOrEqual(0)
      await bench.store.remove(stream, [ids[3]])
      expect((await bench.store.groups(stream))[0].lag).toBeNull()
      expect(await bench.store.groups(bench.fresh())).toEqual([])
    })
  })
}
