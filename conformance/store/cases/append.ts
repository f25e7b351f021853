import { describe, expect, test } from 'vitest'
import type { Entry, Fields } from '../../../packages/yeoul/src/runtime/store.js'
import { type Bench, shown } from '../bench.js'

export function appending(bench: Bench): void {
  describe('append', () => {
    test('R2 resolves with the id under which the entry is in the log', async () => {
      const stream = bench.fresh()
      const { id, duplicate } = await bench.store.append(stream, ['data', '{"a":1}', 'key', 'k'])
      expect(duplicate).toBe(false)
      expect(shown(await bench.store.range(stream, '-', '+'))).toEqual([[id, 'data', '{"a":1}', 'key', 'k']])
    })

    test('calls made in one turn take effect in the order they were made, over all kinds of calls', async () => {
      const stream = bench.fresh()
      const other = bench.fresh()
      const results = await Promise.all([
        bench.store.append(stream, ['n', '1']),
        bench.store.append(other, ['n', '1']),
        bench.store.append(stream, ['n', '2']),
        bench.store.range(stream, '-', '+'),
        bench.store.append(stream, ['n', '3'], { sequence: 'k' }),
        bench.store.append(stream, ['n', '4']),
        bench.store.trim(stream, { maxLength: 0, force: true }),
        bench.store.append(stream, ['n', '5']),
      ])
      expect((results[3] as Entry[]).map((entry) => String(entry.fields[1]))).toEqual(['1', '2'])
      expect((await bench.store.range(stream, '-', '+')).map((entry) => String(entry.fields[1]))).toEqual(['5'])
    })

    test('10,000 appends in flight arrive once each, in order', async () => {
      const stream = bench.fresh()
      const ids = await bench.fill(stream, 10_000)
      expect(new Set(ids).size).toBe(10_000)
      const entries = await bench.store.range(stream, '-', '+')
      expect(entries.map(({ id }) => id)).toEqual(ids)
      expect(entries.map(({ fields }) => String(fields[1]))).toEqual(ids.map((_, i) => String(i)))
    })

    test('names and values are bytes', async () => {
      const stream = bench.fresh()
      const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      const fields: Fields = [Buffer.from([0, 13, 10, 255]), every, '이름', '값 🌊', 'empty', '', Buffer.alloc(0), 'x']
      for (const options of [{}, { sequence: 'k' }]) {
        const { id } = await bench.store.append(stream, fields, options)
        const [entry] = await bench.store.range(stream, id, id)
        expect(entry.fields.slice(0, 8)).toEqual(fields.map((field) => Buffer.from(field as string)))
      }
    })

    test('a payload of 1 MB comes back unchanged, alone and among others', async () => {
      const stream = bench.fresh()
      const big = Buffer.alloc(1024 * 1024, 'yeoul ')
      await Promise.all([
        bench.store.append(stream, ['n', 'small']),
        bench.store.append(stream, ['data', big]),
        bench.store.append(stream, ['n', 'small']),
        bench.store.append(stream, ['data', big], { sequence: 's' }),
      ])
      const entries = await bench.store.range(stream, '-', '+')
      expect(entries).toHaveLength(4)
      expect(entries[1].fields[1].equals(big)).toBe(true)
      expect(entries[3].fields[1].equals(big)).toBe(true)
    })

    test('an entry of 5,000 fields', async () => {
      const stream = bench.fresh()
      const fields = Array.from({ length: 10_000 }, (_, i) => String(i))
      await bench.store.append(stream, fields)
      const [entry] = await bench.store.range(stream, '-', '+')
      expect(entry.fields.map(String)).toEqual(fields)
    })

    test('fields without a value are refused and nothing happens', async () => {
      const stream = bench.fresh()
      for (const fields of [[], ['alone'], ['a', 'b', 'c']]) {
        await expect(bench.store.append(stream, fields)).rejects.toMatchObject({ code: 'REFUSED', outcome: 'none' })
      }
      expect(await bench.store.info(stream)).toBeNull()
    })

    test('one bad append of a turn fails alone', async () => {
      const bad = bench.fresh()
      const good = bench.fresh()
      await bench.store.append(bad, ['a', '1'], { once: { id: 'x', window: 60_000 } })
      // The publish mark is a string under a key of its own: appending to it cannot work.
      const mark = `yeoul:{${bad}}:once:x`
      const results = await Promise.allSettled([
        bench.store.append(good, ['n', '1']),
        bench.store.append(mark, ['n', '1']),
        bench.store.append(good, ['n', '2']),
        bench.store.append(good, ['n', '3']),
      ])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
      expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'WRONG_TYPE', outcome: 'none' })
      expect(await bench.store.range(good, '-', '+')).toHaveLength(3)
    })

    test('R2 once: repetitions within the window answer the first entry, also from two processes at once', async () => {
      const stream = bench.fresh()
      const second = await bench.another()
      const once = { id: 'o-1', window: 60_000 }
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          (i % 2 ? bench.store : second).append(stream, ['data', String(i)], { once, sequence: 'k' }),
        ),
      )
      expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
      expect(answers.every(({ sequence }) => sequence === 1)).toBe(true)
      expect(await bench.store.range(stream, '-', '+')).toHaveLength(1)
      const next = await bench.store.append(stream, ['data', 'x'], {
        once: { id: 'o-2', window: 60_000 },
        sequence: 'k',
      })
      expect(next).toMatchObject({ duplicate: false, sequence: 2 })
    })

    test('R2 once: after the window the same id is a new entry', async () => {
      const stream = bench.fresh()
      const once = { id: 'o', window: 1 }
      const first = await bench.store.append(stream, ['a', '1'], { once })
      let again = await bench.store.append(stream, ['a', '2'], { once })
      while (again.duplicate) again = await bench.store.append(stream, ['a', '2'], { once })
      expect(again.id).not.toBe(first.id)
    })

    test('sequence: numbers without a gap per name, in log order, from two processes at once', async () => {
      const stream = bench.fresh()
      const second = await bench.another()
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          (i % 2 ? bench.store : second).append(stream, ['k', `k${i % 3}`], { sequence: `k${i % 3}` }),
        ),
      )
      const logged = new Map<string, string[]>()
      for (const { fields } of await bench.store.range(stream, '-', '+')) {
        const [, key, name, value] = fields.map(String)
        expect(name).toBe('_seq')
        logged.set(key, [...(logged.get(key) ?? []), value])
      }
      const expected = Array.from({ length: 20 }, (_, i) => String(i + 1))
      expect([...logged.values()]).toEqual([expected, expected, expected])
      expect(answers.reduce((sum, { sequence }) => sum + sequence!, 0)).toBe(3 * 210)
      expect(await bench.store.sequences(stream, ['k0', 'k2', 'none'])).toEqual([20, 20, 0])
      expect(await bench.store.sequences(stream, [])).toEqual([])
    })

    test('R10 bound: past maxLength the append is refused and nothing is written', async () => {
      const stream = bench.fresh()
      const bound = { maxLength: 5 }
      const results = await Promise.allSettled(
        Array.from({ length: 12 }, () => bench.store.append(stream, ['a', '1'], { bound, sequence: 's' })),
      )
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
      const { reason } = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult
      expect(reason).toMatchObject({ code: 'BOUND_REACHED', outcome: 'none', retriable: true })
      expect((await bench.store.info(stream))!.length).toBe(5)
      expect(await bench.store.sequences(stream, ['s'])).toEqual([5])
    })

    test('R10 bound: maxLag counts what the slowest group has not acknowledged', async () => {
      const stream = bench.fresh()
      await bench.store.ensureGroup(stream, 'slow', '0')
      await bench.store.ensureGroup(stream, 'fast', '0')
      const bound = { maxLag: 3 }
      for (let i = 0; i < 3; i++) await bench.store.append(stream, ['a', '1'], { bound })
      const fast = await bench.deliver(stream, 'fast', 'c', 10)
      await bench.store.settle(stream, 'fast', 'c', fast)
      await expect(bench.store.append(stream, ['a', '1'], { bound })).rejects.toMatchObject({ code: 'BOUND_REACHED' })
      const slow = await bench.deliver(stream, 'slow', 'c', 10)
      await expect(bench.store.append(stream, ['a', '1'], { bound })).rejects.toMatchObject({ code: 'BOUND_REACHED' })
      await bench.store.settle(stream, 'slow', 'c', slow.slice(0, 1))
      await bench.store.append(stream, ['a', '1'], { bound })
    })
  })
}
