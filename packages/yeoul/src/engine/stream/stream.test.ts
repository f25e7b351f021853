import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cursor } from './cursor.js'
import { EntryId } from './entry-id.js'
import { Group } from './group.js'
import { Stream, type TrimOptions } from './stream.js'

const U64 = (1n << 64n) - 1n

function make(value: bigint): EntryId {
  const ms = value >> 64n
  const seq = value & U64
  return new EntryId(Number(ms >> 32n), Number(ms & 0xffffffffn), Number(seq >> 32n), Number(seq & 0xffffffffn))
}

function value(id: EntryId): bigint {
  return (((BigInt(id.msHi) << 32n) | BigInt(id.msLo)) << 64n) | (BigInt(id.seqHi) << 32n) | BigInt(id.seqLo)
}

function wire(fields: string[]): Buffer {
  return Buffer.concat(fields.map((f) => Buffer.from(`$${Buffer.byteLength(f, 'latin1')}\r\n${f}\r\n`, 'latin1')))
}

function add(stream: Stream, id: EntryId | string, fields: string[] = ['f', 'v']): void {
  const bytes = wire(fields)
  stream.append(typeof id === 'string' ? (EntryId.parse(id) as EntryId) : id, bytes, 0, bytes.length, fields.length / 2)
}

function text(cursor: Cursor): string {
  return cursor.bytes.toString('latin1', cursor.start, cursor.end)
}

function ids(stream: Stream): string[] {
  const all: string[] = []
  const cursor = stream.cursor()
  while (cursor.next()) all.push(String(cursor.id))
  return all
}

function parse(text: string): EntryId {
  return EntryId.parse(text) as EntryId
}

/** What a stream does, said as simply as possible: nodes are arrays of entries. */
class Model {
  nodes: { entries: { id: bigint; wire: string; fieldCount: number; live: boolean }[] }[] = []
  last = 0n
  maxDeleted = 0n
  added = 0

  get live() {
    return this.nodes.flatMap((node) => node.entries.filter((entry) => entry.live))
  }

  append(id: bigint, bytes: string, fieldCount: number, maxEntries: number): void {
    let node = this.nodes.at(-1)
    if (node === undefined || (maxEntries > 0 && node.entries.length >= maxEntries)) {
      node = { entries: [] }
      this.nodes.push(node)
    }
    node.entries.push({ id, wire: bytes, fieldCount, live: true })
    this.last = id
    this.added++
  }

  delete(id: bigint): boolean {
    const entry = this.live.find((entry) => entry.id === id)
    if (entry === undefined) return false
    entry.live = false
    if (id > this.maxDeleted) this.maxDeleted = id
    this.sweep()
    return true
  }

  trim(due: (id: bigint) => boolean, whole: (node: Model['nodes'][0]) => boolean, options: TrimOptions, max: number) {
    const limit = options.approximate ? (options.limit ?? (max > 0 ? max * 100 : 10000)) : 0
    let removed = 0
    for (const node of [...this.nodes]) {
      const live = node.entries.filter((entry) => entry.live)
      if (limit > 0 && removed + live.length > limit) break
      if (options.approximate && !whole(node)) break
      let stopped = false
      for (const entry of live) {
        if (!due(entry.id)) {
          stopped = true
          break
        }
        if (options.onRemove && !options.onRemove(make(entry.id))) continue
        entry.live = false
        removed++
      }
      if (stopped) break
    }
    this.sweep()
    return removed
  }

  sweep(): void {
    this.nodes = this.nodes.filter((node) => node.entries.some((entry) => entry.live))
  }
}

const idStep = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(1n, 3n) },
  { weight: 3, arbitrary: fc.bigInt(1n, 70000n).map((ms) => ms << 64n) },
  { weight: 1, arbitrary: fc.bigInt(1n, 1n << 34n) },
  { weight: 1, arbitrary: fc.bigInt(1n, 1n << 36n).map((ms) => (ms << 64n) + 77n) },
  { weight: 1, arbitrary: fc.constant((1n << 64n) - 1n) },
)
/** Lengths of an entry's fields; written out only when used, or a counterexample would fill the screen. */
const fields = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.constantFrom(0, 1, 2, 5, 70), { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom([600], [80_000], [300_000], Array(300).fill(1)) },
)
const trimOptions = fc.record({
  approximate: fc.boolean(),
  limit: fc.option(fc.nat(12), { nil: undefined }),
  keepOdd: fc.constantFrom(undefined, true, false),
})
type Step =
  | { kind: 'append'; step: bigint; fields: number[] }
  | { kind: 'delete' | 'seek'; at: number; off: number }
  | { kind: 'trimLength'; length: number; options: { approximate: boolean; limit?: number; keepOdd?: boolean } }
  | { kind: 'trimId'; at: number; off: number; options: { approximate: boolean; limit?: number; keepOdd?: boolean } }
  | { kind: 'next' | 'previous'; times: number }
  | { kind: 'limits'; maxEntries: number }
const at = { at: fc.nat(99), off: fc.integer({ min: -1, max: 1 }) }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('append' as const), step: idStep, fields }) },
  { weight: 14, arbitrary: fc.record({ kind: fc.constant('delete' as const), ...at }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('trimLength' as const), length: fc.nat(40), options: trimOptions }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('trimId' as const), ...at, options: trimOptions }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('seek' as const), ...at }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('next' as const, 'previous' as const), times: fc.nat(9) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('limits' as const), maxEntries: fc.nat(6) }) },
)

function run(start: bigint, steps: Step[]): void {
  const limits = { maxEntries: 3, maxBytes: 0 }
  const stream = new Stream(limits)
  const model = new Model()
  const cursor = stream.cursor()
  /** Where the cursor stands: below everything, at an ID it was sent to, or beside the entry it gave. */
  let stand: { id: bigint; inclusive: boolean } | null = null
  model.last = start
  stream.lastId.set(make(start))

  /** An ID at, just below or just above an entry that was there once. */
  const known: bigint[] = []
  const pick = (at: number, off: number): bigint => {
    const id = (known[Math.floor((at / 100) * known.length)] ?? 5n) + BigInt(off) * (at % 10 ? 1n : 1n << 65n)
    return id < 0n ? 0n : id >> 128n ? (1n << 128n) - 1n : id
  }
  const options = (from: { approximate: boolean; limit?: number; keepOdd?: boolean }): TrimOptions => ({
    approximate: from.approximate,
    limit: from.limit,
    ...(from.keepOdd === undefined ? {} : { onRemove: (id: EntryId) => !from.keepOdd || id.seqLo % 2 === 0 }),
  })

  for (const step of steps) {
    switch (step.kind) {
      case 'append': {
        const id = model.last + step.step
        if (id >> 128n) break
        const list = step.fields.flatMap((length, i) => [
          'abc'[i % 3].repeat(length),
          String(known.length).repeat(length),
        ])
        const bytes = wire(['#', ...list, '#'])
        // The field list stands somewhere inside a larger buffer, as in a request.
        stream.append(make(id), bytes, 7, bytes.length - 7, step.fields.length)
        model.append(id, wire(list).toString('latin1'), step.fields.length, limits.maxEntries)
        known.push(id)
        break
      }
      case 'delete': {
        const id = pick(step.at, step.off)
        expect(stream.has(make(id))).toBe(model.live.some((entry) => entry.id === id))
        expect(stream.delete(make(id))).toBe(model.delete(id))
        break
      }
      case 'trimLength': {
        const expected = model.trim(
          () => model.live.length > step.length,
          (node) => model.live.length - node.entries.filter((entry) => entry.live).length >= step.length,
          options(step.options),
          limits.maxEntries,
        )
        expect(stream.trimByLength(step.length, options(step.options))).toBe(expected)
        break
      }
      case 'trimId': {
        const id = pick(step.at, step.off)
        const expected = model.trim(
          (entry) => entry < id,
          (node) => (node.entries.at(-1)?.id as bigint) < id,
          options(step.options),
          limits.maxEntries,
        )
        expect(stream.trimByMinId(make(id), options(step.options))).toBe(expected)
        break
      }
      case 'seek':
        stand = { id: pick(step.at, step.off), inclusive: true }
        cursor.seek(make(stand.id))
        break
      case 'next':
      case 'previous':
        for (let i = 0; i < step.times; i++) {
          const forward = step.kind === 'next'
          const here: typeof stand = stand
          const beyond: typeof model.live = model.live.filter(({ id }) => {
            if (here === null) return true
            if (id === here.id) return here.inclusive
            return forward ? id > here.id : id < here.id
          })
          const expected = forward ? beyond[0] : beyond.at(-1)
          expect(forward ? cursor.next() : cursor.previous()).toBe(expected !== undefined)
          if (expected === undefined) break
          expect(value(cursor.id)).toBe(expected.id)
          expect(text(cursor)).toBe(expected.wire)
          expect(cursor.fieldCount).toBe(expected.fieldCount)
          stand = { id: expected.id, inclusive: false }
        }
        break
      case 'limits':
        limits.maxEntries = step.maxEntries
        break
    }
    expect(stream.length).toBe(model.live.length)
    expect(stream.nodeCount).toBe(model.nodes.length)
    expect(value(stream.firstId)).toBe(model.live[0]?.id ?? 0n)
    expect(value(stream.lastId)).toBe(model.last)
    expect(value(stream.maxDeletedId)).toBe(model.maxDeleted)
    expect(stream.entriesAdded).toBe(model.added)
  }
  const all: string[] = []
  const walk = stream.cursor()
  while (walk.next()) all.push(`${value(walk.id)} ${text(walk)}`)
  expect(all).toEqual(model.live.map((entry) => `${entry.id} ${entry.wire}`))
}

describe('Stream', () => {
  it('E2 keeps, finds, walks, deletes and trims as the model does', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0n, 1_700_000_000_000n << 64n, (0xffffffffn << 64n) - 40n, (1n << 128n) - 60n),
        fc.array(step, { maxLength: 150, size: 'max' }),
        run,
      ),
      { numRuns: 300 },
    )
  }, 60_000)

  it('E10 holds memory in proportion to what is left, wherever that stands', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    const payload = 'x'.repeat(200)
    for (let ms = 1; ms <= 60_000; ms++) add(stream, EntryId.of(ms), ['data', payload])
    const full = stream.memory()
    expect(full).toBeGreaterThan(60_000 * 200)
    expect(full / 60_000).toBeLessThan(250)
    for (let ms = 1; ms <= 60_000; ms++) if (ms % 6000 !== 0) stream.delete(EntryId.of(ms))
    expect(ids(stream)).toEqual(Array.from({ length: 10 }, (_, i) => `${(i + 1) * 6000}-0`))
    // Ten survivors in ten places, and the segment that is being filled.
    expect(stream.memory()).toBeLessThan(1_400_000)
    for (let i = 1; i <= 10; i++) stream.delete(EntryId.of(i * 6000))
    expect(stream.memory()).toBeLessThan(3_000)
    expect(stream.nodeCount).toBe(0)
  })

  it('E10 copies a sparse segment together and still reads it', () => {
    const stream = new Stream({ maxEntries: 3, maxBytes: 4096 })
    const cursor = stream.cursor()
    for (let ms = 1; ms <= 20_000; ms++) add(stream, EntryId.of(ms), [`n${ms}`, 'x'.repeat(90)])
    cursor.next()
    const kept = stream.cursor()
    kept.seek(EntryId.of(7))
    kept.next()
    for (let ms = 1; ms <= 20_000; ms++) if (ms % 97 !== 0) stream.delete(EntryId.of(ms))
    for (let ms = 97; ms <= 20_000; ms += 97) {
      expect(cursor.next()).toBe(true)
      expect(text(cursor)).toBe(wire([`n${ms}`, 'x'.repeat(90)]).toString())
    }
    expect(cursor.next()).toBe(false)
    for (let ms = 20_000 - (20_000 % 97); ms > 0; ms -= 97) {
      if (ms === 20_000 - (20_000 % 97)) continue
      expect(cursor.previous()).toBe(true)
      expect(String(cursor.id)).toBe(`${ms}-0`)
    }
    // What a cursor has given stays readable when the entry is long gone.
    expect(text(kept)).toBe(wire(['n7', 'x'.repeat(90)]).toString())
  })

  it('gives nothing below the ID sought, also of what is added later', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    const cursor = stream.cursor()
    add(stream, '1-1')
    cursor.seek(parse('9-9'))
    expect(cursor.next()).toBe(false)
    add(stream, '1-2')
    expect(cursor.next()).toBe(false)
    add(stream, '9-9')
    expect(cursor.next()).toBe(true)
    expect(String(cursor.id)).toBe('9-9')
  })

  it('E2 never repeats or reorders an ID when the clock goes back', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    const id = new EntryId()
    const given: string[] = []
    for (const now of [1000, 1000, 999, 5, 1001, 1000, 2 ** 41]) {
      expect(stream.nextId(now, id)).toBe(true)
      add(stream, id)
      given.push(String(id))
    }
    expect(given).toEqual(['1000-0', '1000-1', '1000-2', '1000-3', '1001-0', '1001-1', `${2 ** 41}-0`])
    stream.lastId.set(parse('9999999999999-18446744073709551615'))
    expect(stream.nextId(1, id)).toBe(true)
    expect(String(id)).toBe('10000000000000-0')
    stream.lastId.set(EntryId.max())
    expect(stream.nextId(1, id)).toBe(false)
  })

  it('E2 refuses an ID that is not above the last', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    expect(() => add(stream, '0-0')).toThrow(RangeError)
    add(stream, '5-5')
    for (const id of ['5-5', '5-4', '4-9']) expect(() => add(stream, id)).toThrow(RangeError)
    stream.delete(parse('5-5'))
    expect(() => add(stream, '5-5')).toThrow(RangeError)
    expect(stream.entriesAdded).toBe(1)
  })

  it('E1 trims whole nodes only with ~, as the documentation counts', () => {
    const stream = new Stream({ maxEntries: 10, maxBytes: 4096 })
    for (let i = 1; i <= 100; i++) add(stream, EntryId.of(i))
    expect(stream.nodeCount).toBe(10)
    expect(stream.trimByLength(85, { approximate: true })).toBe(10)
    expect(stream.length).toBe(90)
    expect(stream.trimByMinId(EntryId.of(35), { approximate: true })).toBe(20)
    expect(String(stream.firstId)).toBe('31-0')
    expect(stream.trimByLength(0, { approximate: true, limit: 25 })).toBe(20)
    expect(stream.trimByLength(3)).toBe(47)
    expect(ids(stream)).toEqual(['98-0', '99-0', '100-0'])
    expect(String(stream.maxDeletedId)).toBe('0-0')
    expect(stream.entriesAdded).toBe(100)
  })

  it('E1 removes no more than a hundred nodes with ~ and no limit given', () => {
    const stream = new Stream({ maxEntries: 2, maxBytes: 4096 })
    for (let i = 1; i <= 1000; i++) add(stream, EntryId.of(i))
    expect(stream.trimByLength(0, { approximate: true })).toBe(200)
    expect(stream.trimByLength(0, { approximate: true, limit: 0 })).toBe(800)
    expect(String(stream.firstId)).toBe('0-0')
  })

  it('keeps what onRemove wants kept and trims behind it', () => {
    const stream = new Stream({ maxEntries: 4, maxBytes: 4096 })
    for (let i = 1; i <= 12; i++) add(stream, EntryId.of(i))
    const asked: string[] = []
    const removed = stream.trimByLength(5, {
      onRemove: (id) => {
        asked.push(String(id))
        return id.msLo > 2
      },
    })
    expect(removed).toBe(7)
    expect(asked).toEqual(['1-0', '2-0', '3-0', '4-0', '5-0', '6-0', '7-0', '8-0', '9-0'])
    expect(ids(stream)).toEqual(['1-0', '2-0', '10-0', '11-0', '12-0'])
  })

  it('keeps an entry larger than any segment', () => {
    const stream = new Stream({ maxEntries: 100, maxBytes: 4096 })
    const big = 'y'.repeat(5_000_000)
    add(stream, '1-1', ['a', 'small'])
    add(stream, '1-2', ['a', big])
    add(stream, '1-3', ['a', 'small'])
    const cursor = stream.cursor()
    cursor.seek(parse('1-2'))
    expect(cursor.next()).toBe(true)
    expect(text(cursor)).toBe(wire(['a', big]).toString())
    expect(cursor.next()).toBe(true)
    expect(text(cursor)).toBe(wire(['a', 'small']).toString())
    expect(stream.delete(parse('1-2'))).toBe(true)
    expect(stream.memory()).toBeLessThan(10_000)
  })
})

describe('lag', () => {
  const limits = { maxEntries: 100, maxBytes: 4096 }

  function five(): { stream: Stream; group: Group } {
    const stream = new Stream(limits)
    for (let i = 1; i <= 5; i++) add(stream, EntryId.of(i))
    return { stream, group: new Group('g', EntryId.zero(), 0) }
  }

  it('E1 is nothing for a stream that never had an entry', () => {
    expect(new Stream(limits).lag(new Group('g'))).toBe(0)
  })

  it('E1 counts what was added since the last one read', () => {
    const { stream, group } = five()
    expect(stream.lag(group)).toBe(5)
    group.lastId.set(EntryId.of(2))
    group.entriesRead = 2
    expect(stream.lag(group)).toBe(3)
  })

  it('E1 is unknown after a deletion in what is still to read, and known again behind it', () => {
    const { stream, group } = five()
    group.lastId.set(EntryId.of(1))
    group.entriesRead = 1
    stream.delete(EntryId.of(3))
    expect(stream.lag(group)).toBeNull()
    group.lastId.set(EntryId.of(4))
    group.entriesRead = -1
    expect(stream.lag(group)).toBeNull()
    group.lastId.set(EntryId.of(5))
    expect(stream.lag(group)).toBe(0)
  })

  it('E1 is the length for a group before the first entry when deletions are behind', () => {
    const { stream, group } = five()
    group.entriesRead = -1
    stream.delete(EntryId.of(1))
    expect(stream.lag(group)).toBe(4)
    stream.delete(EntryId.of(3))
    expect(stream.lag(group)).toBeNull()
    stream.trimByMinId(EntryId.of(4))
    expect(stream.lag(group)).toBe(2)
  })

  it('E1 is nothing when the stream is empty', () => {
    const { stream, group } = five()
    stream.trimByLength(0)
    group.entriesRead = -1
    expect(stream.lag(group)).toBe(0)
  })

  it('E1 estimates at the edges only', () => {
    const { stream } = five()
    stream.trimByLength(3)
    const estimate = (ms: number) => stream.estimateEntriesRead(EntryId.of(ms))
    expect([0, 1, 3, 4, 5, 6].map(estimate)).toEqual([2, 2, 3, null, 5, null])
    expect(stream.hasTombstoneAfter(EntryId.zero())).toBe(false)
    stream.delete(EntryId.of(4))
    expect(stream.hasTombstoneAfter(EntryId.of(4))).toBe(true)
    expect(stream.hasTombstoneAfter(EntryId.of(5))).toBe(false)
    expect([3, 4, 5].map(estimate)).toEqual([null, null, 5])
  })
})
