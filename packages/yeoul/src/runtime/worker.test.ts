import { afterEach, describe, expect, it } from 'vitest'
import { MemoryStore, World } from '../testing/memory-store.js'
import { VirtualClock } from '../testing/virtual-clock.js'
import type { HandlerContext } from './attempt.js'
import type { YeoulEvents } from './events.js'
import type { Message } from './message.js'
import { StoreError } from './store.js'
import { RetryAfter, Unrecoverable } from './verdict.js'
import { Yeoul } from './yeoul.js'

interface Order {
  id: string
}

let open: Yeoul[] = []

afterEach(async () => {
  for (const yeoul of open) void yeoul.close()
  open = []
})

async function process(world: World, name = 'host') {
  const store = new MemoryStore(world)
  const yeoul = await Yeoul.open(store, { clock: world.clock, name })
  open.push(yeoul)
  return { store, yeoul, orders: yeoul.topic<Order>('orders') }
}

async function setUp() {
  const clock = new VirtualClock()
  const world = new World(clock)
  return { clock, world, ...(await process(world)) }
}

function pendingOf(world: World, group = 'billing') {
  return world.stream('orders').groups.get(group)!.pending
}

function seen<K extends keyof YeoulEvents>(yeoul: Yeoul, type: K): YeoulEvents[K][] {
  const events: YeoulEvents[K][] = []
  yeoul.on(type, (event) => events.push(event))
  return events
}

/** A promise to be settled by the test. */
function gate() {
  let settle!: () => void
  const promise = new Promise<void>((resolve) => {
    settle = resolve
  })
  return { promise, open: settle }
}

describe('worker', () => {
  it('R1 handles and acknowledges what was published before and after the group was made', async () => {
    const { clock, world, orders } = await setUp()
    const handled: string[] = []
    await orders.publish({ id: 'before' })
    const worker = orders.worker('billing', (message) => {
      handled.push(message.value.id)
    })
    await worker.start()
    await orders.publish({ id: 'after' })
    await clock.until(() => handled.length === 2 && pendingOf(world).size === 0)
    expect(handled).toEqual(['before', 'after'])
    expect(worker.health).toMatchObject({ healthy: true, held: 0, running: 0 })
  })

  it("R1 a group made with from '$' begins with what is published from then on", async () => {
    const { clock, orders } = await setUp()
    const handled: string[] = []
    await orders.publish({ id: 'before' })
    await orders.worker('billing', (m) => handled.push(m.value.id), { from: '$' }).start()
    await orders.publish({ id: 'after' })
    await clock.until(() => handled.length > 0)
    expect(handled).toEqual(['after'])
  })

  it('R1 two groups each get every message', async () => {
    const { clock, orders } = await setUp()
    const handled: string[] = []
    await orders.worker('billing', (m) => handled.push(`billing ${m.value.id}`)).start()
    await orders.worker('mail', (m) => handled.push(`mail ${m.value.id}`)).start()
    await orders.publishMany([{ id: 'a' }, { id: 'b' }])
    await clock.until(() => handled.length === 4)
    expect(handled.sort()).toEqual(['billing a', 'billing b', 'mail a', 'mail b'])
  })

  it('R10 never runs more handlers than its concurrency, and reads ahead no further than its prefetch', async () => {
    const { clock, world, orders } = await setUp()
    let running = 0
    let most = 0
    const doors: (() => void)[] = []
    await orders.publishMany(Array.from({ length: 100 }, (_, i) => ({ id: String(i) })))
    const worker = orders.worker(
      'billing',
      async () => {
        most = Math.max(most, ++running)
        const door = gate()
        doors.push(door.open)
        await door.promise
        running--
      },
      { concurrency: 3, prefetch: 8 },
    )
    await worker.start()
    await clock.advance(50)
    expect(running).toBe(3)
    expect(pendingOf(world).size).toBeLessThanOrEqual(8)
    let finished = 0
    while (finished < 100) {
      const door = doors.shift()
      if (door) {
        finished++
        door()
      }
      await clock.advance(1)
      expect(worker.health.held).toBeLessThanOrEqual(8)
    }
    expect(most).toBe(3)
    await clock.until(() => pendingOf(world).size === 0)
  })

  it('acknowledges in batches', async () => {
    const { clock, world, store, orders } = await setUp()
    await orders.publishMany(Array.from({ length: 1_000 }, (_, i) => ({ id: String(i) })))
    let handled = 0
    await orders.worker('billing', () => handled++, { concurrency: 100 }).start()
    await clock.until(() => handled === 1_000 && pendingOf(world).size === 0)
    expect(store.calls.get('settle')).toBeLessThan(50)
    expect(store.calls.get('readGroup')).toBeLessThan(50)
  })

  it('R4 retries with exponential backoff, then R5 dead-letters with every attempt on record', async () => {
    const { clock, world, yeoul, orders } = await setUp()
    const at: number[] = []
    const attempts: number[] = []
    const dead = seen(yeoul, 'dead-letter')
    await orders.publish({ id: 'poison' }, { key: 'customer', headers: { tenant: 'a' } })
    const worker = orders.worker(
      'billing',
      (message) => {
        at.push(clock.monotonic())
        attempts.push(message.attempt)
        throw new Error(`no ${message.attempt}`)
      },
      { attempts: 4, backoff: { type: 'exponential', base: '1s', jitter: 0 } },
    )
    await worker.start()
    await clock.until(() => dead.length === 1)
    expect(attempts).toEqual([1, 2, 3, 4])
    expect(at.slice(1).map((time, i) => time - at[i])).toEqual([1_000, 2_000, 4_000])
    expect(pendingOf(world).size).toBe(0)

    const [letter] = await collect(orders.deadLetters('billing').list())
    expect(letter).toMatchObject({
      reason: 'exhausted',
      attempts: 4,
      key: 'customer',
      headers: { tenant: 'a' },
      value: { id: 'poison' },
      group: 'billing',
      consumer: worker.consumer,
    })
    expect(letter.failures.map((failure) => [failure.attempt, failure.message, failure.consumer])).toEqual(
      [1, 2, 3, 4].map((n) => [n, `no ${n}`, worker.consumer]),
    )
    expect(letter.failures[0].stack).toContain('worker.test')
    expect(letter.fields.get('data')?.toString()).toBe('{"id":"poison"}')
  })

  it('R4 RetryAfter chooses the delay and Unrecoverable ends it', async () => {
    const { clock, yeoul, orders } = await setUp()
    const at: number[] = []
    const dead = seen(yeoul, 'dead-letter')
    await orders.publish({ id: 'a' })
    await orders
      .worker('billing', (message) => {
        at.push(clock.monotonic())
        throw message.attempt === 1 ? new RetryAfter('7s') : new Unrecoverable('card is stolen')
      })
      .start()
    await clock.until(() => dead.length === 1)
    expect(at[1] - at[0]).toBe(7_000)
    expect(dead[0]).toMatchObject({ reason: 'unrecoverable', attempt: 2 })
  })

  it('R4 a long retry leaves the stream, keeps id and attempts, and is unseen by other groups', async () => {
    const { clock, world, orders } = await setUp()
    const billing: [string, number][] = []
    const mail: string[] = []
    await orders
      .worker(
        'billing',
        (message) => {
          billing.push([message.id, message.attempt])
          if (message.attempt < 3) throw new Error('not yet')
        },
        { backoff: { type: 'fixed', base: '1h', jitter: 0 } },
      )
      .start()
    await orders.worker('mail', (message) => mail.push(message.id)).start()
    const { id } = await orders.publish({ id: 'a' })
    await clock.until(() => billing.length === 1 && world.scheduled.get('orders')?.size === 1)
    expect(pendingOf(world).size).toBe(0)
    await clock.until(() => billing.length === 3 && pendingOf(world).size === 0, 3 * 3_600_000)
    expect(billing).toEqual([
      [id, 1],
      [id, 2],
      [id, 3],
    ])
    await clock.until(() => pendingOf(world, 'mail').size === 0)
    expect(mail).toEqual([id])
    expect((await collect(orders.read())).map((message) => message.id)).toEqual([id])
    expect(await collect(orders.read({ redelivered: true }))).toHaveLength(3)
  })

  it('R4 an attempt that outlasts its timeout is aborted and counts', async () => {
    const { clock, orders } = await setUp()
    const reasons: unknown[] = []
    const attempts: number[] = []
    await orders.publish({ id: 'slow' })
    await orders
      .worker(
        'billing',
        async (message, { signal }) => {
          attempts.push(message.attempt)
          if (message.attempt === 2) return
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          reasons.push(signal.reason)
        },
        { timeout: '10s', backoff: { type: 'fixed', base: '1s' } },
      )
      .start()
    await clock.until(() => attempts.length === 2)
    expect(reasons).toMatchObject([{ code: 'ATTEMPT_TIMEOUT' }])
    expect(clock.monotonic()).toBeGreaterThanOrEqual(10_000)
  })

  it('R5 undecodable and schema-invalid payloads go to the dead letters and stop nothing', async () => {
    const { clock, yeoul, store, orders } = await setUp()
    const handled: string[] = []
    const dead = seen(yeoul, 'dead-letter')
    await store.append('orders', ['data', "{'python': 'dict'}"])
    await store.append('orders', ['message', 'no data field'])
    await store.append('orders', [Buffer.from([0xac, 0xed, 0, 5]), Buffer.from([1, 2, 3])])
    await orders.publish({ id: 'good' })
    await orders.worker('billing', (message) => handled.push(message.value.id)).start()
    await clock.until(() => dead.length === 3 && handled.length === 1)
    expect(dead.map((event) => event.reason)).toEqual(['undecodable', 'undecodable', 'undecodable'])
    const letters = await collect(orders.deadLetters('billing').list())
    expect(letters[0].value).toBeUndefined()
    expect(letters[0].undecodable?.code).toBe('UNDECODABLE')
    expect(letters[0].fields.get('data')?.toString()).toBe("{'python': 'dict'}")
  })

  it('R3 a crashed worker’s messages are taken over after the visibility timeout, attempts counted on', async () => {
    const { clock, world, store, orders } = await setUp()
    await orders.ensureGroup('billing')
    const { id } = await orders.publish({ id: 'a' })
    await store.readGroup(['orders'], 'billing', 'crashed', { count: 10 })
    const handled: [string, number][] = []
    const second = await process(world, 'second')
    const reclaimed = seen(second.yeoul, 'reclaimed')
    await second.orders.worker('billing', (message) => handled.push([message.id, message.attempt])).start()
    await clock.advance(20_000)
    expect(handled).toEqual([])
    await clock.until(() => handled.length === 1 && pendingOf(world).size === 0)
    expect(handled).toEqual([[id, 2]])
    expect(clock.monotonic()).toBeLessThanOrEqual(30_000 * 1.4 + 1)
    expect(reclaimed).toMatchObject([{ count: 1 }])
  })

  it('R3 a long handler keeps its message by heartbeat', async () => {
    const { clock, world, orders } = await setUp()
    const door = gate()
    const first: string[] = []
    const second: string[] = []
    await orders
      .worker('billing', async (message) => {
        first.push(message.id)
        await door.promise
      })
      .start()
    await orders.publish({ id: 'long' })
    await clock.until(() => first.length === 1)
    const other = await process(world, 'second')
    await other.orders.worker('billing', (message) => second.push(message.id)).start()
    await clock.advance(600_000)
    expect(second).toEqual([])
    door.open()
    await clock.until(() => pendingOf(world).size === 0)
  })

  it('R3 a zombie is fenced: its signal aborts and its success does not acknowledge', async () => {
    const { clock, world, store, yeoul, orders } = await setUp()
    const door = gate()
    let context: HandlerContext | undefined
    const fenced = seen(yeoul, 'fenced')
    await orders
      .worker('billing', async (_message, given) => {
        context = given
        await door.promise
      })
      .start()
    const { id } = await orders.publish({ id: 'a' })
    await clock.until(() => context !== undefined)
    await store.claimIds('orders', 'billing', 'rival', [id], 0)
    await clock.until(() => context!.signal.aborted)
    expect(context!.signal.reason).toMatchObject({ code: 'FENCED' })
    await expect(context!.heartbeat()).rejects.toMatchObject({ code: 'FENCED' })
    door.open()
    await clock.until(() => fenced.length === 1)
    expect(fenced[0]).toEqual({ topic: 'orders', group: 'billing', id, certain: true })
    expect(pendingOf(world).get(id)?.consumer).toBe('rival')
  })

  it('R3 a zombie that notices only when it acknowledges is fenced too', async () => {
    const { clock, world, store, yeoul, orders } = await setUp()
    const door = gate()
    let begun = false
    const fenced = seen(yeoul, 'fenced')
    await orders
      .worker('billing', async () => {
        begun = true
        await door.promise
      })
      .start()
    const { id } = await orders.publish({ id: 'a' })
    await clock.until(() => begun)
    await store.claimIds('orders', 'billing', 'rival', [id], 0)
    door.open()
    await clock.until(() => fenced.length === 1)
    expect(pendingOf(world).has(id)).toBe(true)
    expect(yeoul.metrics.snapshot().groups[0]).toMatchObject({ fenced: 1, acknowledged: 0 })
  })

  it('R3 a retry never takes back what was taken over while it waited', async () => {
    const { clock, world, store, yeoul, orders } = await setUp()
    const attempts: number[] = []
    const fenced = seen(yeoul, 'fenced')
    await orders
      .worker(
        'billing',
        (message) => {
          attempts.push(message.attempt)
          throw new Error('again')
        },
        { backoff: { type: 'fixed', base: '5s', jitter: 0 } },
      )
      .start()
    const { id } = await orders.publish({ id: 'a' })
    await clock.until(() => attempts.length === 1)
    await clock.advance(1_000)
    await store.claimIds('orders', 'billing', 'rival', [id], 0)
    await clock.until(() => fenced.length === 1)
    expect(attempts).toEqual([1])
    expect(pendingOf(world).get(id)).toMatchObject({ consumer: 'rival', deliveries: 2 })
  })

  it('R4 last attempts are taken over one at a time, so that a message that kills its worker takes no bystander along', async () => {
    const { clock, world, store, yeoul, orders } = await setUp()
    const dead = seen(yeoul, 'dead-letter')
    await orders.ensureGroup('billing')
    const published = await orders.publishMany(['a', 'b', 'poison', 'c'].map((id) => ({ id })))
    const ids = published.map(({ id }) => id)
    await store.readGroup(['orders'], 'billing', 'crashed-1', { count: 10 })
    for (let n = 2; n <= 4; n++) await store.claimIds('orders', 'billing', `crashed-${n}`, ids, 0)
    const lastAttempts = () => [...pendingOf(world).values()].filter((mark) => mark.deliveries === 5).length
    const handled: string[] = []
    let killer: string | undefined
    // This process is killed by the poison: it never says another word.
    const doomed = await process(world, 'doomed')
    doomed.yeoul.on('error', () => {})
    await doomed.orders
      .worker('billing', (message) => {
        expect(lastAttempts()).toBe(1)
        if (message.value.id !== 'poison') return handled.push(message.value.id)
        killer = message.id
        for (const method of ['settle', 'heartbeat', 'claimIds', 'pending', 'readGroup', 'groups'] as const) {
          doomed.store.fail(method, ...Array.from({ length: 5_000 }, () => new StoreError('CLOSED', 'killed', 'none')))
        }
        return new Promise(() => {})
      })
      .start()
    await clock.until(() => killer !== undefined)
    expect(lastAttempts()).toBe(1)
    await orders.worker('billing', (message) => handled.push(message.value.id)).start()
    await clock.until(() => dead.length === 1 && pendingOf(world).size === 0)
    expect(dead[0]).toMatchObject({ id: killer, reason: 'exhausted' })
    expect(handled.sort()).toEqual(['a', 'b', 'c'])
  })

  it('R4 what was delivered too often without any outcome is dead-lettered unseen', async () => {
    const { clock, store, yeoul, orders } = await setUp()
    await orders.ensureGroup('billing')
    const { id } = await orders.publish({ id: 'killer' })
    await store.readGroup(['orders'], 'billing', 'crashed-1', { count: 1 })
    for (let n = 2; n <= 5; n++) await store.claimIds('orders', 'billing', `crashed-${n}`, [id], 0)
    const dead = seen(yeoul, 'dead-letter')
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.id)).start()
    await clock.until(() => dead.length === 1)
    expect(handled).toEqual([])
    expect(dead[0]).toMatchObject({ id, reason: 'exhausted', error: { code: 'NO_OUTCOME' } })
  })

  it('R13 reading survives failures, health is red meanwhile and green after', async () => {
    const { clock, store, yeoul, orders } = await setUp()
    const errors = seen(yeoul, 'error')
    const handled: string[] = []
    const worker = orders.worker('billing', (message) => handled.push(message.value.id))
    await worker.start()
    const broken = () => new StoreError('CONNECTION', 'the connection broke', 'none')
    store.fail('readGroup', broken(), broken(), broken())
    await orders.publish({ id: 'a' })
    await clock.until(() => errors.length === 1)
    expect(worker.health).toMatchObject({ healthy: false, reason: 'the connection broke' })
    expect(yeoul.health().healthy).toBe(false)
    await orders.publish({ id: 'b' })
    await clock.until(() => handled.length === 2)
    expect(errors.length).toBe(3)
    expect(errors[0].error).toMatchObject({ code: 'STORE_UNAVAILABLE', retriable: true })
    expect(worker.health.healthy).toBe(true)
  })

  it('R1 an acknowledgement that failed is repeated; the message is not handled twice', async () => {
    const { clock, world, store, yeoul, orders } = await setUp()
    seen(yeoul, 'error')
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.value.id)).start()
    store.fail('settle', new StoreError('UNAVAILABLE', 'LOADING', 'none'), new StoreError('DEADLINE', 'late', 'none'))
    await orders.publish({ id: 'a' })
    await clock.until(() => handled.length === 1 && pendingOf(world).size === 0)
    await clock.advance(120_000)
    expect(handled).toEqual(['a'])
  })

  it('R14 a lost group comes back at its checkpoint, neither at 0 nor at $', async () => {
    const { clock, world, yeoul, orders } = await setUp()
    const recovered = seen(yeoul, 'group-recovered')
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.value.id), { from: '$' }).start()
    await orders.publishMany(['a', 'b'].map((id) => ({ id })))
    await clock.until(() => handled.length === 2)
    await clock.advance(10_000)
    world.stream('orders').groups.delete('billing')
    await orders.publish({ id: 'c' })
    await clock.until(() => handled.length === 3)
    expect(handled).toEqual(['a', 'b', 'c'])
    expect(recovered).toEqual([{ topic: 'orders', group: 'billing' }])
  })

  it('R14 when stream and checkpoint are gone too, nothing that came meanwhile is skipped', async () => {
    const { clock, world, orders } = await setUp()
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.value.id), { from: '$' }).start()
    await orders.publish({ id: 'a' })
    await clock.until(() => handled.length === 1)
    await clock.advance(10_000)
    world.streams.clear()
    world.checkpoints.clear()
    await orders.publish({ id: 'b' })
    await clock.until(() => handled.length === 2)
    expect(handled).toEqual(['a', 'b'])
  })

  it('R15 stopping lets handlers finish, acknowledges them, hands back the rest, and leaves the group', async () => {
    const { clock, world, orders } = await setUp()
    const door = gate()
    const begun: Message<Order>[] = []
    const worker = orders.worker(
      'billing',
      async (message) => {
        begun.push(message)
        await door.promise
      },
      { concurrency: 2, prefetch: 10 },
    )
    await orders.publishMany(Array.from({ length: 6 }, (_, i) => ({ id: String(i) })))
    await worker.start()
    await clock.until(() => begun.length === 2)
    const stopped = worker.stop()
    await clock.advance(1_000)
    expect(worker.state).toBe('stopping')
    door.open()
    await clock.advance(1_000)
    await stopped
    expect(worker.state).toBe('stopped')
    expect([...pendingOf(world).values()].map((mark) => mark.deliveries)).toEqual([0, 0, 0, 0])

    const attempts: number[] = []
    const next = await process(world, 'next')
    await next.orders.worker('billing', (message) => attempts.push(message.attempt)).start()
    await clock.until(() => attempts.length === 4 && pendingOf(world).size === 0, 1_000)
    expect(attempts).toEqual([1, 1, 1, 1])
  })

  it('R15 stop() while start() is under way waits for it and drains', async () => {
    const { orders } = await setUp()
    const worker = orders.worker('billing', () => {})
    const started = worker.start()
    const stopped = worker.stop()
    expect(worker.state).toBe('starting')
    await Promise.all([started, stopped])
    expect(worker.state).toBe('stopped')
  })

  it('R15 at the deadline signals abort and messages are handed back at once, the attempt not counted', async () => {
    const { clock, world, orders } = await setUp()
    let signal: AbortSignal | undefined
    const worker = orders.worker('billing', (_message, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    await orders.publish({ id: 'a' })
    await worker.start()
    await clock.until(() => signal !== undefined)
    const stopped = worker.stop({ timeout: '3s' })
    await clock.advance(3_000)
    await stopped
    expect(signal?.reason).toMatchObject({ code: 'STOPPING' })
    expect([...pendingOf(world).values()]).toMatchObject([{ deliveries: 0 }])
  })

  it('R15 stopping ends though the store refuses everything', async () => {
    const { clock, store, yeoul, orders } = await setUp()
    seen(yeoul, 'error')
    const door = gate()
    let begun = false
    const worker = orders.worker('billing', async () => {
      begun = true
      await door.promise
    })
    await orders.publish({ id: 'a' })
    await worker.start()
    await clock.until(() => begun)
    for (const method of ['settle', 'groups', 'checkpoint', 'removeConsumer', 'register'] as const) {
      store.fail(method, ...Array.from({ length: 1_000 }, () => new StoreError('CONNECTION', 'gone', 'none')))
    }
    const stopped = worker.stop()
    door.open()
    await clock.advance(60_000)
    await stopped
    expect(worker.state).toBe('stopped')
  })

  it('R15 a retry that waits goes to the schedule with the rest of its delay', async () => {
    const { clock, world, orders } = await setUp()
    let attempts = 0
    const worker = orders.worker(
      'billing',
      () => {
        attempts++
        throw new Error('later')
      },
      { backoff: { type: 'fixed', base: '10s', jitter: 0 } },
    )
    await orders.publish({ id: 'a' })
    await worker.start()
    await clock.until(() => attempts === 1)
    await clock.advance(4_000)
    const stopped = worker.stop()
    await clock.advance(1)
    await stopped
    expect(pendingOf(world).size).toBe(0)
    const [entry] = world.scheduled.get('orders')!.values()
    expect(entry.due - clock.now()).toBeGreaterThan(5_900)
    expect(entry.due - clock.now()).toBeLessThanOrEqual(6_000)
  })

  it('R16 a consumer whose worker is gone is removed, but not while it holds anything', async () => {
    const { clock, world, orders } = await setUp()
    const crashed = await process(world, 'crashed')
    await orders.ensureGroup('billing')
    const { id } = await orders.publish({ id: 'a' })
    await crashed.store.readGroup(['orders'], 'billing', 'crashed-1', { count: 1 })
    world.registers.set(
      'workers',
      new Map([
        [
          '["orders","billing","crashed-1"]',
          JSON.stringify({ topic: 'orders', group: 'billing', consumer: 'crashed-1', beatAt: 0 }),
        ],
      ]),
    )
    const handled: string[] = []
    await orders.worker('billing', (message) => handled.push(message.id)).start()
    await clock.advance(5_000)
    const group = world.stream('orders').groups.get('billing')!
    expect(group.consumers.has('crashed-1')).toBe(true)
    await clock.until(() => handled.length === 1)
    expect(handled).toEqual([id])
    await clock.until(() => !group.consumers.has('crashed-1'), 300_000)
    expect([...world.registers.get('workers')!.keys()]).toHaveLength(1)
  })

  it('start rejects when the store refuses and may be called again', async () => {
    const { clock, store, orders } = await setUp()
    const handled: string[] = []
    const worker = orders.worker('billing', (message) => handled.push(message.id))
    store.fail('ensureGroup', new StoreError('UNAUTHORIZED', 'NOAUTH', 'none'))
    await expect(worker.start()).rejects.toMatchObject({ code: 'STORE_UNAUTHORIZED', retriable: false })
    expect(worker.state).toBe('idle')
    await worker.start()
    await orders.publish({ id: 'a' })
    await clock.until(() => handled.length === 1)
    await expect(worker.start()).rejects.toMatchObject({ code: 'WORKER_STATE' })
  })

  it('rejects options that make no sense, saying what is wrong', async () => {
    const { orders } = await setUp()
    const make = (options: object) => () => orders.worker('billing', () => {}, options)
    expect(make({ concurrency: 0 })).toThrow('concurrency: 0')
    expect(make({ attempts: 1.5 })).toThrow('attempts: 1.5')
    expect(make({ visibilityTimeout: '5 minutes' })).toThrow('visibilityTimeout: "5 minutes" is no duration')
    expect(make({ backoff: { type: 'linear' } })).toThrow('backoff.type: "linear"')
    expect(make({ from: 'yesterday' })).toThrow('"yesterday" is no place')
  })
})

describe('batch worker', () => {
  it('gathers up to size, or what came within the wait', async () => {
    const { clock, world, orders } = await setUp()
    const batches: string[][] = []
    const worker = orders.batchWorker('db', (messages) => batches.push(messages.map((m) => m.value.id)), {
      batch: { size: 3, wait: '50ms' },
    })
    await worker.start()
    await orders.publishMany(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    await clock.until(() => batches.length === 2 && pendingOf(world, 'db').size === 0)
    expect(batches).toEqual([['a', 'b', 'c'], ['d']])
  })

  it('R4 context.fail retries one message of a batch, the others are done', async () => {
    const { clock, world, orders } = await setUp()
    const handled: [string, number][] = []
    await orders.publishMany(['a', 'b', 'c'].map((id) => ({ id })))
    await orders
      .batchWorker(
        'db',
        (messages, context) => {
          for (const message of messages) {
            handled.push([message.value.id, message.attempt])
            if (message.value.id === 'b' && message.attempt === 1) context.fail(message, new Error('constraint'))
          }
        },
        { backoff: { type: 'fixed', base: '1s' } },
      )
      .start()
    await clock.until(() => handled.length === 4 && pendingOf(world, 'db').size === 0)
    expect(handled).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['b', 2],
    ])
  })

  it('R5 an undecodable message does not spoil its batch', async () => {
    const { clock, store, yeoul, orders } = await setUp()
    const batches: string[][] = []
    const dead = seen(yeoul, 'dead-letter')
    await orders.publish({ id: 'a' })
    await store.append('orders', ['data', '{broken'])
    await orders.publish({ id: 'b' })
    await orders.batchWorker('db', (messages) => batches.push(messages.map((m) => m.value.id))).start()
    await clock.until(() => batches.length === 1 && dead.length === 1)
    expect(batches).toEqual([['a', 'b']])
  })

  it('R15 stopping aborts a batch at the deadline and hands all of it back', async () => {
    const { clock, world, orders } = await setUp()
    let signal: AbortSignal | undefined
    const worker = orders.batchWorker('db', (_messages, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    await orders.publishMany(['a', 'b'].map((id) => ({ id })))
    await worker.start()
    await clock.until(() => signal !== undefined)
    const stopped = worker.stop({ timeout: 100 })
    await clock.advance(100)
    await stopped
    expect(signal?.aborted).toBe(true)
    expect([...pendingOf(world, 'db').values()].map((mark) => mark.deliveries)).toEqual([0, 0])
  })
})

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
