import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Consumer } from './consumer.js'
import { EntryId } from './entry-id.js'
import { PendingEntry, PendingList } from './pending.js'

const U64 = (1n << 64n) - 1n

function make(value: bigint): EntryId {
  const ms = value >> 64n
  const seq = value & U64
  return new EntryId(Number(ms >> 32n), Number(ms & 0xffffffffn), Number(seq >> 32n), Number(seq & 0xffffffffn))
}

function value(id: EntryId): bigint {
  return (((BigInt(id.msHi) << 32n) | BigInt(id.msLo)) << 64n) | (BigInt(id.seqHi) << 32n) | BigInt(id.seqLo)
}

interface Row {
  id: bigint
  owner: number | null
  time: number
  count: number
}

const id = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(0n, 3000n) },
  { weight: 4, arbitrary: fc.bigInt(0n, 300n).map((ms) => (1_700_000_000_000n + ms) << 64n) },
  { weight: 1, arbitrary: fc.bigInt(0n, 5n).map((n) => (n << 96n) | 3n) },
  { weight: 1, arbitrary: fc.bigInt(0n, 5n).map((n) => (1n << 128n) - 1n - (n << 31n)) },
)
const owner = fc.option(fc.nat(39), { nil: null })
const time = fc.oneof(fc.constantFrom(0, 2 ** 48 - 1), fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_050 }))
const count = fc.oneof(fc.nat(3), fc.constantFrom(65534, 65535, 65536, 2 ** 53))
type Step =
  | { kind: 'set'; id: bigint; owner: number | null; time: number; count: number }
  | { kind: 'run'; id: bigint; length: number; owner: number | null; time: number }
  | { kind: 'delete' | 'deleteRun'; id: bigint; length: number }
  | { kind: 'walk'; id: bigint; owner: number | null; before: number | null; change: number; limit: number }
  | { kind: 'drop'; owner: number }
  | { kind: 'clear' }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('set' as const), id, owner, time, count }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('run' as const), id, length: fc.nat(1500), owner, time }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('delete' as const), id, length: fc.constant(1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deleteRun' as const), id, length: fc.nat(1200) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('walk' as const),
      id,
      owner,
      before: fc.option(time, { nil: null }),
      change: fc.nat(4),
      limit: fc.nat(400),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), owner: fc.nat(39) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
)

function run(steps: Step[]): void {
  const list = new PendingList()
  const consumers = Array.from({ length: 40 }, (_, index) => new Consumer(`c${index}`, index, 0))
  const who = (owner: number | null): Consumer | null => (owner === null ? null : consumers[owner])
  const model = new Map<bigint, Row>()
  const sorted = (): Row[] => [...model.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const set = (row: Row): void => {
    expect(list.set(make(row.id), who(row.owner), row.time, row.count)).toBe(!model.has(row.id))
    model.set(row.id, row)
  }
  const remove = (id: bigint): void => {
    if (list.delete(make(id)) !== model.delete(id)) throw new Error(`delete of ${id} disagrees`)
  }
  const entry = new PendingEntry()
  const row = (): Row => ({
    id: value(entry.id),
    owner: entry.consumer?.index ?? null,
    time: entry.deliveryTime,
    count: entry.deliveryCount,
  })

  for (const step of steps) {
    switch (step.kind) {
      case 'set':
        set({ id: step.id, owner: step.owner, time: step.time, count: step.count })
        expect(list.get(make(step.id), entry)).toBe(true)
        expect(row()).toEqual(model.get(step.id))
        break
      case 'run':
        for (let i = 0; i < step.length && !((step.id + BigInt(i)) >> 128n); i++) {
          set({ id: step.id + BigInt(i), owner: step.owner, time: step.time, count: 1 })
        }
        break
      case 'delete':
        remove(step.id)
        break
      case 'deleteRun':
        for (let i = 0; i < step.length && !((step.id + BigInt(i)) >> 128n); i++) remove(step.id + BigInt(i))
        break
      case 'walk': {
        const expected = sorted()
          .filter((row) => row.id >= step.id)
          .filter((row) => step.owner === null || row.owner === step.owner)
          .filter((row) => step.before === null || row.time <= step.before)
          .slice(0, step.limit + 1)
        const seen: Row[] = []
        list.walk(
          make(step.id),
          (found) => {
            const id = value(found.id)
            seen.push({
              id,
              owner: found.consumer?.index ?? null,
              time: found.deliveryTime,
              count: found.deliveryCount,
            })
            if (seen.length > step.limit) return 'stop'
            if (step.change === 1) return 'delete'
            if (step.change === 2) {
              found.consumer = consumers[7]
              found.deliveryTime = 1_700_000_000_100
              found.deliveryCount++
            }
            // Using the list in a visit must not lose the way: the one before and the one itself go.
            if (step.change === 3 && seen.length > 1) list.delete(make(seen[seen.length - 2].id))
            return 'next'
          },
          { consumer: who(step.owner) ?? undefined, minIdleBefore: step.before ?? undefined },
        )
        expect(seen).toEqual(expected)
        for (const [i, row] of expected.slice(0, step.limit).entries()) {
          if (step.change === 1) model.delete(row.id)
          if (step.change === 2)
            model.set(row.id, { id: row.id, owner: 7, time: 1_700_000_000_100, count: row.count + 1 })
          if (step.change === 3 && i < expected.slice(0, step.limit).length - 1) model.delete(row.id)
        }
        break
      }
      case 'drop': {
        const gone = sorted().filter((row) => row.owner === step.owner)
        expect(list.deleteConsumer(consumers[step.owner])).toBe(gone.length)
        for (const row of gone) model.delete(row.id)
        break
      }
      case 'clear':
        list.clear()
        model.clear()
        break
    }
    expect(list.size).toBe(model.size)
    const rows = sorted()
    expect(list.first(entry)).toBe(rows.length > 0)
    if (rows.length > 0) {
      expect(row()).toEqual(rows[0])
      expect(list.last(entry)).toBe(true)
      expect(row()).toEqual(rows.at(-1))
    }
    expect(list.oldestDelivery()).toBe(rows.length === 0 ? null : rows.reduce((a, b) => (b.time < a.time ? b : a)).time)
  }
  const seen: Row[] = []
  list.walk(EntryId.zero(), (found) => {
    entry.id.set(found.id)
    entry.consumer = found.consumer
    entry.deliveryTime = found.deliveryTime
    entry.deliveryCount = found.deliveryCount
    seen.push(row())
    return 'next'
  })
  expect(seen).toEqual(sorted())
  for (const consumer of consumers) {
    expect(consumer.pending).toBe(seen.filter((row) => row.owner === consumer.index).length)
  }
}

describe('PendingList', () => {
  it('E3 keeps, finds, walks and drops as the model does', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40, size: 'max' }), run), { numRuns: 150 })
  }, 60_000)

  it('E10 takes no more than 25 bytes for each of many entries', () => {
    const list = new PendingList()
    const consumer = new Consumer('c', 0, 0)
    for (let i = 0; i < 100_000; i++) list.set(EntryId.of(1_700_000_000_000 + i), consumer, 1_700_000_000_000, 1)
    expect(list.memory() / list.size).toBeLessThanOrEqual(25)
    for (let i = 0; i < 100_000; i++) if (i % 1000) list.delete(EntryId.of(1_700_000_000_000 + i))
    expect(list.size).toBe(100)
    expect(list.memory()).toBeLessThan(12_000)
    for (let i = 0; i < 100_000; i += 1000) expect(list.delete(EntryId.of(1_700_000_000_000 + i))).toBe(true)
    expect(list.memory()).toBeLessThan(5_000)
    expect(consumer.pending).toBe(0)
  })

  it('E10 stays small when entries come and go in order', () => {
    const list = new PendingList()
    const consumer = new Consumer('c', 0, 0)
    for (let i = 0; i < 50_000; i++) {
      list.set(EntryId.of(i + 1), consumer, i, 1)
      if (i >= 700) list.delete(EntryId.of(i - 699))
    }
    expect(list.size).toBe(700)
    expect(list.memory()).toBeLessThan(64_000)
    expect(list.oldestDelivery()).toBe(49_300)
  })

  it('keeps IDs that differ in every half', () => {
    const list = new PendingList()
    const ids: EntryId[] = []
    for (const msHi of [0, 1, 0xffffffff]) {
      for (const msLo of [0, 0xffffffff]) {
        for (const seqHi of [0, 7, 0xffffffff]) {
          for (const seqLo of [0, 0xffffffff]) ids.push(new EntryId(msHi, msLo, seqHi, seqLo))
        }
      }
    }
    for (const id of [...ids].reverse()) expect(list.set(id, null, 0, 0)).toBe(true)
    const seen: string[] = []
    list.walk(EntryId.zero(), (entry) => {
      seen.push(String(entry.id))
      return 'next'
    })
    expect(seen).toEqual(ids.map(String))
    for (const id of ids) expect(list.delete(id)).toBe(true)
    expect(list.size).toBe(0)
  })

  it('refuses a time that is none', () => {
    const list = new PendingList()
    for (const time of [-1, Number.NaN, 2 ** 48]) {
      expect(() => list.set(EntryId.of(1), null, time, 1)).toThrow(RangeError)
    }
    expect(list.size).toBe(0)
  })
})
