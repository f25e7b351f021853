/** R19: versioned payloads, three schema libraries, the exported document. */
import { type } from 'arktype'
import * as v from 'valibot'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { MemoryStore, World } from '../testing/memory-store.js'
import { VirtualClock } from '../testing/virtual-clock.js'
import { asyncApi } from './async-api.js'
import { Yeoul } from './yeoul.js'

const open: Yeoul[] = []

afterEach(() => {
  for (const yeoul of open.splice(0)) void yeoul.close()
})

async function setUp() {
  const clock = new VirtualClock()
  const store = new MemoryStore(new World(clock))
  const yeoul = await Yeoul.open(store, { clock })
  open.push(yeoul)
  return { clock, store, yeoul }
}

const current = {
  schema: z.object({ id: z.string(), cents: z.number(), currency: z.string() }),
  version: 3,
  upcast: {
    1: (value: { id: string; total: number }) => ({ id: value.id, cents: Math.round(value.total * 100) }),
    2: (value: object) => ({ ...value, currency: 'EUR' }),
  },
}

describe('versions', () => {
  it('R19 values of every version are read as the present one; a plain XADD is version 1', async () => {
    const { clock, store, yeoul } = await setUp()
    await store.append('orders', ['data', '{"id":"a","total":1.5}'])
    await yeoul.topic('orders', { version: 2 }).publish({ id: 'b', cents: 20 })
    const orders = yeoul.topic('orders', current)
    await orders.publish({ id: 'c', cents: 30, currency: 'KRW' })
    const got: unknown[] = []
    await orders.worker('g', (message) => got.push(message.value)).start()
    await clock.until(() => got.length === 3)
    expect(got).toEqual([
      { id: 'a', cents: 150, currency: 'EUR' },
      { id: 'b', cents: 20, currency: 'EUR' },
      { id: 'c', cents: 30, currency: 'KRW' },
    ])
  })

  it('R19 R5 a version of the future goes to the dead letters, the worker goes on, and a later release redrives it', async () => {
    const { clock, yeoul } = await setUp()
    const died: string[] = []
    yeoul.on('dead-letter', ({ error }) => died.push((error as { code: string }).code))
    await yeoul.topic('orders', { version: 4 }).publish({ id: 'a', cents: 1, currency: 'EUR', note: '' })
    const orders = yeoul.topic('orders', current)
    await orders.publish({ id: 'b', cents: 2, currency: 'EUR' })
    const got: string[] = []
    const worker = orders.worker('g', (message) => got.push(message.value.id))
    await worker.start()
    await clock.until(() => got.length === 1 && died.length === 1)
    expect(died).toEqual(['UNKNOWN_VERSION'])
    const stopping = worker.stop()
    await clock.until(() => worker.state === 'stopped')
    await stopping
    const later = yeoul.topic('orders', {
      ...current,
      version: 4,
      upcast: { ...current.upcast, 3: (value: object) => value },
    })
    await later.worker('g', (message) => got.push(message.value.id)).start()
    await later.deadLetters('g').redrive({ all: true })
    await clock.until(() => got.length === 2)
    expect(got).toEqual(['b', 'a'])
  })

  it('R19 an upcaster that throws puts its message aside', async () => {
    const { clock, store, yeoul } = await setUp()
    await store.append('orders', ['data', 'null'])
    const reasons: string[] = []
    yeoul.on('dead-letter', ({ reason }) => reasons.push(reason))
    await yeoul
      .topic('orders', current)
      .worker('g', () => {})
      .start()
    await clock.until(() => reasons.length === 1)
    expect(reasons).toEqual(['undecodable'])
  })

  it('refuses versions and upcasters that lead nowhere', async () => {
    const { yeoul } = await setUp()
    expect(() => yeoul.topic('t', { version: 0 })).toThrow('version: 0')
    expect(() => yeoul.topic('t', { upcast: { 1: () => 1 } })).toThrow("not below the topic's version")
    expect(() => yeoul.topic('t', { version: 2, upcast: { 2: () => 1 } })).toThrow("not below the topic's version")
  })

  it.each([
    ['zod', z.object({ id: z.string() })],
    ['valibot', v.object({ id: v.string() })],
    ['arktype', type({ id: 'string' })],
  ])('R19 a schema of %s checks what is published and what is read', async (_, schema) => {
    const { clock, store, yeoul } = await setUp()
    const topic = yeoul.topic('orders', { schema })
    await expect(topic.publish({ id: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_VALUE', outcome: 'none' })
    await topic.publish({ id: 'a' })
    await store.append('orders', ['data', '{"id":2}'])
    const got: unknown[] = []
    const reasons: string[] = []
    yeoul.on('dead-letter', ({ reason }) => reasons.push(reason))
    await topic.worker('g', (message) => got.push(message.value)).start()
    await clock.until(() => got.length + reasons.length === 2)
    expect(got).toEqual([{ id: 'a' }])
    expect(reasons).toEqual(['invalid'])
  })
})

describe('asyncApi', () => {
  it('R19 describes topics as AsyncAPI 3.0, with the JSON Schema of what a producer writes', async () => {
    const { yeoul } = await setUp()
    const orders = yeoul.topic('{shop}:orders', current)
    const notes = yeoul.topic('notes', { codec: 'text' })
    const document = asyncApi([orders, notes], {
      title: 'Shop',
      version: '1.2.0',
      payloads: { notes: { type: 'string', maxLength: 80 } },
    })
    expect(document).toMatchObject({
      asyncapi: '3.0.0',
      info: { title: 'Shop', version: '1.2.0' },
      channels: {
        _shop__orders: {
          address: '{shop}:orders',
          messages: {
            _shop__orders: {
              contentType: 'application/json',
              payload: {
                type: 'object',
                properties: { id: { type: 'string' }, cents: { type: 'number' }, currency: { type: 'string' } },
                required: ['id', 'cents', 'currency'],
              },
              headers: { properties: { _v: { const: '3' } } },
            },
          },
        },
        notes: { messages: { notes: { payload: { type: 'string', maxLength: 80 } } } },
      },
      operations: { consume_notes: { action: 'receive', channel: { $ref: '#/channels/notes' } } },
    })
    expect(JSON.parse(JSON.stringify(document))).toEqual(document)
  })
})
