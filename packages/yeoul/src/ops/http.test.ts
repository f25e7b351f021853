import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { connect, type Topic, Unrecoverable, type Yeoul } from '../index.js'
import type { DeadLetterPage, Overview } from './api.js'
import { Operations } from './http.js'

describe('operations over HTTP', () => {
  let yeoul: Yeoul
  let orders: Topic<{ id: string }>
  let operations: Operations
  beforeEach(async () => {
    yeoul = await connect('memory:')
    orders = yeoul.topic('orders', { schema: z.object({ id: z.string() }) })
    operations = new Operations(yeoul, {
      publish: [orders, yeoul.topic('full', { bound: { maxLength: 1, onFull: 'reject' } })],
      bodyLimit: 1000,
    })
  })
  afterEach(() => yeoul.close())

  const ask = async (path: string, init?: RequestInit) => {
    const response = await operations.handle(new Request(`http://127.0.0.1${path}`, init))
    if (response === undefined) throw new Error(`${path} is not answered`)
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : undefined,
    }
  }
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })

  describe('POST /publish/:topic', () => {
    it('R2 answers the id once the message is in the log, and the same key of idempotency changes nothing', async () => {
      const first = await post('/publish/orders', '{"id":"o-1"}', { 'idempotency-key': 'k', 'x-yeoul-key': 'c' })
      expect(first.status).toBe(200)
      const again = await post('/publish/orders', '{"id":"o-1"}', { 'idempotency-key': 'k' })
      expect(again.body).toEqual({ id: first.body.id, duplicate: true })
      const entries = await yeoul.store.range('orders', '-', '+')
      expect(entries.map(({ id, fields }) => [id, fields.map(String)])).toEqual([
        [first.body.id, expect.arrayContaining(['data', '{"id":"o-1"}', 'key', 'c'])],
      ])
    })

    it.each([
      ['bad JSON', '/publish/orders', '{', {}, 400, 'bad_json'],
      ['no JSON', '/publish/orders', 'id=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'not_json'],
      ['what does not fit the schema', '/publish/orders', '{"id":1}', {}, 422, 'invalid_value'],
      ['an unknown topic', '/publish/nowhere', '{}', {}, 404, 'unknown_topic'],
      ['a body over the limit', '/publish/orders', `{"id":"${'x'.repeat(1000)}"}`, {}, 413, 'too_large'],
      ['a path that is no UTF-8', '/publish/%ff', '{}', {}, 400, 'bad_path'],
    ])('refuses %s with a reason, and nothing is published', async (_, path, body, headers, status, code) => {
      const answer = await post(path, body, headers)
      expect(answer).toMatchObject({ status, body: { error: { code } } })
      expect(answer.body.error.message).toMatch(/\w.*\.$/)
      expect(await yeoul.store.range('orders', '-', '+')).toEqual([])
    })

    it('R10 says 429 when the topic is full, and 405 to a GET', async () => {
      expect((await post('/publish/full', '1')).status).toBe(200)
      expect(await post('/publish/full', '2')).toMatchObject({ status: 429, body: { error: { code: 'topic_full' } } })
      expect((await ask('/publish/orders')).status).toBe(405)
    })

    it('a body without a length is read no further than the limit', async () => {
      let pulled = 0
      const endless = new ReadableStream({
        pull(controller) {
          pulled++
          controller.enqueue(new Uint8Array(400).fill(32))
        },
      })
      const answer = await ask('/publish/orders', {
        method: 'POST',
        body: endless,
        duplex: 'half',
        headers: { 'content-type': 'application/json' },
      } as RequestInit)
      expect(answer.status).toBe(413)
      expect(pulled).toBeLessThan(10)
    })
  })

  it('R20 metrics: streams, groups, outcomes and durations; an unknown lag is absent, never 0', async () => {
    let handled = () => {}
    const settled = new Promise<void>((resolve) => {
      handled = resolve
    })
    const worker = orders.worker('billing', () => handled())
    await worker.start()
    await orders.publish({ id: 'o-1' })
    await settled
    await worker.stop()
    const { text, headers } = await ask('/metrics')
    expect(headers.get('content-type')).toContain('text/plain')
    expect(text).toContain('yeoul_stream_length{stream="orders"} 1')
    expect(text).toContain('yeoul_group_lag_entries{stream="orders",group="billing"} 0')
    expect(text).toContain('yeoul_group_lag_known{stream="orders",group="billing"} 1')
    expect(text).toContain('yeoul_group_pending_entries{stream="orders",group="billing"} 0')
    expect(text).toContain('yeoul_deliveries_total{stream="orders",group="billing",outcome="ok"} 1')
    expect(text).toContain('yeoul_published_total{stream="orders",outcome="published"} 1')
    expect(text).toMatch(/yeoul_process_duration_seconds_bucket\{stream="orders",group="billing",le="\+Inf"\} 1/)

    // A group moved by hand to between two entries, one of them deleted, and too many behind them to count.
    const ids = [
      await orders.publish({ id: 'o-2' }),
      await orders.publish({ id: 'o-3' }),
      await orders.publish({ id: 'o-4' }),
    ]
    await orders.publishMany(Array.from({ length: 101 }, (_, n) => ({ id: `more-${n}` })))
    await yeoul.store.setGroup('orders', 'billing', ids[0].id)
    await yeoul.store.remove('orders', [ids[1].id])
    const later = new Operations(yeoul)
    const response = await later.handle(new Request('http://127.0.0.1/metrics'))
    const unknown = await response!.text()
    expect(unknown).toContain('yeoul_group_lag_known{stream="orders",group="billing"} 0')
    expect(unknown).not.toContain('yeoul_group_lag_entries{stream="orders",group="billing"}')
  })

  it('dead letters: listed with their trail, redriven and discarded only as previewed', async () => {
    let healed = false
    let resolveHandled = () => {}
    const handled = new Promise<void>((resolve) => {
      resolveHandled = resolve
    })
    const worker = orders.worker('billing', (message) => {
      if (!healed) throw new Unrecoverable(`no ${message.value.id}`)
      resolveHandled()
    })
    let dead = 0
    const died = new Promise<void>((resolve) => {
      worker.on('dead-letter', () => ++dead === 3 && resolve())
    })
    await worker.start()
    for (const id of ['a', 'b', 'c']) await orders.publish({ id })
    await died
    const path = '/api/ops/topics/orders/groups/billing/dead-letters'
    const page = (await ask(`${path}?count=2`)).body as DeadLetterPage
    expect(page).toMatchObject({
      total: 3,
      rows: [{ attempts: 1, error: { name: 'Unrecoverable', message: 'no a' } }, {}],
    })
    expect(page.rows[0].fields).toContainEqual({ name: 'data', value: '{"id":"a"}' })
    const rest = (await ask(`${path}?from=${page.next}`)).body as DeadLetterPage
    expect(rest.rows).toHaveLength(1)

    const all = { all: true, upTo: page.rows[1].id }
    expect((await post(`${path}/redrive`, JSON.stringify({ ...all, dryRun: true }))).body).toEqual({
      selected: 2,
      redriven: 0,
      missing: 0,
      dryRun: true,
    })
    expect((await post(`${path}/discard`, JSON.stringify({ ids: [page.rows[1].id, '1-1'] }))).body).toEqual({
      selected: 1,
      discarded: 1,
      missing: 1,
      dryRun: false,
    })
    healed = true
    expect((await post(`${path}/redrive`, JSON.stringify(all))).body).toMatchObject({ selected: 1, redriven: 1 })
    await handled
    expect(((await ask(path)).body as DeadLetterPage).total).toBe(1)
    expect((await post(`${path}/redrive`, '{"all":true}')).status).toBe(422)
    await worker.stop()
  })

  it('overview, entries and pending are read without consuming anything; odd questions are refused', async () => {
    const { id } = await orders.publish({ id: 'o-1' })
    await yeoul.store.append('orders', ['raw', Buffer.from([0xff, 0x00])])
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let began = () => {}
    const begun = new Promise<void>((resolve) => {
      began = resolve
    })
    const worker = orders.worker('billing', () => {
      began()
      return held
    })
    await worker.start()
    await begun
    const overview = (await ask('/api/ops/overview')).body as Overview
    expect(overview.server.kind).toBe('embedded')
    expect(overview.topics.find(({ name }) => name === 'orders')).toMatchObject({ length: 2 })
    const entries = await ask('/api/ops/topics/orders/entries?reverse=true&count=1')
    expect(entries.body.rows).toMatchObject([{ fields: [{ name: 'raw', value: '/wA=', base64: true }] }])
    expect(entries.body.next).toBe(id)
    const pending = await ask('/api/ops/topics/orders/groups/billing/pending')
    expect(pending.body.rows[0]).toMatchObject({ id, deliveries: 1, consumer: worker.consumer })
    for (const query of ['from=now', 'count=0', 'count=501', 'count=x']) {
      expect((await ask(`/api/ops/topics/orders/entries?${query}`)).status).toBe(422)
    }
    expect((await ask('/api/ops/topics/orders/groups/none/pending')).status).toBe(404)
    release()
    await worker.stop()
  })

  it('health is 503 with the reason while something is wrong, and 200 otherwise; other paths are not ours', async () => {
    expect(await ask('/healthz')).toMatchObject({ status: 200, body: { healthy: true, problems: {} } })
    const sick = new Operations(yeoul, { checks: { database: () => 'it is away' } })
    const response = await sick.handle(new Request('http://127.0.0.1/healthz'))
    expect(response?.status).toBe(503)
    expect(await response?.json()).toMatchObject({ healthy: false, problems: { database: 'it is away' } })
    expect(await operations.handle(new Request('http://127.0.0.1/elsewhere'))).toBeUndefined()
    for (const path of ['/console/../package.json', '/console/..%2f..%2fpackage.json', '/console/assets/none.js']) {
      expect((await operations.handle(new Request(`http://127.0.0.1${path}`)))?.status ?? 404).toBe(404)
    }
  })
})
