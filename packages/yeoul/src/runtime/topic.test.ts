import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { MemoryStore, World } from '../testing/memory-store.js'
import { VirtualClock } from '../testing/virtual-clock.js'
import type { PartialPublishError } from './errors.js'
import { StoreError } from './store.js'
import { Yeoul } from './yeoul.js'

async function setUp() {
  const clock = new VirtualClock()
  const world = new World(clock)
  const store = new MemoryStore(world)
  const yeoul = await Yeoul.open(store, { clock, name: 'host' })
  return { clock, world, store, yeoul }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

const texts = (raw: readonly Buffer[]) => raw.map((field) => field.toString())

describe('publish', () => {
  it('R19 writes plain fields that any client can read', async () => {
    const { world, yeoul } = await setUp()
    await yeoul.topic('orders').publish({ id: 'a' }, { key: 'k', headers: { tenant: 't' }, sequence: true })
    expect(texts(world.stream('orders').entries[0].fields)).toEqual([
      'data',
      '{"id":"a"}',
      'key',
      'k',
      'h.tenant',
      't',
      '_seq',
      '1',
    ])
  })

  it('R19 checks what is published against the schema, and writes what was given, not what the schema made of it', async () => {
    const { world, yeoul } = await setUp()
    const orders = yeoul.topic('orders', { schema: z.object({ at: z.string().transform((text) => new Date(text)) }) })
    await orders.publish({ at: '2030-01-01T00:00:00.000Z' })
    expect(texts(world.stream('orders').entries[0].fields)[1]).toBe('{"at":"2030-01-01T00:00:00.000Z"}')
    const [message] = await collect(orders.read())
    expect(message.value.at).toEqual(new Date('2030-01-01'))
    const refused = orders.publish({ at: 7 as never })
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_VALUE', outcome: 'none', retriable: false })
    await expect(refused).rejects.toMatchObject({ issues: [{ path: 'at' }] })
    expect(world.stream('orders').entries).toHaveLength(1)
  })

  it('R19 an asynchronous schema works on both sides', async () => {
    const { clock, yeoul } = await setUp()
    const schema = z.object({ id: z.string().refine(async (id) => id !== 'bad', 'is bad') })
    const orders = yeoul.topic('orders', { schema })
    await expect(orders.publish({ id: 'bad' })).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await orders.publish({ id: 'good' })
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.value.id)).start()
    await clock.until(() => handled.length === 1)
    void yeoul.close()
  })

  it('R2 a repeated dedupe id answers the first entry within the window, and appends again after it', async () => {
    const { clock, yeoul } = await setUp()
    const orders = yeoul.topic('orders')
    const first = await orders.publish({}, { dedupe: 'a', dedupeWindow: '1m' })
    await clock.advance(59_000)
    expect(await orders.publish({}, { dedupe: 'a', dedupeWindow: '1m' })).toEqual({ id: first.id, duplicate: true })
    await clock.advance(2_000)
    expect((await orders.publish({}, { dedupe: 'a', dedupeWindow: '1m' })).duplicate).toBe(false)
    expect(yeoul.metrics.snapshot().topics[0]).toMatchObject({ published: 2, duplicates: 1 })
  })

  it('R2 a failure says whether the message may be in the log', async () => {
    const { store, yeoul } = await setUp()
    store.fail('append', new StoreError('CONNECTION', 'broke in the middle', 'unknown'))
    const publishing = yeoul.topic('orders').publish({})
    await expect(publishing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'unknown', retriable: true })
  })

  it('R2 publishMany says of each message whether it was published', async () => {
    const { store, yeoul } = await setUp()
    store.fail('append', new StoreError('UNAVAILABLE', 'OOM', 'none'))
    const error: PartialPublishError<unknown> = await yeoul
      .topic('orders')
      .publishMany([{}, {}, {}])
      .then(
        () => expect.unreachable(),
        (reason) => reason,
      )
    expect(error.code).toBe('PARTIAL_PUBLISH')
    expect(error.results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  })

  it('numbers per key without a gap, and tells the last number', async () => {
    const { yeoul } = await setUp()
    const room = yeoul.topic<string>('room')
    const numbers = await room.publishMany(['a', 'b', 'a', 'a'], (key) => ({ key, sequence: true }))
    expect(numbers.map((published) => published.sequence)).toEqual([1, 1, 2, 3])
    expect(await room.sequences(['a', 'b', 'c'])).toEqual([3, 1, 0])
    expect((await collect(room.read())).map((message) => message.sequence)).toEqual([1, 1, 2, 3])
  })

  it('delays: appended when due, in the order of due times, cancellable', async () => {
    const { clock, store, yeoul } = await setUp()
    const orders = yeoul.topic<string>('orders')
    const handled: [string, number][] = []
    await orders.worker('billing', (message) => handled.push([message.value, clock.monotonic()])).start()
    await orders.publish('second', { delay: '2h' })
    const announced = store.channels.publish
    let announcements = 0
    store.channels.publish = (channel, message) => {
      announcements++
      return announced.call(store.channels, channel, message)
    }
    await orders.publish('third', { delay: '150m' })
    expect(announcements).toBe(0)
    await orders.publish('first', { at: clock.now() + 3_600_000 })
    const { id } = await orders.publish('never', { delay: '90m' })
    expect(await orders.cancel(id)).toBe(true)
    expect(await orders.cancel(id)).toBe(false)
    await clock.advance(3 * 3_600_000)
    expect(handled).toEqual([
      ['first', 3_600_000],
      ['second', 7_200_000],
      ['third', 9_000_000],
    ])
    void yeoul.close()
  })

  it('rejects options that cannot be kept', async () => {
    const { yeoul } = await setUp()
    const orders = yeoul.topic<unknown>('orders')
    const refusal = (options: object) => expect(orders.publish({}, options)).rejects
    await refusal({ sequence: true }).toMatchObject({ code: 'INVALID_OPTION' })
    await refusal({ delay: '1s', at: new Date() }).toThrow('delay and at')
    await refusal({ delay: '1s', sequence: true, key: 'k' }).toThrow('sequence')
    await refusal({ at: new Date('nonsense') }).toThrow('no moment')
    await expect(orders.publish(() => {})).rejects.toMatchObject({ code: 'UNENCODABLE', outcome: 'none' })
    expect(() => yeoul.topic('yeoul:register:x')).toThrow('no name for a topic')
    expect(() => yeoul.topic('orders', { field: 'key' } as never)).toThrow('field: "key"')
    expect(() => yeoul.topic('orders', { codec: 'xml' } as never)).toThrow('codec: "xml"')
    expect(() => yeoul.topic('orders', { bound: {} })).toThrow('neither maxLength nor maxLag')
  })
})

describe('codecs', () => {
  it('R19 text, bytes and whole entries go through unchanged', async () => {
    const { yeoul, store } = await setUp()
    await yeoul.topic('t', { codec: 'text' }).publish("{'not': 'json'}")
    expect((await collect(yeoul.topic('t', { codec: 'text' }).read()))[0].value).toBe("{'not': 'json'}")
    const bytes = Buffer.from([0, 255, 13, 10])
    await yeoul.topic('b', { codec: 'bytes' }).publish(bytes)
    expect((await collect(yeoul.topic('b', { codec: 'bytes' }).read()))[0].value).toEqual(bytes)
    await store.append('f', ['user', 'kim', 'text', '안녕'])
    await yeoul.topic('f', { codec: 'fields' }).publish({ user: 'lee' }, { headers: { a: 'b' } })
    const whole = await collect(yeoul.topic('f', { codec: 'fields' }).read())
    expect(whole.map((message) => message.value)).toEqual([{ user: 'kim', text: '안녕' }, { user: 'lee' }])
  })

  it('R19 the value may be in another field, and in a form of your own', async () => {
    const { world, yeoul } = await setUp()
    const reversed = {
      name: 'reversed',
      encode: (value: string) => [...value].reverse().join(''),
      decode: (data: Buffer) => [...data.toString()].reverse().join(''),
    }
    const topic = yeoul.topic('t', { codec: reversed, field: 'message' })
    await topic.publish('abc')
    expect(texts(world.stream('t').entries[0].fields)).toEqual(['message', 'cba'])
    expect((await collect(topic.read()))[0].value).toBe('abc')
  })
})

describe('bound', () => {
  it('R10 reject: the publish past the bound is refused and nothing is dropped', async () => {
    const { world, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders', { bound: { maxLength: 2, onFull: 'reject' } })
    await orders.publishMany([1, 2])
    await expect(orders.publish(3)).rejects.toMatchObject({ code: 'BOUND_REACHED', outcome: 'none', retriable: true })
    expect(world.stream('orders').entries).toHaveLength(2)
  })

  it('R10 wait: publishes wait in order until the workers have caught up', async () => {
    const { clock, store, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders', { bound: { maxLag: 3, onFull: 'wait', wait: '1h' } })
    await orders.ensureGroup('billing')
    const published: number[] = []
    const publishing = Promise.all(
      Array.from({ length: 10 }, (_, i) => orders.publish(i).then(() => published.push(i))),
    )
    await clock.advance(60_000)
    expect(published).toEqual([0, 1, 2])
    // Room comes up, and somebody who has not waited wants it first.
    const [{ entries }] = await store.readGroup(['orders'], 'billing', 'by-hand', { count: 1 })
    await store.settle('orders', 'billing', 'by-hand', [{ id: entries[0].id, deliveries: 1 }])
    const late = orders.publish(10).then(() => published.push(10))
    const handled: number[] = []
    await orders.worker('billing', (message) => handled.push(message.value)).start()
    await clock.until(() => handled.length === 10)
    await Promise.all([publishing, late])
    expect(published).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(handled).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    void yeoul.close()
  })

  it('R10 wait ends at its limit or by the signal', async () => {
    const { clock, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders', { bound: { maxLag: 1, wait: '5s' } })
    await orders.ensureGroup('billing')
    await orders.publish(1)
    const late = expect(orders.publish(2)).rejects.toMatchObject({ code: 'BOUND_REACHED' })
    await clock.advance(10_000)
    await late
    const ending = new AbortController()
    const aborted = expect(orders.publish(3, { signal: ending.signal })).rejects.toThrow('enough')
    await clock.advance(100)
    ending.abort(new Error('enough'))
    await clock.advance(1)
    await aborted
  })

  it('R11 trim: only what every group has acknowledged makes room; when that is nothing, the publish is refused', async () => {
    const { clock, world, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders', { bound: { maxLength: 10, onFull: 'trim' } })
    await orders.ensureGroup('slow')
    const worker = orders.worker('fast', () => {})
    await worker.start()
    await orders.publishMany(Array.from({ length: 10 }, (_, i) => i))
    await clock.until(() => world.stream('orders').groups.get('fast')!.pending.size === 0)
    await expect(orders.publish(10)).rejects.toMatchObject({ code: 'BOUND_REACHED' })
    expect(world.stream('orders').entries).toHaveLength(10)
    world.stream('orders').groups.delete('slow')
    await orders.publish(10)
    expect(world.stream('orders').entries.length).toBeLessThanOrEqual(10)
    void yeoul.close()
  })
})

describe('retention and trim', () => {
  it('R11 retention removes what is acknowledged and past it, while a worker runs', async () => {
    const { clock, world, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders', { retention: { maxLength: 3 } })
    const worker = orders.worker('billing', () => {})
    await worker.start()
    await orders.publishMany(Array.from({ length: 20 }, (_, i) => i))
    await clock.advance(30_000)
    expect(world.stream('orders').entries).toHaveLength(3)
    void yeoul.close()
  })

  it('R11 a trim by hand takes nothing unhandled, unless forced, and then says how much', async () => {
    const { yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders')
    await orders.ensureGroup('billing')
    await orders.publishMany([1, 2, 3])
    expect(await orders.trim({ maxLength: 1 })).toEqual({ removed: 0, unread: 0, length: 3 })
    expect(await orders.trim({ maxLength: 1, force: true })).toEqual({ removed: 2, unread: 2, length: 1 })
  })
})

describe('read', () => {
  it('R18 from an id, a time ago, a date; backwards; a number of them', async () => {
    const { clock, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders')
    const ids: string[] = []
    for (let i = 0; i < 5; i++) {
      ids.push((await orders.publish(i)).id)
      await clock.advance(60_000)
    }
    const values = async (options: Parameters<typeof orders.read>[0]) =>
      (await collect(orders.read(options))).map((message) => message.value)
    expect(await values({})).toEqual([0, 1, 2, 3, 4])
    expect(await values({ from: ids[2] })).toEqual([2, 3, 4])
    expect(await values({ from: `(${ids[2]}` })).toEqual([3, 4])
    expect(await values({ from: '-2m' })).toEqual([3, 4])
    expect(await values({ from: new Date(clock.now() - 60_000) })).toEqual([4])
    expect(await values({ to: ids[1] })).toEqual([0, 1])
    expect(await values({ reverse: true, count: 2 })).toEqual([4, 3])
    expect(await values({ from: ids[3], reverse: true })).toEqual([4, 3])
    expect(await values({ from: '$' })).toEqual([])
  })

  it('R18 follow goes on with what comes, past failures of the store, until the signal', async () => {
    const { clock, store, yeoul } = await setUp()
    yeoul.on('error', () => {})
    const orders = yeoul.topic<number>('orders')
    await orders.publish(1)
    const ending = new AbortController()
    const all: number[] = []
    const fresh: number[] = []
    const follow = async (from: string, values: number[]) => {
      for await (const message of orders.read({ from, follow: true, signal: ending.signal })) values.push(message.value)
    }
    const following = Promise.all([follow('0', all), follow('$', fresh)])
    await clock.advance(1)
    await orders.publish(2)
    await clock.advance(1)
    store.fail('read', new StoreError('CONNECTION', 'broke', 'none'), new StoreError('CONNECTION', 'broke', 'none'))
    await orders.publish(3)
    await clock.advance(20_000)
    await orders.publish(4)
    await clock.advance(1)
    ending.abort()
    await following
    expect(all).toEqual([1, 2, 3, 4])
    expect(fresh).toEqual([2, 3, 4])
  })

  it('R19 yields what does not decode as such, and goes on', async () => {
    const { store, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders')
    await store.append('orders', ['data', 'no json'])
    await orders.publish(1)
    const [bad, good] = await collect(orders.read())
    expect(bad.undecodable).toMatchObject({ code: 'UNDECODABLE' })
    expect(() => bad.value).toThrow('is no json')
    expect(bad.fields.get('data')?.toString()).toBe('no json')
    expect(good.value).toBe(1)
  })
})

describe('dead letters', () => {
  async function withLetters(count: number) {
    const set = await setUp()
    const orders = set.yeoul.topic<{ n: number }>('orders')
    const handled: number[] = []
    let healthy = false
    const worker = orders.worker(
      'billing',
      (message) => {
        if (!healthy) throw new Error('down')
        handled.push(message.value.n)
      },
      { attempts: 1 },
    )
    await worker.start()
    const published = await orders.publishMany(
      Array.from({ length: count }, (_, n) => ({ n })),
      { key: 'k', headers: { a: 'b' } },
    )
    const letters = orders.deadLetters('billing')
    await set.clock.until(() => set.world.stream(letters.stream).entries.length === count)
    healthy = true
    return { ...set, orders, letters, handled, published }
  }

  it('R5 list pages through all of them, show finds one', async () => {
    const { letters, published, yeoul } = await withLetters(250)
    const all = await collect(letters.list())
    expect(all.map((letter) => letter.messageId)).toEqual(published.map(({ id }) => id))
    expect((await collect(letters.list({ reverse: true, count: 2 }))).map((l) => l.value?.n)).toEqual([249, 248])
    expect((await collect(letters.list({ from: `(${all[247].id}` }))).map((l) => l.value?.n)).toEqual([248, 249])
    expect((await letters.show(all[7].id))?.value).toEqual({ n: 7 })
    expect(await letters.show('1-1')).toBeNull()
    void yeoul.close()
  })

  it('R5 redrive all keeps ids, keys and headers, counts the return, and reports progress', async () => {
    const { clock, world, orders, letters, handled, published, yeoul } = await withLetters(250)
    const progress: number[] = []
    const done = await letters.redrive({ all: true, onProgress: (p) => progress.push(p.redriven) })
    expect(done).toEqual({ redriven: 250, missing: 0, skipped: 0, total: 250 })
    expect(progress).toEqual([100, 200, 250])
    await clock.until(() => handled.length === 250)
    const copies = (await collect(orders.read({ redelivered: true }))).slice(250)
    expect(copies.map((message) => message.id)).toEqual(published.map(({ id }) => id))
    expect(copies[0]).toMatchObject({ key: 'k', headers: { a: 'b' }, attempt: 1 })
    expect(world.stream(letters.stream).entries).toHaveLength(0)
    expect(yeoul.metrics.snapshot().groups[0].redriven).toBe(250)
    void yeoul.close()
  })

  it('R5 redrive by id, filtered, edited and rate-limited', async () => {
    const { clock, letters, handled, yeoul } = await withLetters(10)
    const all = await collect(letters.list())
    expect(await letters.redrive({ ids: [all[0].id, '1-1'] })).toMatchObject({ redriven: 1, missing: 1 })
    const started = clock.monotonic()
    const redriving = letters.redrive({
      all: true,
      where: (letter) => letter.value!.n % 2 === 0,
      edit: (value) => ({ n: value!.n + 100 }),
      rate: 2,
    })
    await clock.until(() => handled.length === 5)
    expect(await redriving).toMatchObject({ redriven: 4, skipped: 5 })
    expect(clock.monotonic() - started).toBeGreaterThanOrEqual(1_000)
    expect(handled.sort((a, b) => a - b)).toEqual([0, 102, 104, 106, 108])
    expect(await letters.count()).toBe(5)
    void yeoul.close()
  })

  it('R5 discard removes them for good', async () => {
    const { letters, yeoul } = await withLetters(3)
    const [first] = await collect(letters.list())
    expect(await letters.discard([first.id, '1-1'])).toBe(1)
    expect(await letters.count()).toBe(2)
    void yeoul.close()
  })
})

describe('inspector and registry', () => {
  it('R20 shows topics, groups, lag, pending, dead letters, schedule and workers', async () => {
    const { clock, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders')
    const worker = orders.worker(
      'billing',
      (message) => {
        if (message.value === 1) throw new Error('no')
        return new Promise(() => {})
      },
      { attempts: 1, concurrency: 1, prefetch: 1 },
    )
    await worker.start()
    await orders.publishMany([1, 2, 3])
    await orders.publish(4, { delay: '1h' })
    await clock.advance(12_000)
    const overview = await yeoul.inspector.overview()
    expect(overview.store).toMatchObject({ address: 'fake:', connected: true })
    expect(overview.topics).toHaveLength(1)
    expect(overview.topics[0]).toMatchObject({ name: 'orders', exists: true, length: 3, scheduled: { waiting: 1 } })
    const [group] = overview.topics[0].groups
    expect(group).toMatchObject({ name: 'billing', lag: 1, lagKind: 'exact', pending: 1, deadLetters: 1, consumers: 1 })
    expect(group.oldestPendingAge).toBeGreaterThanOrEqual(12_000)
    expect(group.workers).toMatchObject([{ consumer: worker.consumer, state: 'running', host: 'host' }])
    const detail = await yeoul.inspector.group('orders', 'billing')
    expect(detail?.pendingList).toMatchObject([{ consumer: worker.consumer, deliveries: 1 }])
    expect(detail?.consumerList).toMatchObject([{ name: worker.consumer, worker: { state: 'running' } }])
    expect(await yeoul.inspector.group('orders', 'nobody')).toBeNull()
    expect(await yeoul.topics()).toMatchObject([{ name: 'orders', codec: 'json', field: 'data', groups: ['billing'] }])
    void yeoul.close()
  })
})

describe('yeoul', () => {
  it('R15 close stops every worker and refuses new ones', async () => {
    const { clock, yeoul } = await setUp()
    const orders = yeoul.topic<number>('orders')
    const workers = [orders.worker('a', () => {}), orders.worker('b', () => {})]
    await Promise.all(workers.map((worker) => worker.start()))
    expect(yeoul.health().workers).toHaveLength(2)
    const closed = yeoul.close()
    await clock.advance(1)
    await closed
    expect(workers.map((worker) => worker.state)).toEqual(['stopped', 'stopped'])
    const refused = orders.worker('c', () => {})
    await expect(refused.start()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(refused.state).toBe('idle')
    expect(clock.pending).toBe(0)
  })

  it('R22 says the server’s warnings, and connection changes, as events', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore(new World(clock))
    const facts = await store.open()
    store.open = async () => ({ ...facts, warnings: ['maxmemory-policy is allkeys-lru: it may evict streams'] })
    const yeoul = await Yeoul.open(store, { clock })
    const said: string[] = []
    yeoul.on('warning', ({ text }) => said.push(text))
    yeoul.on('disconnected', ({ error }) => said.push(error.message))
    yeoul.on('connected', () => said.push('connected'))
    await clock.advance(0)
    store.emit({ type: 'disconnected', error: new Error('reset') })
    expect(yeoul.health()).toMatchObject({ healthy: false, store: { connected: false, error: 'reset' } })
    store.emit({ type: 'connected' })
    expect(yeoul.health().healthy).toBe(true)
    expect(said).toEqual(['maxmemory-policy is allkeys-lru: it may evict streams', 'reset', 'connected'])
  })
})

it.each(['a}b', '{}orders', 'a{}b', '{shop'])(
  'R8 a topic name whose keys could not share a slot is refused: %s',
  async (name) => {
    const { yeoul } = await setUp()
    if (name === '{shop') expect(yeoul.topic(name).name).toBe(name)
    else expect(() => yeoul.topic(name)).toThrow('ends no hash tag')
    expect(yeoul.topic('{shop}:orders').name).toBe('{shop}:orders')
  },
)

it('R2 a delayed publish repeated with its dedupe id stays one message, before and after it was due', async () => {
  const { clock, yeoul } = await setUp()
  const orders = yeoul.topic<number>('orders')
  const got: number[] = []
  await orders.worker('billing', (message) => got.push(message.value)).start()
  const first = await orders.publish(1, { delay: '1m', dedupe: 'a' })
  expect(await orders.publish(2, { delay: '2m', dedupe: 'a' })).toEqual({ id: 'a', duplicate: true, due: first.due })
  await clock.advance(180_000)
  expect(got).toEqual([1])
  expect((await orders.publish(3, { delay: '1s', dedupe: 'a' })).duplicate).toBe(true)
  expect(await orders.publish(4, { dedupe: 'a' })).toEqual({ id: 'a', duplicate: true, due: first.due })
  await clock.advance(60_000)
  expect(got).toEqual([1])
})
