import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { MemoryStorage } from '../../packages/yeoul/src/engine/io/memory-storage.js'
import { deadStream } from '../../packages/yeoul/src/runtime/keys.js'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import { storeSuite } from './suite.js'

describe('embedded engine', () => {
  storeSuite(async () => {
    const engine = await Engine.open()
    return {
      make: () => openStore({ engine }),
      expected: { kind: 'embedded', cluster: false, durability: 'memory', warnings: [] },
      features: { slots: false },
      stop: () => engine.close(),
    }
  }, 'memory')

  storeSuite(async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-store-'))
    const engine = await Engine.open({ directory })
    return {
      make: () => openStore({ engine }),
      expected: { kind: 'embedded', cluster: false, durability: 'always', warnings: [] },
      features: { slots: false },
      stop: async () => {
        await engine.close()
        await rm(directory, { recursive: true, force: true })
      },
    }
  }, 'file, every write synced')

  test('E3 what the steps did is there after the directory is opened again', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-store-'))
    try {
      const address = `file:${directory}`
      let store = openStore(address)
      expect((await store.open()).durability).toBe('always')
      await store.ensureGroup('orders', 'g', '0')
      for (let i = 0; i < 6; i++) {
        const fields = ['n', String(i), '이름', Buffer.from([0, 255])]
        await store.append('orders', fields, { sequence: '키', once: { id: `o-${i}`, window: 3_600_000 } })
      }
      const [{ entries }] = await store.readGroup(['orders'], 'g', 'c', { count: 5 })
      const held = entries.map(({ id }) => ({ id, deliveries: 1 }))
      await store.settle('orders', 'g', 'c', held.slice(0, 1))
      const target = { stream: deadStream('orders', 'g'), fields: ['n', 'dead'] }
      await store.deadLetter('orders', 'g', 'c', held[1], target)
      await store.reschedule('orders', 'g', 'c', held[2], { due: 4_000_000_000_000, key: 'k', fields: ['n', 'later'] })
      await store.claimIds('orders', 'g', 'd', [held[3].id], 0)
      await store.release('orders', 'g', 'c', held.slice(4))
      await store.checkpoint('orders', 'g', held[0].id)
      await store.schedule('orders', ['n', 'due'], { due: 1, key: 'now' })
      await store.promote('orders', 10)
      await store.register('topics', 'orders', '{}')
      await store.trim('orders', { acknowledged: true })
      const state = async () => ({
        info: { ...(await store.info('orders')), memory: null },
        groups: (await store.groups('orders')).map((group) => ({ ...group, oldestPendingIdle: null })),
        pending: (await store.pending('orders', 'g', { count: 10 })).map((one) => ({ ...one, idle: null })),
        entries: (await store.range('orders', '-', '+')).map(({ id, fields }) => [id, ...fields.map(String)]),
        letters: (await store.range(target.stream, '-', '+')).map(({ id, fields }) => [id, ...fields.map(String)]),
        scheduled: await store.scheduled('orders'),
        sequences: await store.sequences('orders', ['키']),
        registered: [...(await store.registered('topics'))],
        again: await store.append('orders', ['n', 'again'], { once: { id: 'o-3', window: 1000 }, sequence: '키' }),
      })
      const before = await state()
      expect(before.again.duplicate).toBe(true)
      await store.close()
      store = openStore({ url: address })
      await store.open()
      expect(await state()).toEqual(before)
      await store.close()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('E5 a disk that refuses writes: outcome unknown, then refused; reads go on; all is well when it is back', async () => {
    const storage = new MemoryStorage()
    const engine = await Engine.open({ directory: '/data', storage })
    const store = openStore({ engine })
    await store.open()
    const seen: string[] = []
    let back: (() => void) | undefined
    const recovered = new Promise<void>((resolve) => (back = resolve))
    store.onEvent(({ type }) => {
      seen.push(type)
      if (type === 'connected') back?.()
    })
    await store.append('s', ['n', '0'])
    storage.failNext('datasync', 'EIO', { times: 1 })
    await expect(store.append('s', ['n', '1'])).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' })
    // The log tries again by itself; meanwhile writes are refused before anything happens.
    for (let open = false; !open; ) {
      await store.append('s', ['n', '2']).then(
        () => (open = true),
        (error: unknown) => expect(error).toMatchObject({ code: 'UNAVAILABLE', retriable: true }),
      )
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await recovered
    expect(seen).toEqual(['disconnected', 'connected'])
    const values = (await store.range('s', '-', '+')).map(({ fields }) => String(fields[1]))
    expect(values[0]).toBe('0')
    expect(values.filter((n) => n === '2')).toHaveLength(1)
    await store.close()
    await engine.close()
  })

  test('E8 a directory that is in use is refused in one sentence', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-store-'))
    const store = openStore(`file://${directory}`)
    try {
      await store.open()
      await expect(openStore(`file:${directory}`).open()).rejects.toMatchObject({
        code: 'CONNECTION',
        message: expect.stringContaining(directory),
      })
    } finally {
      await store.close()
      await rm(directory, { recursive: true, force: true })
    }
  })
})

describe('addresses', () => {
  test.each([
    ['http://127.0.0.1', /cannot tell what store "http:\/\/127.0.0.1" is; expected memory:, file:/],
    ['nonsense', /cannot tell what store "nonsense" is/],
    ['redis://user:pa ss@[', /is no URL/],
    ['redis://user:secret@host:bad', /^(?!.*secret).*is no URL/],
    ['redis://127.0.0.1/first', /database "first"/],
    ['file:', /names no directory/],
  ])('%s is refused with what was expected, and without the password', (address, message) => {
    expect(() => openStore(address)).toThrow(message)
  })

  test('an address shows where it leads, without credentials', () => {
    expect(openStore('redis://user:secret@localhost').address).toBe('redis://127.0.0.1:6379/0')
    expect(openStore('valkeys://h:1/2').address).toBe('rediss://h:1/2')
    expect(openStore('memory:').address).toBe('memory:')
    expect(openStore('file:./data').address).toBe('file:data')
    expect(openStore({ cluster: ['a:1', 'b:2'] }).address).toBe('redis://a:1,b:2 (cluster)')
    expect(() => openStore({ cluster: [] })).toThrow(/at least one node/)
  })
})
