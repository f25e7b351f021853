/** The runtime over real stores: publish → handle → acknowledge, retry, dead letter, redrive, take-over, drain. */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Message, type Yeoul } from '../../packages/yeoul/src/index.js'
import { hasRedis, type RunningServer, startRedis } from '../servers.js'
import { type Place, places } from './places.js'

interface Order {
  id: string
  total: number
}

/** ms; long enough for a machine that does much else. */
const PATIENCE = 25_000

describe.each(places)('runtime on $name', ({ available, start }) => {
  let place: Place
  let yeoul: Yeoul
  let topics = 0

  beforeAll(async () => {
    if (!available) return
    place = await start()
    yeoul = await connect(place.target)
    yeoul.on('error', () => {})
    yeoul.on('warning', () => {})
  })

  afterAll(async () => {
    await yeoul?.close()
    await place?.end()
  })

  const fresh = () => `orders-${++topics}`
  const collect = async <T>(items: AsyncIterable<T>) => {
    const collected: T[] = []
    for await (const item of items) collected.push(item)
    return collected
  }
  const event = <K extends 'dead-letter' | 'reclaimed' | 'group-recovered' | 'fenced'>(type: K, topic: string) =>
    new Promise<void>((resolve) => {
      const end = yeoul.on(type, (happened) => {
        if (happened.topic !== topic) return
        end()
        resolve()
      })
    })
  const settled = async (topic: string, group: string) => {
    await expect.poll(async () => (await yeoul.inspector.group(topic, group))?.pending, { timeout: PATIENCE }).toBe(0)
  }

  it.runIf(available)('R1 handles every message once in a calm run, typed and with its metadata', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    const got = new Map<string, Message<Order>>()
    const worker = orders.worker('billing', (message) => {
      expect(got.has(message.id)).toBe(false)
      got.set(message.id, message)
    })
    await worker.start()
    const published = await orders.publishMany(
      Array.from({ length: 2_000 }, (_, i) => ({ id: `o-${i}`, total: i })),
      (order) => ({ key: `customer-${order.total % 7}`, headers: { source: 'test' }, sequence: true }),
    )
    await expect.poll(() => got.size, { timeout: PATIENCE }).toBe(2_000)
    await settled(topic, 'billing')
    const first = got.get(published[0].id)!
    expect(first).toMatchObject({
      value: { id: 'o-0', total: 0 },
      key: 'customer-0',
      headers: { source: 'test' },
      attempt: 1,
      sequence: 1,
    })
    expect(await orders.sequences(['customer-0', 'nobody'])).toEqual([286, 0])
    await worker.stop()
    expect(await yeoul.store.consumers(topic, 'billing')).toEqual([])
  })

  it.runIf(available)('R2 a repeated dedupe id appends nothing', async () => {
    const orders = yeoul.topic<Order>(fresh())
    const first = await orders.publish({ id: 'a', total: 1 }, { dedupe: 'a' })
    const second = await orders.publish({ id: 'a', total: 1 }, { dedupe: 'a' })
    expect(second).toEqual({ ...first, duplicate: true })
    expect((await orders.info())?.length).toBe(1)
  })

  it.runIf(available)('R4 R5 retries, dead-letters, and redrives for this group only', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    let healthy = false
    const attempts: number[] = []
    const mail: string[] = []
    const billing = orders.worker(
      'billing',
      (message) => {
        attempts.push(message.attempt)
        if (!healthy) throw new Error('card service is down')
      },
      { attempts: 3, backoff: { type: 'fixed', base: 20 } },
    )
    const other = orders.worker('mail', (message) => mail.push(message.id))
    await Promise.all([billing.start(), other.start()])
    const dead = event('dead-letter', topic)
    const { id } = await orders.publish({ id: 'a', total: 1 }, { key: 'k' })
    await dead
    expect(attempts).toEqual([1, 2, 3])
    const letters = orders.deadLetters('billing')
    const [letter] = await collect(letters.list())
    expect(letter).toMatchObject({ messageId: id, reason: 'exhausted', attempts: 3, key: 'k', value: { id: 'a' } })
    expect(letter.failures).toHaveLength(3)
    healthy = true
    expect(await letters.redrive({ all: true })).toEqual({ redriven: 1, missing: 0, skipped: 0, total: 1 })
    await expect.poll(() => attempts.length, { timeout: PATIENCE }).toBe(4)
    await Promise.all([settled(topic, 'billing'), settled(topic, 'mail')])
    expect(attempts[3]).toBe(1)
    expect(mail).toEqual([id])
    expect(await letters.count()).toBe(0)
    await Promise.all([billing.stop(), other.stop()])
  })

  it.runIf(available)('R4 a long retry leaves the stream and comes back', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    const attempts: [string, number][] = []
    const worker = orders.worker(
      'billing',
      (message) => {
        attempts.push([message.id, message.attempt])
        if (message.attempt === 1) throw new Error('later')
      },
      { visibilityTimeout: 200, backoff: { type: 'fixed', base: 150, jitter: 0 } },
    )
    await worker.start()
    const { id } = await orders.publish({ id: 'a', total: 1 })
    await expect.poll(() => attempts.length, { timeout: PATIENCE }).toBe(2)
    expect(attempts).toEqual([
      [id, 1],
      [id, 2],
    ])
    await worker.stop()
  })

  it.runIf(available)('R3 takes over what a dead consumer holds', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    await orders.ensureGroup('billing')
    const { id } = await orders.publish({ id: 'a', total: 1 })
    await yeoul.store.readGroup([topic], 'billing', 'crashed', { count: 1 })
    const got: [string, number][] = []
    const worker = orders.worker('billing', (message) => got.push([message.id, message.attempt]), {
      visibilityTimeout: 300,
    })
    await worker.start()
    await expect.poll(() => got, { timeout: PATIENCE }).toEqual([[id, 2]])
    await settled(topic, 'billing')
    await worker.stop()
  })

  it.runIf(available)('R15 hands back at the deadline; another worker gets it at once', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    let begun!: () => void
    const beginning = new Promise<void>((resolve) => {
      begun = resolve
    })
    const stuck = orders.worker('billing', () => {
      begun()
      return new Promise(() => {})
    })
    await stuck.start()
    const { id } = await orders.publish({ id: 'a', total: 1 })
    await beginning
    const got: [string, number][] = []
    const next = orders.worker('billing', (message) => got.push([message.id, message.attempt]))
    await next.start()
    await stuck.stop({ timeout: 50 })
    await expect.poll(() => got, { timeout: PATIENCE }).toEqual([[id, 1]])
    await next.stop()
  })

  it.runIf(available)('R14 a group destroyed under the worker comes back', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    const got: string[] = []
    const worker = orders.worker('billing', (message) => got.push(message.value.id))
    await worker.start()
    await orders.publish({ id: 'a', total: 1 })
    await settled(topic, 'billing')
    const recovered = event('group-recovered', topic)
    await yeoul.store.removeGroup(topic, 'billing')
    await recovered
    await orders.publish({ id: 'b', total: 2 })
    await expect.poll(() => got.includes('b'), { timeout: PATIENCE }).toBe(true)
    await worker.stop()
  })

  it.runIf(available)('R18 reads and follows without a group', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    await orders.publishMany([1, 2, 3].map((total) => ({ id: `o-${total}`, total })))
    expect((await collect(orders.read({ reverse: true, count: 2 }))).map((m) => m.value.total)).toEqual([3, 2])
    const ending = new AbortController()
    const followed: number[] = []
    const following = (async () => {
      for await (const message of orders.read({ follow: true, signal: ending.signal })) {
        followed.push(message.value.total)
        if (message.value.total === 4) break
      }
    })()
    await orders.publish({ id: 'o-4', total: 4 })
    await following
    expect(followed).toEqual([1, 2, 3, 4])
  })

  it.runIf(available)('R19 plain entries of any client are messages; bad ones are dead letters', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    await yeoul.store.append(topic, ['data', '{"id":"plain","total":9}'])
    await yeoul.store.append(topic, ['data', "{'id': 'python'}"])
    await yeoul.store.append(topic, [Buffer.from([0xac, 0xed, 0, 5, 1]), Buffer.from([0, 255])])
    const got: Order[] = []
    const worker = orders.worker('billing', (message) => got.push(message.value))
    await worker.start()
    await settled(topic, 'billing')
    await expect.poll(() => orders.deadLetters('billing').count(), { timeout: PATIENCE }).toBe(2)
    expect(got).toEqual([{ id: 'plain', total: 9 }])
    await worker.stop()
  })

  it.runIf(available)('delayed messages appear when due, and can be cancelled', async () => {
    const topic = fresh()
    const orders = yeoul.topic<Order>(topic)
    const got: string[] = []
    const worker = orders.worker('billing', (message) => got.push(message.value.id))
    await worker.start()
    const late = await orders.publish({ id: 'never', total: 1 }, { delay: '1h' })
    const soon = await orders.publish({ id: 'soon', total: 2 }, { delay: 50 })
    expect(soon.due).toBeGreaterThan(0)
    expect(await orders.cancel(late.id)).toBe(true)
    await expect.poll(() => got, { timeout: PATIENCE }).toEqual(['soon'])
    expect(await yeoul.store.scheduled(topic)).toEqual({ waiting: 0, nextDue: null })
    await worker.stop()
  })
})

describe('runtime on a redis-server in trouble', () => {
  let server: RunningServer
  let yeoul: Yeoul

  beforeAll(async () => {
    if (!hasRedis()) return
    server = await startRedis()
    yeoul = await connect(server.url)
    yeoul.on('error', () => {})
    yeoul.on('warning', () => {})
  })

  afterAll(async () => {
    await yeoul?.close()
    await server?.stop()
  })

  const cli = (...args: string[]) =>
    execFileSync('redis-cli', ['-p', String(server.port), ...args], { encoding: 'utf8' })

  it.runIf(hasRedis())('R13 goes on after every connection was cut, losing nothing', async () => {
    const orders = yeoul.topic<Order>('orders')
    const got = new Set<string>()
    const worker = orders.worker('billing', async (message) => {
      await new Promise((resolve) => setImmediate(resolve))
      got.add(message.id)
    })
    await worker.start()
    const published: string[] = []
    for (let round = 0; round < 5; round++) {
      cli('client', 'kill', 'type', 'normal')
      while (published.length < (round + 1) * 50) {
        const dedupe = `o-${published.length}`
        try {
          published.push((await orders.publish({ id: dedupe, total: 0 }, { dedupe })).id)
        } catch (error) {
          expect(error).toMatchObject({ retriable: true })
          // While there is no connection a publish is refused at once: the next turn lets it come back.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
    }
    await expect.poll(() => got.size, { timeout: PATIENCE }).toBe(250)
    expect([...got].sort()).toEqual(published.sort())
    await expect.poll(() => yeoul.health().healthy, { timeout: PATIENCE }).toBe(true)
    expect((await orders.info())?.length).toBe(250)
    await worker.stop()
  })

  it.runIf(hasRedis())('R14 goes on after FLUSHALL, skipping nothing that is published afterwards', async () => {
    const orders = yeoul.topic<Order>('flushed')
    const got: string[] = []
    const worker = orders.worker('billing', (message) => got.push(message.value.id), { from: '$' })
    await worker.start()
    await orders.publish({ id: 'before', total: 0 })
    await expect.poll(() => got, { timeout: PATIENCE }).toEqual(['before'])
    cli('flushall')
    await orders.publish({ id: 'after', total: 0 })
    await expect.poll(() => got, { timeout: PATIENCE }).toEqual(['before', 'after'])
    await worker.stop()
  })
})
