import { describe, expect, test } from 'vitest'
import type { StreamStore } from '../../../packages/yeoul/src/runtime/store.js'
import { appendUntil, type Bench } from '../bench.js'

export function reading(bench: Bench): void {
  describe('range and read', () => {
    test('from, to, exclusive, count and reverse', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 6)
      const got = async (...args: Parameters<StreamStore['range']>) =>
        (await bench.store.range(...args)).map(({ id }) => id)
      expect(await got(stream, ids[1], ids[3])).toEqual(ids.slice(1, 4))
      expect(await got(stream, `(${ids[1]}`, `(${ids[4]}`)).toEqual(ids.slice(2, 4))
      expect(await got(stream, '-', '+', { count: 2 })).toEqual(ids.slice(0, 2))
      expect(await got(stream, '-', '+', { count: 2, reverse: true })).toEqual([ids[5], ids[4]])
      expect(await got(stream, ids[1], ids[3], { reverse: true })).toEqual([ids[3], ids[2], ids[1]])
      expect(await got(bench.fresh(), '-', '+')).toEqual([])
    })

    test('remove takes entries out by id and counts those that were there', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 3)
      expect(await bench.store.remove(stream, [ids[1], ids[1], '1-1'])).toBe(1)
      expect(await bench.store.remove(stream, [])).toBe(0)
      expect((await bench.store.range(stream, '-', '+')).map(({ id }) => id)).toEqual([ids[0], ids[2]])
      expect(await bench.store.info(stream)).toMatchObject({ length: 2, maxDeletedId: ids[1], entriesAdded: 3 })
    })

    test('read gives what comes after each id, and nothing without waiting when there is nothing', async () => {
      const a = bench.fresh()
      const b = bench.fresh()
      const [first, second] = await bench.fill(a, 2)
      const [only] = await bench.fill(b, 1)
      const read = await bench.store.read(
        new Map([
          [a, first],
          [b, '0'],
        ]),
        { count: 10 },
      )
      expect(Object.fromEntries(read.map(({ stream, entries }) => [stream, entries.map(({ id }) => id)]))).toEqual({
        [a]: [second],
        [b]: [only],
      })
      expect(await bench.store.read(new Map([[b, only]]), {})).toEqual([])
    })

    test('a waiting read is woken by an append', async () => {
      const stream = bench.fresh()
      const waiting = bench.store.read(new Map([[stream, '$']]), { block: 20_000 })
      const { id } = await appendUntil(waiting, () => bench.store.append(stream, ['data', 'hello']))
      const [{ entries }] = await waiting
      expect(entries[0].id <= id).toBe(true)
      expect(String(entries[0].fields[1])).toBe('hello')
    })

    test('a waiting read answers empty when its time is up', async () => {
      expect(await bench.store.read(new Map([[bench.fresh(), '$']]), { block: 15 })).toEqual([])
    })

    test('a waiting read ends at once when its signal is aborted', async () => {
      const stop = new AbortController()
      const waiting = bench.store.read(new Map([[bench.fresh(), '$']]), { block: 60_000, signal: stop.signal })
      stop.abort()
      expect(await waiting).toEqual([])
      expect(await bench.store.read(new Map([[bench.fresh(), '$']]), { block: 60_000, signal: stop.signal })).toEqual(
        [],
      )
    })

    test('waiting reads do not delay other calls', async () => {
      const stops = Array.from({ length: 30 }, () => new AbortController())
      const waiting = stops.map(({ signal }) =>
        bench.store.read(new Map([[bench.fresh(), '$']]), { block: 60_000, signal }),
      )
      await bench.store.append(bench.fresh(), ['a', '1'])
      await bench.store.ping()
      for (const stop of stops) stop.abort()
      expect((await Promise.all(waiting)).flat()).toEqual([])
    })
  })

  describe('facts of streams', () => {
    test('info of a stream, null for none', async () => {
      const stream = bench.fresh()
      expect(await bench.store.info(stream)).toBeNull()
      const ids = await bench.fill(stream, 3)
      const info = await bench.store.info(stream)
      expect(info).toMatchObject({
        length: 3,
        firstId: ids[0],
        lastId: ids[2],
        entriesAdded: 3,
        groups: 0,
        maxDeletedId: '0-0',
      })
      expect(info!.memory === null || info!.memory > 0).toBe(true)
    })

    test('registers are shared by all processes', async () => {
      const register = `things-${bench.fresh()}`
      const second = await bench.another()
      expect(await bench.store.registered(register)).toEqual(new Map())
      await bench.store.register(register, 'a', '{"n":1}')
      await second.register(register, '이름', '둘')
      await bench.store.register(register, 'a', '{"n":2}')
      expect(await second.registered(register)).toEqual(
        new Map([
          ['a', '{"n":2}'],
          ['이름', '둘'],
        ]),
      )
      await bench.store.unregister(register, 'a')
      await bench.store.unregister(register, 'a')
      expect([...(await bench.store.registered(register)).keys()]).toEqual(['이름'])
    })

    test('consumers: what each holds and how long it has been idle', async () => {
      const stream = bench.fresh()
      await bench.fill(stream, 1)
      await bench.store.ensureGroup(stream, 'g', '0')
      await bench.store.readGroup([stream], 'g', 'c', { count: 1 })
      const [consumer] = await bench.store.consumers(stream, 'g')
      expect(consumer).toMatchObject({ name: 'c', pending: 1 })
      expect(consumer.inactive === null || consumer.inactive >= 0).toBe(true)
      expect(consumer.idle).toBeGreaterThanOrEqual(0)
    })
  })
}
