import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, Unrecoverable, type Yeoul } from '../../packages/yeoul/src/index.js'
import { Running } from '../processes.js'

const yeoulCommand = fileURLToPath(new URL('../../packages/yeoul/bin/yeoul.js', import.meta.url))

describe('the yeoul command', () => {
  let server: Running
  let url: string
  let yeoul: Yeoul
  beforeAll(async () => {
    server = Running.start(process.execPath, [yeoulCommand, 'serve', '--port', '0', '--appendonly', 'no'])
    url = `redis://127.0.0.1:${(await server.printed(/ready .*?127\.0\.0\.1:(\d+)/))[1]}`
    yeoul = await connect(url)
  })
  afterAll(async () => {
    await yeoul.close()
    await server.end()
  })

  function cli(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, [yeoulCommand, '--url', url, ...args], (error, out, errors) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, errors })
      })
    })
  }
  const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).out)

  it('publish → tail → topics → groups → pending → dead-letters list, show, redrive; each also as JSON', {
    timeout: 120_000,
  }, async () => {
    const first = await cli('publish', 'orders', '{"id":"o-1"}', '--key', '고객 7', '--header', 'source=cli')
    expect(first, first.errors).toMatchObject({ code: 0 })
    const id = first.out.trim()
    expect(id).toMatch(/^\d+-\d+$/)
    expect(await json('publish', 'orders', '"poison"', '--dedupe', 'p')).toMatchObject({ duplicate: false })
    expect(await json('publish', 'orders', '"poison"', '--dedupe', 'p')).toMatchObject({ duplicate: true })

    expect((await cli('tail', 'orders')).out).toContain('key=고객 7')
    const lines = (await cli('tail', 'orders', '--json')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toMatchObject([
      { id, fields: { data: '{"id":"o-1"}', key: '고객 7', 'h.source': 'cli' } },
      { fields: { data: '"poison"' } },
    ])

    // One worker that gives one message up and still holds another.
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const dead = new Promise<void>((resolve) => {
      yeoul.on('dead-letter', () => resolve())
    })
    let settled = () => {}
    const redriven = new Promise<void>((resolve) => {
      settled = resolve
    })
    let healed = false
    const worker = yeoul.topic('orders').worker('billing', async (message) => {
      if (message.value !== 'poison') return held
      if (!healed) throw new Unrecoverable('not an order')
      settled()
    })
    await worker.start()
    await dead

    expect((await cli('topics')).out).toMatch(/orders +2 +2/)
    expect(await json('topics')).toMatchObject([{ name: 'orders', length: 2 }])
    expect((await cli('groups', 'orders')).out).toContain('billing')
    expect(await json('groups', 'orders')).toMatchObject([
      { name: 'billing', pending: 1, dead: 1, lag: { kind: 'exact', entries: 0 } },
    ])
    expect((await cli('pending', 'orders', 'billing')).out).toContain(id)
    expect(await json('pending', 'orders', 'billing')).toMatchObject([{ id, deliveries: 1, consumer: worker.consumer }])

    const [letter] = await json('dead-letters', 'list', 'orders', 'billing')
    expect(letter).toMatchObject({ reason: 'unrecoverable', attempts: 1, fields: { data: '"poison"' } })
    expect((await cli('dead-letters', 'list', 'orders', 'billing')).out).toContain('not an order')
    expect((await cli('dead-letters', 'show', 'orders', 'billing', letter.id)).out).toContain(
      'Unrecoverable: not an order',
    )
    expect(await json('dead-letters', 'show', 'orders', 'billing', letter.id)).toMatchObject({ id: letter.id })

    expect(await json('dead-letters', 'redrive', 'orders', 'billing', '--all', '--dry-run')).toEqual({
      selected: 1,
      redriven: 0,
      missing: 0,
      dryRun: true,
    })
    const unasked = await cli('dead-letters', 'redrive', 'orders', 'billing', letter.id)
    expect(unasked.code).toBe(2)
    expect(unasked.errors).toContain('--yes')
    healed = true
    expect(await json('dead-letters', 'redrive', 'orders', 'billing', letter.id, '--yes')).toMatchObject({
      redriven: 1,
    })
    await redriven
    expect(await json('dead-letters', 'list', 'orders', 'billing')).toEqual([])
    release()
    await worker.stop()
  })

  it('R5 dead-letters discard asks, takes away, and restore brings back', { timeout: 60_000 }, async () => {
    const parcels = yeoul.topic('parcels')
    const worker = parcels.worker('post', () => {
      throw new Unrecoverable('no address')
    })
    let dead = 0
    const died = new Promise<void>((resolve) => {
      worker.on('dead-letter', () => {
        if (++dead === 3) resolve()
      })
    })
    await worker.start()
    await parcels.publishMany([1, 2, 3])
    await died
    await worker.stop()
    expect(await json('dead-letters', 'discard', 'parcels', 'post', '--all', '--dry-run')).toMatchObject({
      selected: 3,
    })
    expect((await cli('dead-letters', 'discard', 'parcels', 'post', '--all')).code).toBe(2)
    expect(await json('dead-letters', 'discard', 'parcels', 'post', '--all', '--yes')).toMatchObject({ discarded: 3 })
    expect(await json('dead-letters', 'list', 'parcels', 'post')).toEqual([])
    expect(await json('dead-letters', 'restore', 'parcels', 'post', '--all')).toEqual({ restored: 3, missing: 0 })
    expect(await json('dead-letters', 'list', 'parcels', 'post')).toHaveLength(3)
  })

  it('says in one sentence what is wrong: exit 2 for the call, 1 for the rest', { timeout: 60_000 }, async () => {
    const words = await cli('publish', 'orders', '{bad')
    expect(words.code).toBe(2)
    expect(words.errors).toMatch(/^The payload is not JSON .*\n$/)
    expect((await cli('frobnicate')).code).toBe(2)
    const unknown = await cli('groups', 'nowhere')
    expect(unknown.code).toBe(1)
    expect(unknown.errors).toContain("There is no topic 'nowhere'")
    const gone = await cli('--url', 'redis://127.0.0.1:1', 'topics')
    expect(gone.code).toBe(1)
    expect(gone.errors.trim().split('\n')).toHaveLength(1)
    expect(gone.errors).toContain('127.0.0.1:1')
  })
})
