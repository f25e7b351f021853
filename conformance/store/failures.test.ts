/** What the Redis store does when the connection or the server fails (R2, R13, R22). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoreEvent, StreamStore } from '../../packages/yeoul/src/runtime/store.js'
import { openStore } from '../../packages/yeoul/src/stores/open.js'
import type { RedisOptions } from '../../packages/yeoul/src/stores/redis.js'
import { freePort, hasRedis, type RunningServer, startRedis } from '../servers.js'

describe.skipIf(!hasRedis())('redis store under failure', () => {
  let server: RunningServer
  let operator: StreamStore
  const opened: StreamStore[] = []

  const open = async (options: RedisOptions = {}): Promise<{ store: StreamStore; next: NextEvent }> => {
    const store = openStore({ url: server.url, deadline: 400, grace: 300, name: 'victim', ...options })
    opened.push(store)
    await store.open()
    return { store, next: events(store) }
  }

  beforeEach(async () => {
    server = await startRedis()
    operator = openStore(server.url)
    opened.push(operator)
    await operator.open()
  })

  afterEach(async () => {
    server.thaw()
    for (const store of opened.splice(0)) await store.close()
    await server.stop()
  })

  test('R2 a write in flight when the connection drops rejects with outcome unknown and is never repeated', async () => {
    const { store, next } = await open({ deadline: 5000 })
    await store.append('s', ['n', '0'])
    server.freeze() // what is sent now waits in the socket
    const settled = Promise.allSettled(Array.from({ length: 50 }, (_, i) => store.append('s', ['n', String(i)])))
    const reading = store.info('s').catch((error: unknown) => error)
    await written()
    await server.kill()
    for (const result of await settled) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'CONNECTION', outcome: 'unknown', retriable: true },
      })
    }
    expect(await reading).toMatchObject({ code: 'CONNECTION', outcome: 'none' })
    await next('disconnected')
    await expect(store.append('s', ['n', 'x'])).rejects.toMatchObject({ code: 'CONNECTION', outcome: 'none' })
  })

  test('R13 after CLIENT KILL a new connection is made; nothing was sent twice', async () => {
    const { store, next } = await open()
    for (let round = 0; round < 5; round++) {
      const results = Promise.allSettled(
        Array.from({ length: 200 }, (_, i) => store.append('s', ['n', `${round}-${i}`])),
      )
      await kill(server.port, 'victim')
      const outcomes = await results
      await next('connected')
      const entries = await operator.range('s', '-', '+')
      const values = entries.map(({ fields }) => String(fields[1]))
      expect(new Set(values).size).toBe(values.length)
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') expect(values).toContain(`${round}-${i}`)
      }
      await store.append('s', ['n', `after ${round}`])
    }
  })

  test('R13 a frozen server: calls and blocking reads reject by the deadline, and all works again when it is back', async () => {
    const { store, next } = await open()
    await store.ensureGroup('s', 'g', '0')
    const blocked = store.readGroup(['s'], 'g', 'c', { count: 1, block: 50 })
    expect(await blocked).toEqual([])
    server.freeze()
    const write = await store.append('s', ['n', '1']).catch((error: unknown) => error)
    expect(write).toMatchObject({ code: 'DEADLINE', outcome: 'unknown', retriable: true })
    const read = await store.readGroup(['s'], 'g', 'c', { count: 1, block: 50 }).catch((error: unknown) => error)
    expect(read).toMatchObject({ code: expect.stringMatching(/DEADLINE|CONNECTION/), retriable: true })
    const event = await next('disconnected')
    expect(event).toMatchObject({ error: { code: 'DEADLINE' } })
    server.thaw()
    await next('connected')
    await store.append('s', ['n', '2'])
    const entries: string[] = []
    while (!entries.includes('2')) {
      const found = await store.readGroup(['s'], 'g', 'c', { count: 10, block: 1000 })
      for (const one of found) for (const { fields } of one.entries) entries.push(String(fields[1]))
    }
    expect(entries.filter((n) => n === '2')).toHaveLength(1)
  })

  test('R13 a blocking read on a frozen server rejects by itself, before any other call notices', async () => {
    const { store } = await open({ deadline: 60_000 })
    await store.ensureGroup('s', 'g', '0')
    const blocked = store.readGroup(['s'], 'g', 'c', { count: 1, block: 100 }).catch((error: unknown) => error)
    await waitFor(async () => /cmd=xreadgroup/.test(await clients(server.port)))
    server.freeze()
    expect(await blocked).toMatchObject({ code: 'DEADLINE', outcome: 'unknown', retriable: true })
    server.thaw()
    await store.append('s', ['n', '1'])
    expect(await store.readGroup(['s'], 'g', 'c', { count: 1, block: 5000 })).toHaveLength(1)
  })

  test('R13 a killed blocking read rejects; the next one has a new connection', async () => {
    const { store } = await open()
    await store.ensureGroup('s', 'g', '0')
    const blocked = store.readGroup(['s'], 'g', 'c', { count: 1, block: 30_000 }).catch((error: unknown) => error)
    await waitFor(async () => /cmd=xreadgroup/.test(await clients(server.port)))
    await kill(server.port, 'victim', /cmd=xreadgroup/)
    expect(await blocked).toMatchObject({ code: 'CONNECTION', outcome: 'unknown' })
    await store.append('s', ['n', '1'])
    expect(await store.readGroup(['s'], 'g', 'c', { count: 1, block: 5000 })).toHaveLength(1)
  })

  test('subscriptions are made again after the connection drops, and onGap says that something was missed', async () => {
    const { store } = await open()
    const heard: string[] = []
    let hear: (() => void) | undefined
    let gap: (() => void) | undefined
    const gapped = new Promise<void>((resolve) => (gap = resolve))
    await store.channels.subscribe(
      { channels: ['c'], patterns: ['p*'] },
      (message, channel) => {
        heard.push(`${channel} ${message}`)
        if (heard.length === 2) hear?.()
      },
      () => gap?.(),
    )
    await kill(server.port, 'victim', /sub=1/)
    await gapped
    const both = new Promise<void>((resolve) => (hear = resolve))
    expect(await operator.channels.publish('c', 'one')).toBe(1)
    expect(await operator.channels.publish('pq', 'two')).toBe(1)
    await both
    expect(heard).toEqual(['c one', 'pq two'])
  })

  test('steps that the server lost are installed again: FUNCTION FLUSH and SCRIPT FLUSH', async () => {
    const { store } = await open()
    await command(server.port, 'FUNCTION FLUSH')
    expect(await store.ensureGroup('s', 'g', '0')).toBe(true)
    await command(server.port, 'FUNCTION FLUSH')
    const appended = await Promise.all(Array.from({ length: 500 }, (_, i) => store.append('s', ['n', String(i)])))
    expect(new Set(appended.map(({ id }) => id)).size).toBe(500)
    const { store: scripted } = await open({ functions: false })
    await command(server.port, 'SCRIPT FLUSH')
    expect(await scripted.ensureGroup('s', 'h', '0')).toBe(true)
  })

  test('a newer library on the server is left alone, an older one is replaced', async () => {
    const load = (version: number) =>
      `#!lua name=yeoul\n-- version ${version}\nredis.register_function('yeoul_info', function() return 'from version ${version}' end)`
    await send(server.port, ['FUNCTION', 'LOAD', 'REPLACE', load(999_999)])
    await open()
    expect(await send(server.port, ['FCALL', 'yeoul_info', '0'])).toContain('from version 999999')
    await send(server.port, ['FUNCTION', 'LOAD', 'REPLACE', load(0)])
    const { store } = await open()
    expect(await store.info('none')).toBeNull()
  })

  test('R22 what is unsafe is said at open: eviction, nothing on disk', async () => {
    await command(server.port, 'CONFIG SET maxmemory 100mb')
    await command(server.port, 'CONFIG SET maxmemory-policy allkeys-lru')
    const store = openStore(server.url)
    opened.push(store)
    const { warnings } = await store.open()
    expect(warnings.join('\n')).toMatch(/nothing on disk.*\n.*evicts any key/)
  })

  test('errors of the server are told apart: no memory, no password, wrong password', async () => {
    const { store } = await open()
    await store.ensureGroup('s', 'g', '0')
    await store.append('s', ['n', '1'])
    const [{ entries }] = await store.readGroup(['s'], 'g', 'c', { count: 1 })
    await command(server.port, 'CONFIG SET maxmemory 1')
    for (const write of [
      () => store.append('s', ['n', '1']),
      () => store.append('s', ['n', '1'], { sequence: 'k' }),
      () => store.schedule('s', ['n', '1'], { due: 1, key: 'k' }),
    ]) {
      await expect(write()).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'none', retriable: true })
    }
    // Acknowledging and trimming must go on, or memory never becomes free.
    expect(await store.settle('s', 'g', 'c', [{ id: entries[0].id, deliveries: 1 }])).toEqual([])
    expect(await store.trim('s', { acknowledged: true })).toMatchObject({ removed: 1 })
    await command(server.port, 'CONFIG SET maxmemory 0')
    await command(server.port, 'CONFIG SET requirepass secret')
    const url = (credentials: string) => `redis://${credentials}127.0.0.1:${server.port}`
    for (const credentials of ['', ':wrong@', 'nobody:secret@']) {
      const refused = openStore(url(credentials))
      await expect(refused.open()).rejects.toMatchObject({ code: 'UNAUTHORIZED', retriable: false })
    }
    const admitted = openStore(`${url('default:secret@')}/3`)
    opened.push(admitted)
    await admitted.open()
    expect(admitted.address).toBe(`redis://127.0.0.1:${server.port}/3`)
    await admitted.append('s', ['n', '1'])
    expect((await admitted.info('s'))!.length).toBe(1)
  })

  test('open says in one sentence why it failed: nobody listens, a server that never answers', async () => {
    const port = await freePort()
    await expect(openStore(`redis://127.0.0.1:${port}`).open()).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringMatching(new RegExp(`^connection to redis://127.0.0.1:${port}/0 failed: .*ECONNREFUSED`)),
    })
    server.freeze()
    await expect(openStore({ url: server.url, deadline: 200 }).open()).rejects.toMatchObject({ code: 'DEADLINE' })
  })
})

type NextEvent = (type: StoreEvent['type']) => Promise<StoreEvent>

/** Waits for the next event of a type; events that came before the call count once. */
function events(store: StreamStore): NextEvent {
  const seen: StoreEvent[] = []
  let check: (() => void) | undefined
  store.onEvent((event) => {
    seen.push(event)
    check?.()
  })
  return (type) =>
    new Promise((resolve) => {
      check = () => {
        const at = seen.findIndex((event) => event.type === type)
        if (at >= 0) resolve(seen.splice(0, at + 1)[at])
      }
      check()
    })
}

/** Resolves when what was called in this turn has been handed to the socket. */
async function written(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function send(port: number, args: string[]): Promise<string> {
  const { createClient } = await import('redis')
  const client = createClient({ socket: { host: '127.0.0.1', port } })
  client.on('error', () => {})
  await client.connect()
  try {
    return String(await client.sendCommand(args))
  } finally {
    client.destroy()
  }
}

const command = (port: number, line: string): Promise<string> => send(port, line.split(' '))
const clients = (port: number): Promise<string> => command(port, 'CLIENT LIST')

/** Kills the connections of that name, as an operator or a failing network would. */
async function kill(port: number, name: string, matching = /./): Promise<void> {
  for (const line of (await clients(port)).split('\n')) {
    if (!line.includes(`name=${name} `) || !matching.test(line)) continue
    await command(port, `CLIENT KILL ID ${/\bid=(\d+)/.exec(line)![1]}`)
  }
}
