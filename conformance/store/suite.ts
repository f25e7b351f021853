/**
 * The contract of runtime/store.ts as tests, judged on every store. Features say what a store can show; a test that needs
 * one that is missing is skipped with its reason in the name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadStream } from '../../packages/yeoul/src/runtime/keys.js'
import type { Entry, Fields, Held, StoreFacts, StreamStore } from '../../packages/yeoul/src/runtime/store.js'
import { StoreError } from '../../packages/yeoul/src/runtime/store.js'

export interface StoreUnderTest {
  name: string
  /** A new store on the same data each time: two of them are two processes' views. */
  make(): StreamStore | Promise<StreamStore>
  expected: Partial<StoreFacts>
  features: {
    /** Two stores over the same data at the same time. */
    shared: boolean
    /** Keys of different topics live in different slots. */
    slots: boolean
  }
  stop(): Promise<void>
}

let number = 0

export function storeSuite(start: () => Promise<StoreUnderTest>, title: string): void {
  describe(`store conformance: ${title}`, () => {
    let under: StoreUnderTest
    let store: StreamStore
    let facts: StoreFacts
    const opened: StreamStore[] = []

    const another = async (): Promise<StreamStore> => {
      if (!under.features.shared) return store
      const made = await under.make()
      opened.push(made)
      await made.open()
      return made
    }

    beforeAll(async () => {
      under = await start()
      store = await under.make()
      opened.push(store)
      facts = await store.open()
    }, 60_000)

    afterAll(async () => {
      for (const one of opened) await one.close()
      await under?.stop()
    }, 60_000)

    const fresh = (): string => `topic-${process.pid}-${++number}`

    const fill = async (stream: string, count: number): Promise<string[]> => {
      const appended = await Promise.all(
        Array.from({ length: count }, (_, i) => store.append(stream, ['data', String(i)])),
      )
      return appended.map(({ id }) => id)
    }

    const deliver = async (stream: string, group: string, consumer: string, count: number): Promise<Held[]> => {
      const [read] = await store.readGroup([stream], group, consumer, { count })
      return read.entries.map(({ id }) => ({ id, deliveries: 1 }))
    }

    describe('facts', () => {
      test('R22 the server is probed at open: what it is, how durable, what is unsafe', () => {
        expect(facts).toMatchObject(under.expected)
        expect(facts.version).toMatch(/^\d+\.\d+/)
        for (const warning of facts.warnings) expect(warning).toMatch(/\.$/)
      })

      test('the address carries no credentials', () => {
        expect(store.address).not.toMatch(/@/)
      })

      test('ping answers', async () => {
        await store.ping()
      })
    })

    describe('append', () => {
      test('R2 resolves with the id under which the entry is in the log', async () => {
        const stream = fresh()
        const { id, duplicate } = await store.append(stream, ['data', '{"a":1}', 'key', 'k'])
        expect(duplicate).toBe(false)
        expect(shown(await store.range(stream, '-', '+'))).toEqual([[id, 'data', '{"a":1}', 'key', 'k']])
      })

      test('calls made in one turn take effect in the order they were made, over all kinds of calls', async () => {
        const stream = fresh()
        const other = fresh()
        const results = await Promise.all([
          store.append(stream, ['n', '1']),
          store.append(other, ['n', '1']),
          store.append(stream, ['n', '2']),
          store.range(stream, '-', '+'),
          store.append(stream, ['n', '3'], { sequence: 'k' }),
          store.append(stream, ['n', '4']),
          store.trim(stream, { maxLength: 0, force: true }),
          store.append(stream, ['n', '5']),
        ])
        expect((results[3] as Entry[]).map((entry) => String(entry.fields[1]))).toEqual(['1', '2'])
        expect((await store.range(stream, '-', '+')).map((entry) => String(entry.fields[1]))).toEqual(['5'])
      })

      test('10,000 appends in flight arrive once each, in order', async () => {
        const stream = fresh()
        const ids = await fill(stream, 10_000)
        expect(new Set(ids).size).toBe(10_000)
        const entries = await store.range(stream, '-', '+')
        expect(entries.map(({ id }) => id)).toEqual(ids)
        expect(entries.map(({ fields }) => String(fields[1]))).toEqual(ids.map((_, i) => String(i)))
      })

      test('names and values are bytes', async () => {
        const stream = fresh()
        const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        const fields: Fields = [
          Buffer.from([0, 13, 10, 255]),
          every,
          '이름',
          '값 🌊',
          'empty',
          '',
          Buffer.alloc(0),
          'x',
        ]
        for (const options of [{}, { sequence: 'k' }]) {
          const { id } = await store.append(stream, fields, options)
          const [entry] = await store.range(stream, id, id)
          expect(entry.fields.slice(0, 8)).toEqual(fields.map((field) => Buffer.from(field as string)))
        }
      })

      test('a payload of 1 MB comes back unchanged, alone and among others', async () => {
        const stream = fresh()
        const big = Buffer.alloc(1024 * 1024, 'yeoul ')
        await Promise.all([
          store.append(stream, ['n', 'small']),
          store.append(stream, ['data', big]),
          store.append(stream, ['n', 'small']),
          store.append(stream, ['data', big], { sequence: 's' }),
        ])
        const entries = await store.range(stream, '-', '+')
        expect(entries).toHaveLength(4)
        expect(entries[1].fields[1].equals(big)).toBe(true)
        expect(entries[3].fields[1].equals(big)).toBe(true)
      })

      test('an entry of 5,000 fields', async () => {
        const stream = fresh()
        const fields = Array.from({ length: 10_000 }, (_, i) => String(i))
        await store.append(stream, fields)
        const [entry] = await store.range(stream, '-', '+')
        expect(entry.fields.map(String)).toEqual(fields)
      })

      test('fields without a value are refused and nothing happens', async () => {
        const stream = fresh()
        for (const fields of [[], ['alone'], ['a', 'b', 'c']]) {
          await expect(store.append(stream, fields)).rejects.toMatchObject({ code: 'REFUSED', outcome: 'none' })
        }
        expect(await store.info(stream)).toBeNull()
      })

      test('one bad append of a turn fails alone', async () => {
        const bad = fresh()
        const good = fresh()
        await store.append(bad, ['a', '1'], { once: { id: 'x', window: 60_000 } })
        // The publish mark is a string under a key of its own: appending to it cannot work.
        const mark = `yeoul:{${bad}}:once:x`
        const results = await Promise.allSettled([
          store.append(good, ['n', '1']),
          store.append(mark, ['n', '1']),
          store.append(good, ['n', '2']),
          store.append(good, ['n', '3']),
        ])
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
        expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'WRONG_TYPE', outcome: 'none' })
        expect(await store.range(good, '-', '+')).toHaveLength(3)
      })

      test('R2 once: repetitions within the window answer the first entry, also from two processes at once', async () => {
        const stream = fresh()
        const second = await another()
        const once = { id: 'o-1', window: 60_000 }
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, i) =>
            (i % 2 ? store : second).append(stream, ['data', String(i)], { once, sequence: 'k' }),
          ),
        )
        expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
        expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
        expect(answers.every(({ sequence }) => sequence === 1)).toBe(true)
        expect(await store.range(stream, '-', '+')).toHaveLength(1)
        const next = await store.append(stream, ['data', 'x'], { once: { id: 'o-2', window: 60_000 }, sequence: 'k' })
        expect(next).toMatchObject({ duplicate: false, sequence: 2 })
      })

      test('R2 once: after the window the same id is a new entry', async () => {
        const stream = fresh()
        const once = { id: 'o', window: 1 }
        const first = await store.append(stream, ['a', '1'], { once })
        let again = await store.append(stream, ['a', '2'], { once })
        while (again.duplicate) again = await store.append(stream, ['a', '2'], { once })
        expect(again.id).not.toBe(first.id)
      })

      test('sequence: numbers without a gap per name, in log order, from two processes at once', async () => {
        const stream = fresh()
        const second = await another()
        const answers = await Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            (i % 2 ? store : second).append(stream, ['k', `k${i % 3}`], { sequence: `k${i % 3}` }),
          ),
        )
        const logged = new Map<string, string[]>()
        for (const { fields } of await store.range(stream, '-', '+')) {
          const [, key, name, value] = fields.map(String)
          expect(name).toBe('_seq')
          logged.set(key, [...(logged.get(key) ?? []), value])
        }
        const expected = Array.from({ length: 20 }, (_, i) => String(i + 1))
        expect([...logged.values()]).toEqual([expected, expected, expected])
        expect(answers.reduce((sum, { sequence }) => sum + sequence!, 0)).toBe(3 * 210)
        expect(await store.sequences(stream, ['k0', 'k2', 'none'])).toEqual([20, 20, 0])
        expect(await store.sequences(stream, [])).toEqual([])
      })

      test('R10 bound: past maxLength the append is refused and nothing is written', async () => {
        const stream = fresh()
        const bound = { maxLength: 5 }
        const results = await Promise.allSettled(
          Array.from({ length: 12 }, () => store.append(stream, ['a', '1'], { bound, sequence: 's' })),
        )
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
        const { reason } = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult
        expect(reason).toMatchObject({ code: 'BOUND_REACHED', outcome: 'none', retriable: true })
        expect((await store.info(stream))!.length).toBe(5)
        expect(await store.sequences(stream, ['s'])).toEqual([5])
      })

      test('R10 bound: maxLag counts what the slowest group has not acknowledged', async () => {
        const stream = fresh()
        await store.ensureGroup(stream, 'slow', '0')
        await store.ensureGroup(stream, 'fast', '0')
        const bound = { maxLag: 3 }
        for (let i = 0; i < 3; i++) await store.append(stream, ['a', '1'], { bound })
        const fast = await deliver(stream, 'fast', 'c', 10)
        await store.settle(stream, 'fast', 'c', fast)
        await expect(store.append(stream, ['a', '1'], { bound })).rejects.toMatchObject({ code: 'BOUND_REACHED' })
        const slow = await deliver(stream, 'slow', 'c', 10)
        await expect(store.append(stream, ['a', '1'], { bound })).rejects.toMatchObject({ code: 'BOUND_REACHED' })
        await store.settle(stream, 'slow', 'c', slow.slice(0, 1))
        await store.append(stream, ['a', '1'], { bound })
      })
    })

    describe('range and read', () => {
      test('from, to, exclusive, count and reverse', async () => {
        const stream = fresh()
        const ids = await fill(stream, 6)
        const got = async (...args: Parameters<StreamStore['range']>) =>
          (await store.range(...args)).map(({ id }) => id)
        expect(await got(stream, ids[1], ids[3])).toEqual(ids.slice(1, 4))
        expect(await got(stream, `(${ids[1]}`, `(${ids[4]}`)).toEqual(ids.slice(2, 4))
        expect(await got(stream, '-', '+', { count: 2 })).toEqual(ids.slice(0, 2))
        expect(await got(stream, '-', '+', { count: 2, reverse: true })).toEqual([ids[5], ids[4]])
        expect(await got(stream, ids[1], ids[3], { reverse: true })).toEqual([ids[3], ids[2], ids[1]])
        expect(await got(fresh(), '-', '+')).toEqual([])
      })

      test('remove takes entries out by id and counts those that were there', async () => {
        const stream = fresh()
        const ids = await fill(stream, 3)
        expect(await store.remove(stream, [ids[1], ids[1], '1-1'])).toBe(1)
        expect(await store.remove(stream, [])).toBe(0)
        expect((await store.range(stream, '-', '+')).map(({ id }) => id)).toEqual([ids[0], ids[2]])
        expect(await store.info(stream)).toMatchObject({ length: 2, maxDeletedId: ids[1], entriesAdded: 3 })
      })

      test('read gives what comes after each id, and nothing without waiting when there is nothing', async () => {
        const a = fresh()
        const b = fresh()
        const [first, second] = await fill(a, 2)
        const [only] = await fill(b, 1)
        const read = await store.read(
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
        expect(await store.read(new Map([[b, only]]), {})).toEqual([])
      })

      test('a waiting read is woken by an append', async () => {
        const stream = fresh()
        const waiting = store.read(new Map([[stream, '$']]), { block: 20_000 })
        const { id } = await appendUntil(waiting, () => store.append(stream, ['data', 'hello']))
        const [{ entries }] = await waiting
        expect(entries[0].id <= id).toBe(true)
        expect(String(entries[0].fields[1])).toBe('hello')
      })

      test('a waiting read answers empty when its time is up', async () => {
        expect(await store.read(new Map([[fresh(), '$']]), { block: 15 })).toEqual([])
      })

      test('a waiting read ends at once when its signal is aborted', async () => {
        const stop = new AbortController()
        const waiting = store.read(new Map([[fresh(), '$']]), { block: 60_000, signal: stop.signal })
        stop.abort()
        expect(await waiting).toEqual([])
        expect(await store.read(new Map([[fresh(), '$']]), { block: 60_000, signal: stop.signal })).toEqual([])
      })

      test('waiting reads do not delay other calls', async () => {
        const stops = Array.from({ length: 30 }, () => new AbortController())
        const waiting = stops.map(({ signal }) => store.read(new Map([[fresh(), '$']]), { block: 60_000, signal }))
        await store.append(fresh(), ['a', '1'])
        await store.ping()
        for (const stop of stops) stop.abort()
        expect((await Promise.all(waiting)).flat()).toEqual([])
      })
    })

    describe('groups', () => {
      test('ensureGroup makes a group once; it starts where it is told', async () => {
        const stream = fresh()
        const ids = await fill(stream, 3)
        expect(await store.ensureGroup(stream, 'all', '0')).toBe(true)
        expect(await store.ensureGroup(stream, 'all', '$')).toBe(false)
        await store.ensureGroup(stream, 'end', '$')
        await store.ensureGroup(stream, 'middle', ids[0])
        expect(await deliver(stream, 'all', 'c', 10)).toHaveLength(3)
        expect(await store.readGroup([stream], 'end', 'c', { count: 10 })).toEqual([])
        expect((await deliver(stream, 'middle', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(1))
      })

      test('ensureGroup makes the stream as well', async () => {
        const stream = fresh()
        await store.ensureGroup(stream, 'g', '$')
        expect(await store.info(stream)).toMatchObject({ length: 0, groups: 1, firstId: null, lastId: '0-0' })
      })

      test('R1 each entry goes to one consumer and stays pending until settled', async () => {
        const stream = fresh()
        const ids = await fill(stream, 4)
        await store.ensureGroup(stream, 'g', '0')
        const one = await deliver(stream, 'g', 'one', 2)
        const two = await deliver(stream, 'g', 'two', 10)
        expect([...one, ...two].map(({ id }) => id)).toEqual(ids)
        expect(await store.settle(stream, 'g', 'one', one)).toEqual([])
        const pending = await store.pending(stream, 'g', { count: 10 })
        expect(pending.map(({ id, consumer, deliveries }) => [id, consumer, deliveries])).toEqual([
          [ids[2], 'two', 1],
          [ids[3], 'two', 1],
        ])
        expect(await store.pending(stream, 'g', { count: 10, consumer: 'one' })).toEqual([])
        expect(await store.pending(stream, 'g', { count: 10, from: ids[3], to: '+' })).toHaveLength(1)
        expect(await store.pending(stream, 'g', { count: 10, minIdle: 3_600_000 })).toEqual([])
      })

      test('a waiting group read is woken by an append; several streams at once', async () => {
        const streams = [fresh(), fresh(), fresh()]
        for (const stream of streams) await store.ensureGroup(stream, 'g', '0')
        const waiting = store.readGroup(streams, 'g', 'c', { count: 10, block: 20_000 })
        await store.append(streams[1], ['data', 'x'])
        const read = await waiting
        expect(read.map(({ stream, entries }) => [stream, entries.length])).toEqual([[streams[1], 1]])
      })

      test('a group read that is aborted while waiting delivers nothing to nobody', async () => {
        const stream = fresh()
        await store.ensureGroup(stream, 'g', '0')
        for (let i = 0; i < 10; i++) {
          const stop = new AbortController()
          const waiting = store.readGroup([stream], 'g', 'c', { count: 10, block: 20_000, signal: stop.signal })
          const appended = store.append(stream, ['n', String(i)])
          stop.abort()
          const got = (await waiting).flatMap(({ entries }) => entries)
          await appended
          const rest = (await store.readGroup([stream], 'g', 'c', { count: 10 })).flatMap(({ entries }) => entries)
          expect([...got, ...rest]).toHaveLength(1)
        }
      })

      test('R14 a missing group is told apart: GROUP_MISSING', async () => {
        const stream = fresh()
        const missing = { code: 'GROUP_MISSING', outcome: 'none', retriable: false }
        await expect(store.readGroup([stream], 'g', 'c', { count: 1 })).rejects.toMatchObject(missing)
        await store.append(stream, ['a', '1'])
        await expect(store.readGroup([stream], 'g', 'c', { count: 1 })).rejects.toMatchObject(missing)
        await expect(store.readGroup([stream], 'g', 'c', { count: 1, block: 50 })).rejects.toMatchObject(missing)
        await expect(store.settle(stream, 'g', 'c', [{ id: '1-1', deliveries: 1 }])).rejects.toMatchObject(missing)
        await expect(store.consumers(stream, 'g')).rejects.toMatchObject(missing)
        await expect(store.setGroup(fresh(), 'g', '0')).rejects.toMatchObject(missing)
      })

      test('R14 a lost group comes back at its checkpoint, neither at 0 nor at $', async () => {
        const stream = fresh()
        const ids = await fill(stream, 5)
        await store.ensureGroup(stream, 'g', '0')
        await store.checkpoint(stream, 'g', ids[2])
        await store.checkpoint(stream, 'g', ids[1]) // never moves back
        expect((await store.groups(stream))[0].checkpoint).toBe(ids[2])
        await loseGroup(stream, 'g')
        expect(await store.ensureGroup(stream, 'g', '0')).toBe(true)
        expect((await deliver(stream, 'g', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(3))
      })

      test('R14 a checkpoint beyond a stream that was lost as well skips nothing new', async () => {
        const stream = fresh()
        await store.ensureGroup(stream, 'g', '0')
        await store.checkpoint(stream, 'g', '9999999999999-5')
        await loseGroup(stream, 'g')
        await store.ensureGroup(stream, 'g', '0')
        const { id } = await store.append(stream, ['a', '1'])
        expect((await deliver(stream, 'g', 'c', 10)).map((held) => held.id)).toEqual([id])
      })

      // XGROUP DESTROY by somebody else: removeGroup forgets the checkpoint, so it is put back.
      const loseGroup = async (stream: string, group: string): Promise<void> => {
        const mark = (await store.groups(stream)).find(({ name }) => name === group)!.checkpoint!
        await store.removeGroup(stream, group)
        await store.checkpoint(stream, group, mark)
      }

      test('a group that is removed on purpose starts anew', async () => {
        const stream = fresh()
        const ids = await fill(stream, 3)
        await store.ensureGroup(stream, 'g', '0')
        await store.checkpoint(stream, 'g', ids[2])
        expect(await store.removeGroup(stream, 'g')).toBe(true)
        expect(await store.removeGroup(stream, 'g')).toBe(false)
        expect(await store.removeGroup(fresh(), 'g')).toBe(false)
        await store.ensureGroup(stream, 'g', '0')
        expect(await deliver(stream, 'g', 'c', 10)).toHaveLength(3)
      })

      test('R18 setGroup moves the cursor and the checkpoint; what is pending stays', async () => {
        const stream = fresh()
        const ids = await fill(stream, 4)
        await store.ensureGroup(stream, 'g', '0')
        const held = await deliver(stream, 'g', 'c', 1)
        await deliver(stream, 'g', 'c', 10)
        await store.checkpoint(stream, 'g', ids[3])
        await store.setGroup(stream, 'g', ids[1])
        expect((await store.groups(stream))[0]).toMatchObject({
          lastDeliveredId: ids[1],
          checkpoint: ids[1],
          pending: 4,
        })
        expect((await deliver(stream, 'g', 'c', 10)).map(({ id }) => id)).toEqual(ids.slice(2))
        expect(await store.settle(stream, 'g', 'c', held)).toEqual([])
      })

      test('R16 a consumer is only removed when it holds nothing', async () => {
        const stream = fresh()
        await fill(stream, 1)
        await store.ensureGroup(stream, 'g', '0')
        const held = await deliver(stream, 'g', 'c', 1)
        expect((await store.consumers(stream, 'g')).map(({ name, pending }) => [name, pending])).toEqual([['c', 1]])
        expect(await store.removeConsumer(stream, 'g', 'c')).toBe(false)
        await store.settle(stream, 'g', 'c', held)
        expect(await store.removeConsumer(stream, 'g', 'c')).toBe(true)
        expect(await store.removeConsumer(stream, 'g', 'c')).toBe(false)
        expect(await store.consumers(stream, 'g')).toEqual([])
      })

      test('R20 groups: lag, pending and the oldest pending; unknown is null, never 0', async () => {
        const stream = fresh()
        const ids = await fill(stream, 5)
        await store.ensureGroup(stream, 'g', '0')
        expect((await store.groups(stream))[0]).toMatchObject({
          pending: 0,
          oldestPendingId: null,
          oldestPendingIdle: null,
        })
        await deliver(stream, 'g', 'c', 2)
        const [group] = await store.groups(stream)
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
        await store.remove(stream, [ids[3]])
        expect((await store.groups(stream))[0].lag).toBeNull()
        expect(await store.groups(fresh())).toEqual([])
      })
    })

    describe('deliveries', () => {
      const setUp = async (count = 3) => {
        const stream = fresh()
        const ids = await fill(stream, count)
        await store.ensureGroup(stream, 'g', '0')
        const held = await deliver(stream, 'g', 'zombie', count)
        return { stream, ids, held }
      }

      test('R3 a claim counts one delivery more and says how long the entry was idle', async () => {
        const { stream, ids } = await setUp()
        const none = await store.claim(stream, 'g', 'live', { minIdle: 3_600_000, count: 10 })
        expect(none).toEqual({ next: '0-0', deliveries: [], deleted: [] })
        const first = await store.claim(stream, 'g', 'live', { minIdle: 0, count: 2 })
        expect(first.deliveries.map(({ id, deliveries }) => [id, deliveries])).toEqual([
          [ids[0], 2],
          [ids[1], 2],
        ])
        expect(first.deliveries.map(({ fields }) => fields.map(String))).toEqual([
          ['data', '0'],
          ['data', '1'],
        ])
        for (const { idle } of first.deliveries) expect(idle).toBeGreaterThanOrEqual(0)
        const rest = await store.claim(stream, 'g', 'live', { minIdle: 0, count: 2, cursor: first.next })
        expect(rest.deliveries.map(({ id }) => id)).toEqual([ids[2]])
        expect(rest.next).toBe('0-0')
        expect((await store.pending(stream, 'g', { count: 9 })).every(({ consumer }) => consumer === 'live')).toBe(true)
      })

      test('R3 claims of two processes at once take each entry once', async () => {
        const { stream, ids } = await setUp(40)
        const second = await another()
        await new Promise((resolve) => setTimeout(resolve, 30)) // the entries must have been idle for 20 ms
        const [a, b] = await Promise.all([
          store.claim(stream, 'g', 'a', { minIdle: 20, count: 40 }),
          second.claim(stream, 'g', 'b', { minIdle: 20, count: 40 }),
        ])
        const taken = [...a.deliveries, ...b.deliveries].map(({ id }) => id)
        expect(taken.sort()).toEqual([...ids].sort())
      })

      test('R3 what was taken over is fenced: a late settle, dead letter, reschedule, heartbeat, release change nothing', async () => {
        const { stream, ids, held } = await setUp()
        await store.claim(stream, 'g', 'live', { minIdle: 0, count: 2 })
        const before = await store.pending(stream, 'g', { count: 10 })
        expect(await store.settle(stream, 'g', 'zombie', held.slice(0, 2))).toEqual(ids.slice(0, 2))
        expect(await store.heartbeat(stream, 'g', 'zombie', held.slice(0, 2))).toEqual(ids.slice(0, 2))
        await store.release(stream, 'g', 'zombie', held.slice(0, 2))
        const dead = { stream: deadStream(stream, 'g'), fields: ['data', 'x'] }
        expect(await store.deadLetter(stream, 'g', 'zombie', held[0], dead)).toBeNull()
        const later = { due: 0, key: 'k', fields: ['data', 'x'] }
        expect(await store.reschedule(stream, 'g', 'zombie', held[0], later)).toBe(false)
        const after = await store.pending(stream, 'g', { count: 10 })
        expect(after.map(({ id, consumer, deliveries }) => [id, consumer, deliveries])).toEqual(
          before.map(({ id, consumer, deliveries }) => [id, consumer, deliveries]),
        )
        expect(await store.info(dead.stream)).toBeNull()
        expect(await store.scheduled(stream)).toEqual({ waiting: 0, nextDue: null })
        expect(await store.settle(stream, 'g', 'zombie', held)).toEqual(ids.slice(0, 2))
      })

      test('R3 the delivery count fences one consumer against its own past', async () => {
        const { stream, ids, held } = await setUp(1)
        const [again] = await store.claimIds(stream, 'g', 'zombie', ids, 0)
        expect(again).toMatchObject({ id: ids[0], deliveries: 2 })
        expect(await store.settle(stream, 'g', 'zombie', held)).toEqual(ids)
        expect(await store.settle(stream, 'g', 'zombie', [again])).toEqual([])
      })

      test('R4 claimIds takes exactly those given, if idle enough', async () => {
        const { stream, ids } = await setUp()
        expect(await store.claimIds(stream, 'g', 'live', [ids[1]], 3_600_000)).toEqual([])
        const [taken] = await store.claimIds(stream, 'g', 'live', [ids[1], '1-1'], 0)
        expect(taken).toMatchObject({ id: ids[1], deliveries: 2 })
        expect(taken.fields.map(String)).toEqual(['data', '1'])
        expect(await store.pending(stream, 'g', { count: 9, consumer: 'live' })).toHaveLength(1)
        expect(await store.claimIds(stream, 'g', 'live', [], 0)).toEqual([])
      })

      test('settle answers what was settled already; ids in any order; thousands at once', async () => {
        const { stream, ids, held } = await setUp(3000)
        const odd = held.filter((_, i) => i % 2).reverse()
        expect(await store.settle(stream, 'g', 'zombie', odd)).toEqual([])
        expect(new Set(await store.settle(stream, 'g', 'zombie', held))).toEqual(new Set(odd.map(({ id }) => id)))
        expect((await store.groups(stream))[0].pending).toBe(0)
        expect(await store.settle(stream, 'g', 'zombie', [{ id: ids[0], deliveries: 1 }])).toEqual([ids[0]])
      })

      test('R3 a heartbeat keeps what is held: idle starts again, owner and count stay', async () => {
        const { stream, held } = await setUp()
        await new Promise((resolve) => setTimeout(resolve, 60)) // idle time must have grown
        expect(await store.heartbeat(stream, 'g', 'zombie', held.slice(0, 1))).toEqual([])
        const [first, second] = await store.pending(stream, 'g', { count: 10 })
        expect(first).toMatchObject({ consumer: 'zombie', deliveries: 1 })
        expect(first.idle).toBeLessThan(second.idle)
      })

      test('R15 what is released can be claimed at once, and the delivery is not counted', async () => {
        const { stream, ids, held } = await setUp()
        await store.release(stream, 'g', 'zombie', held)
        const { deliveries } = await store.claim(stream, 'g', 'live', { minIdle: 3_600_000, count: 10 })
        expect(deliveries.map(({ id, deliveries: count }) => [id, count])).toEqual(ids.map((id) => [id, 1]))
      })

      test('claim names entries that were deleted and drops them from the pending list', async () => {
        const { stream, ids } = await setUp()
        await store.remove(stream, [ids[1]])
        const { deliveries, deleted } = await store.claim(stream, 'g', 'live', { minIdle: 0, count: 10 })
        expect(deleted).toEqual([ids[1]])
        expect(deliveries.map(({ id }) => id)).toEqual([ids[0], ids[2]])
        expect((await store.groups(stream))[0].pending).toBe(2)
      })

      test('R5 a dead letter is appended there and acknowledged here, once under repetition', async () => {
        const { stream, held } = await setUp(1)
        const target = { stream: deadStream(stream, 'g'), fields: ['data', '0', '_reason', 'exhausted'] }
        const answers = await Promise.all(
          Array.from({ length: 5 }, () => store.deadLetter(stream, 'g', 'zombie', held[0], target)),
        )
        expect(answers.filter((id) => id !== null)).toHaveLength(1)
        const letters = await store.range(target.stream, '-', '+')
        expect(shown(letters)).toEqual([[answers.find((id) => id !== null), 'data', '0', '_reason', 'exhausted']])
        expect((await store.groups(stream))[0].pending).toBe(0)
      })

      test('R4 a reschedule leaves the stream for the schedule, once under repetition', async () => {
        const { stream, ids, held } = await setUp(1)
        const later = { due: 0, key: ids[0], fields: ['data', '0', '_attempt', '3'] }
        const answers = await Promise.all(
          Array.from({ length: 5 }, () => store.reschedule(stream, 'g', 'zombie', held[0], later)),
        )
        expect(answers.filter(Boolean)).toHaveLength(1)
        expect(await store.scheduled(stream)).toEqual({ waiting: 1, nextDue: 0 })
        expect((await store.groups(stream))[0].pending).toBe(0)
        expect(await store.promote(stream, 10)).toEqual({ promoted: 1, nextDue: null, waiting: 0 })
        const entries = await store.range(stream, '-', '+')
        expect(entries[1].fields.map(String)).toEqual(['data', '0', '_attempt', '3'])
      })

      test('R5 redrive moves letters once each, also from two processes at once', async () => {
        const { stream, held } = await setUp(30)
        const dead = deadStream(stream, 'g')
        const letters: { id: string; fields: Fields }[] = []
        for (const [i, delivery] of held.entries()) {
          const fields = ['data', String(i)]
          const id = await store.deadLetter(stream, 'g', 'zombie', delivery, { stream: dead, fields })
          letters.push({ id: id!, fields })
        }
        const second = await another()
        const [a, b] = await Promise.all([
          store.redrive(dead, stream, letters),
          second.redrive(dead, stream, [...letters].reverse()),
        ])
        expect([...a, ...b].filter((id) => id !== null)).toHaveLength(30)
        expect(a.map((id, i) => id !== null || b[29 - i] !== null).every(Boolean)).toBe(true)
        expect((await store.info(dead))!.length).toBe(0)
        const back = (await store.range(stream, `(${held[29].id}`, '+')).map(({ fields }) => String(fields[1]))
        expect(back.sort()).toEqual(letters.map(({ fields }) => String(fields[1])).sort())
        expect(await store.redrive(dead, stream, letters.slice(0, 2))).toEqual([null, null])
      })
    })

    describe('schedule', () => {
      test('R6 what is due is appended, oldest first, at most the limit; the next due time is told', async () => {
        const stream = fresh()
        const far = 4_000_000_000_000
        await store.schedule(stream, ['n', '2'], { due: 2, key: 'b' })
        await store.schedule(stream, ['n', '1'], { due: 1, key: 'a' })
        await store.schedule(stream, ['n', '3'], { due: 3, key: 'c' })
        await store.schedule(stream, ['n', 'far'], { due: far, key: 'd' })
        expect(await store.scheduled(stream)).toEqual({ waiting: 4, nextDue: 1 })
        expect(await store.info(stream)).toBeNull()
        expect(await store.promote(stream, 2)).toEqual({ promoted: 2, nextDue: 3, waiting: 2 })
        expect(await store.promote(stream, 10)).toEqual({ promoted: 1, nextDue: far, waiting: 1 })
        expect(await store.promote(stream, 10)).toEqual({ promoted: 0, nextDue: far, waiting: 1 })
        expect((await store.range(stream, '-', '+')).map(({ fields }) => String(fields[1]))).toEqual(['1', '2', '3'])
      })

      test('R6 the same key replaces; unschedule takes out', async () => {
        const stream = fresh()
        await store.schedule(stream, ['n', 'old'], { due: 1, key: 'k' })
        await store.schedule(stream, ['n', 'new'], { due: 2, key: 'k' })
        expect(await store.scheduled(stream)).toEqual({ waiting: 1, nextDue: 2 })
        expect(await store.unschedule(stream, 'other')).toBe(false)
        await store.schedule(stream, ['n', 'gone'], { due: 1, key: 'x' })
        expect(await store.unschedule(stream, 'x')).toBe(true)
        expect(await store.promote(stream, 10)).toMatchObject({ promoted: 1, waiting: 0 })
        expect((await store.range(stream, '-', '+')).map(({ fields }) => String(fields[1]))).toEqual(['new'])
      })

      test('R6 two processes promote each entry once; fields are bytes', async () => {
        const stream = fresh()
        const second = await another()
        const bytes = Buffer.from([0, 58, 255, 13, 10, 49, 58])
        await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            store.schedule(stream, ['n', String(i), bytes, bytes, '', ''], { due: i, key: `k${i}` }),
          ),
        )
        const results = await Promise.all(
          Array.from({ length: 10 }, (_, i) => (i % 2 ? store : second).promote(stream, 10)),
        )
        expect(results.reduce((sum, { promoted }) => sum + promoted, 0)).toBe(50)
        const entries = await store.range(stream, '-', '+')
        expect(entries.map(({ fields }) => String(fields[1]))).toEqual(Array.from({ length: 50 }, (_, i) => String(i)))
        expect(entries[49].fields.slice(2)).toEqual([bytes, bytes, Buffer.alloc(0), Buffer.alloc(0)])
      })
    })

    describe('trim', () => {
      test('R11 never takes what a group has not acknowledged', async () => {
        const stream = fresh()
        const ids = await fill(stream, 250)
        expect(await store.trim(stream, { acknowledged: true })).toEqual({ removed: 0, unread: 0, length: 250 })
        expect(await store.trim(stream, { maxLength: 0 })).toMatchObject({ removed: 0, length: 250 })
        await store.ensureGroup(stream, 'a', '0')
        await store.ensureGroup(stream, 'b', '0')
        expect(await store.trim(stream, { acknowledged: true })).toMatchObject({ removed: 0 })
        const a = await deliver(stream, 'a', 'c', 200)
        await store.settle(stream, 'a', 'c', a)
        expect(await store.trim(stream, { maxLength: 0 })).toMatchObject({ removed: 0 })
        const b = await deliver(stream, 'b', 'c', 150)
        await store.settle(stream, 'b', 'c', [...b.slice(0, 40), ...b.slice(41)])
        expect(await store.trim(stream, { acknowledged: true })).toEqual({ removed: 40, unread: 0, length: 210 })
        await store.settle(stream, 'b', 'c', [b[40]])
        expect(await store.trim(stream, { acknowledged: true })).toEqual({ removed: 110, unread: 0, length: 100 })
        expect((await store.range(stream, '-', '+', { count: 1 }))[0].id).toBe(ids[150])
        const rest = await deliver(stream, 'b', 'c', 1000)
        expect(rest).toHaveLength(100)
      })

      test('R11 maxLength, minId and limit are kept exactly, within what is acknowledged', async () => {
        const stream = fresh()
        const ids = await fill(stream, 300)
        await store.ensureGroup(stream, 'g', '$')
        expect(await store.trim(stream, { maxLength: 295 })).toEqual({ removed: 5, unread: 0, length: 295 })
        expect(await store.trim(stream, { minId: ids[10] })).toEqual({ removed: 5, unread: 0, length: 290 })
        expect(await store.trim(stream, { acknowledged: true, limit: 7 })).toEqual({
          removed: 7,
          unread: 0,
          length: 283,
        })
        expect(await store.trim(stream, { maxLength: 50, limit: 120 })).toEqual({
          removed: 120,
          unread: 0,
          length: 163,
        })
        expect(await store.trim(stream, { maxLength: 200 })).toEqual({ removed: 0, unread: 0, length: 163 })
        expect(await store.trim(stream, { acknowledged: true })).toEqual({ removed: 163, unread: 0, length: 0 })
        expect(await store.trim(stream, {})).toEqual({ removed: 0, unread: 0, length: 0 })
        expect(await store.trim(fresh(), { maxLength: 1 })).toEqual({ removed: 0, unread: 0, length: 0 })
      })

      test('R11 force is explicit and counts what a group had not handled', async () => {
        const stream = fresh()
        await fill(stream, 20)
        await store.ensureGroup(stream, 'g', '0')
        const held = await deliver(stream, 'g', 'c', 5)
        await store.settle(stream, 'g', 'c', held)
        expect(await store.trim(stream, { maxLength: 12, force: true })).toEqual({ removed: 8, unread: 3, length: 12 })
        expect(await store.trim(stream, { acknowledged: true, force: true })).toMatchObject({ removed: 0 })
        const alone = fresh()
        await fill(alone, 5)
        expect(await store.trim(alone, { maxLength: 2, force: true })).toEqual({ removed: 3, unread: 0, length: 2 })
      })

      test('R11 a group that was lost still counts by its checkpoint', async () => {
        const stream = fresh()
        const ids = await fill(stream, 10)
        await store.ensureGroup(stream, 'there', '$')
        await store.checkpoint(stream, 'lost', ids[3])
        expect(await store.trim(stream, { acknowledged: true })).toEqual({ removed: 4, unread: 0, length: 6 })
      })
    })

    describe('facts of streams', () => {
      test('info of a stream, null for none', async () => {
        const stream = fresh()
        expect(await store.info(stream)).toBeNull()
        const ids = await fill(stream, 3)
        const info = await store.info(stream)
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
        const register = `things-${fresh()}`
        const second = await another()
        expect(await store.registered(register)).toEqual(new Map())
        await store.register(register, 'a', '{"n":1}')
        await second.register(register, '이름', '둘')
        await store.register(register, 'a', '{"n":2}')
        expect(await second.registered(register)).toEqual(
          new Map([
            ['a', '{"n":2}'],
            ['이름', '둘'],
          ]),
        )
        await store.unregister(register, 'a')
        await store.unregister(register, 'a')
        expect([...(await store.registered(register)).keys()]).toEqual(['이름'])
      })

      test('consumers: what each holds and how long it has been idle', async () => {
        const stream = fresh()
        await fill(stream, 1)
        await store.ensureGroup(stream, 'g', '0')
        await store.readGroup([stream], 'g', 'c', { count: 1 })
        const [consumer] = await store.consumers(stream, 'g')
        expect(consumer).toMatchObject({ name: 'c', pending: 1 })
        expect(consumer.inactive === null || consumer.inactive >= 0).toBe(true)
        expect(consumer.idle).toBeGreaterThanOrEqual(0)
      })
    })

    describe('channels', () => {
      test('messages reach subscribers of the channel and of patterns, as bytes, in order', async () => {
        const second = await another()
        const channel = `channel-${fresh()}`
        const heard: [string, string, string][] = []
        const bytes = Buffer.from([0, 255, 13, 10])
        let finish: (() => void) | undefined
        const done = new Promise<void>((resolve) => (finish = resolve))
        const listen = (who: string) => (message: Buffer, from: string) => {
          heard.push([who, from, message.toString('latin1')])
          if (heard.length === 6) finish?.()
        }
        const subscriptions = await Promise.all([
          store.channels.subscribe({ channels: [channel] }, listen('exact')),
          store.channels.subscribe({ patterns: [`${channel.slice(0, -1)}*`] }, listen('pattern')),
        ])
        for (const message of ['one', 'two', bytes]) {
          expect(await second.channels.publish(channel, message)).toBeGreaterThanOrEqual(under.features.slots ? 0 : 1)
        }
        await done
        for (const who of ['exact', 'pattern']) {
          expect(heard.filter(([name]) => name === who).map(([, , text]) => text)).toEqual([
            'one',
            'two',
            bytes.toString('latin1'),
          ])
        }
        expect(heard.every(([, from]) => from === channel)).toBe(true)
        for (const subscription of subscriptions) await subscription.close()
        expect(await second.channels.publish(channel, 'nobody')).toBe(0)
      })

      test('two subscribers of one channel; the one that leaves hears nothing more', async () => {
        const channel = `channel-${fresh()}`
        const heard: string[] = []
        let reached: (() => void) | undefined
        const listen = (who: string) => (message: Buffer) => {
          heard.push(`${who} ${message}`)
          if (String(message) === 'end') reached?.()
        }
        const [a] = await Promise.all([
          store.channels.subscribe({ channels: [channel] }, listen('a')),
          store.channels.subscribe({ channels: [channel] }, listen('b')),
        ])
        await a.close()
        await a.close()
        const end = new Promise<void>((resolve) => (reached = resolve))
        await store.channels.publish(channel, 'end')
        await end
        expect(heard).toEqual(['b end'])
      })

      test('a channel without subscribers reaches nobody', async () => {
        expect(await store.channels.publish(`channel-${fresh()}`, 'x')).toBe(0)
      })
    })

    describe('close', () => {
      test('close ends waiting reads with nothing, lets calls under way finish, and may be called twice', async () => {
        if (!under.features.shared) return
        const one = await under.make()
        await one.open()
        const stream = fresh()
        await one.ensureGroup(stream, 'g', '$')
        const waiting = one.read(new Map([[stream, '$']]), { block: 60_000 })
        const waitingGroup = one.readGroup([stream, fresh()].slice(0, 1), 'g', 'c', { count: 1, block: 60_000 })
        const appends = Promise.all(Array.from({ length: 200 }, (_, i) => one.append(stream + 'x', ['n', String(i)])))
        await Promise.all([one.close(), one.close()])
        expect(await waiting).toEqual([])
        expect(await waitingGroup).toEqual([])
        expect(await appends).toHaveLength(200)
        await one.close()
        await expect(one.append(stream, ['a', '1'])).rejects.toMatchObject({ code: 'CLOSED', outcome: 'none' })
        await expect(one.readGroup([stream], 'g', 'c', { count: 1, block: 10 })).rejects.toBeInstanceOf(StoreError)
        await expect(one.channels.subscribe({ channels: ['c'] }, () => {})).rejects.toMatchObject({ code: 'CLOSED' })
      })
    })
  })
}

/** An append may come before the read has begun to wait (`$` = from then on): append until it has answered. */
async function appendUntil<T>(waiting: Promise<unknown>, append: () => Promise<T>): Promise<T> {
  let over = false
  void waiting.finally(() => (over = true)).catch(() => {})
  let last = await append()
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (!over) last = await append()
  }
  return last
}

function shown(entries: Entry[]): string[][] {
  return entries.map(({ id, fields }) => [id, ...fields.map(String)])
}
