/** R1: of every message it can be said where it is. */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type MessageAccount, type Yeoul } from '../../packages/yeoul/src/index.js'
import { hasRedis, startRedis } from '../servers.js'
import { type Place, places } from './places.js'

interface Job {
  n: number
}

describe.each(places)('verify on $name', ({ available, start }) => {
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

  const fresh = () => yeoul.topic<Job>(`audit-${++topics}`)
  const counted = (counts: object) => ({
    waiting: 0,
    delayed: 0,
    pending: 0,
    acknowledged: 0,
    dead: 0,
    expired: 0,
    missing: 0,
    ...counts,
  })
  const accounts = async (topic: string, group = 'g') => {
    const found = new Map<string, MessageAccount>()
    const { groups } = await yeoul.verify(topic, { group, onAccount: (_, account) => found.set(account.id, account) })
    return { found, group: groups[0] }
  }

  it.runIf(available)(
    'R1 names waiting, delayed, pending, acknowledged and dead messages, one state each',
    async () => {
      const topic = fresh()
      const { store } = yeoul
      await topic.ensureGroup('g')
      const ids = (await topic.publishMany(Array.from({ length: 1_207 }, (_, n) => ({ n })))).map(({ id }) => id)
      const later = await topic.publish({ n: -1 }, { delay: '1h' })
      const [{ entries }] = await store.readGroup([topic.name], 'g', 'c', { count: 1_200 })
      await store.settle(
        topic.name,
        'g',
        'c',
        entries.slice(0, 1_100).map(({ id }) => ({ id, deliveries: 1 })),
      )
      const target = {
        stream: topic.deadLetters('g').stream,
        fields: ['data', '1', '_origin', ids[1_100], '_group', 'g'],
      }
      await store.deadLetter(topic.name, 'g', 'c', { id: ids[1_100], deliveries: 1 }, target)
      const due = Date.now() + 3_600_000
      const copy = ['data', '2', '_origin', ids[1_101], '_group', 'g', '_attempt', '3']
      await store.reschedule(topic.name, 'g', 'c', { id: ids[1_101], deliveries: 1 }, { due, key: 'r', fields: copy })
      const { found, group } = await accounts(topic.name)
      expect(group).toMatchObject({ exists: true, missing: [], deletedUnread: 0, notes: [] })
      expect(group.counts).toEqual(counted({ acknowledged: 1_100, dead: 1, delayed: 2, pending: 98, waiting: 7 }))
      expect(found.size).toBe(1_208)
      expect(found.get(ids[0])).toEqual({ id: ids[0], entryId: ids[0], state: 'acknowledged' })
      expect(found.get(ids[1_100])).toMatchObject({ state: 'dead' })
      expect(found.get(ids[1_101])).toEqual({ id: ids[1_101], state: 'delayed', due, attempt: 3 })
      expect(found.get(ids[1_102])).toMatchObject({ state: 'pending', consumer: 'c', attempt: 1 })
      expect(Math.abs(found.get(ids[1_102])!.since! - Date.now())).toBeLessThan(30_000)
      expect(found.get(ids[1_206])).toMatchObject({ state: 'waiting' })
      expect(found.get(later.id)).toMatchObject({ state: 'delayed', due: later.due })
    },
  )

  it.runIf(available)(
    'R1 one pending entry deleted by hand is named, exactly that one, before and after a worker came upon it',
    async () => {
      const topic = fresh()
      await topic.ensureGroup('g')
      const ids = (await topic.publishMany(Array.from({ length: 600 }, (_, n) => ({ n })))).map(({ id }) => id)
      await yeoul.store.readGroup([topic.name], 'g', 'crashed', { count: 600 })
      expect((await accounts(topic.name)).group.counts).toEqual(counted({ pending: 600 }))
      // The first, one in the middle, the last: at the head it must not pass for trimmed.
      const deleted = [ids[0], ids[300], ids[599]]
      for (const id of deleted) await yeoul.store.remove(topic.name, [id])
      const before = await yeoul.verify(topic.name, { ids: [ids[0], ids[1], '1-1'] })
      expect(before.entries).toEqual({ length: 597, added: 600, trimmed: 0, removedOtherwise: 3 })
      expect(before.groups[0].counts).toEqual(counted({ pending: 597, missing: 3 }))
      expect(before.groups[0].missing.map(({ id }) => id).sort()).toEqual([...deleted].sort())
      expect(before.groups[0].missing[0]).toMatchObject({ consumer: 'crashed', attempt: 1 })
      expect(before.groups[0].asked).toMatchObject([{ state: 'missing' }, { state: 'pending' }, null])
      const worker = topic.worker('g', () => {}, { visibilityTimeout: 100 })
      await worker.start()
      await expect
        .poll(async () => (await yeoul.inspector.group(topic.name, 'g'))?.pending, { timeout: 25_000 })
        .toBe(0)
      await worker.stop()
      const { group } = await accounts(topic.name)
      expect(group.counts).toEqual(counted({ acknowledged: 597, missing: 3 }))
      expect(group.missing.map(({ id }) => id).sort()).toEqual([...deleted].sort())
    },
  )

  it.runIf(available)('R1 what a forced trim took is expired; what trimming may take is acknowledged', async () => {
    const topic = fresh()
    await topic.ensureGroup('g')
    const ids = (await topic.publishMany(Array.from({ length: 20 }, (_, n) => ({ n })))).map(({ id }) => id)
    const { store } = yeoul
    await store.readGroup([topic.name], 'g', 'c', { count: 10 })
    await store.settle(
      topic.name,
      'g',
      'c',
      ids.slice(0, 5).map((id) => ({ id, deliveries: 1 })),
    )
    await topic.trim()
    expect((await yeoul.verify(topic.name, { ids: [ids[0]] })).groups[0].asked).toMatchObject([
      { state: 'acknowledged' },
    ])
    await topic.trim({ minId: ids[8], force: true })
    const { groups, entries } = await yeoul.verify(topic.name, { ids: [ids[5]] })
    expect(entries).toEqual({ length: 12, added: 20, trimmed: 8, removedOtherwise: 0 })
    expect(groups[0].counts).toEqual(counted({ expired: 3, pending: 2, waiting: 10 }))
    expect(groups[0].asked).toMatchObject([{ state: 'expired', consumer: 'c' }])
  })

  it.runIf(available)(
    'R1 entries deleted before the group read them are counted, and said to be nameless',
    async () => {
      const topic = fresh()
      await topic.ensureGroup('g')
      const ids = (await topic.publishMany(Array.from({ length: 20 }, (_, n) => ({ n })))).map(({ id }) => id)
      await yeoul.store.readGroup([topic.name], 'g', 'c', { count: 5 })
      await yeoul.store.remove(topic.name, [ids[10], ids[11]])
      const { groups } = await yeoul.verify(topic.name)
      expect(groups[0].counts).toEqual(counted({ pending: 5, waiting: 13 }))
      expect(groups[0].deletedUnread).toBe(2)
      expect(groups[0].notes.join()).toContain('2 entries were deleted before the group read them')
    },
  )

  it.runIf(available)(
    'R1 a message on its way through retry, dead letter and redrive is counted once at every step',
    async () => {
      const topic = fresh()
      let fails = true
      const options = { attempts: 2, visibilityTimeout: 200, backoff: { type: 'fixed', base: 150, jitter: 0 } } as const
      const worker = topic.worker(
        'g',
        () => {
          if (fails) throw new Error('no')
        },
        options,
      )
      await worker.start()
      const published = await topic.publishMany([{ n: 1 }, { n: 2 }, { n: 3 }])
      const letters = topic.deadLetters('g')
      await expect.poll(() => letters.count(), { timeout: 25_000 }).toBe(3)
      expect((await accounts(topic.name)).group.counts).toEqual(counted({ dead: 3 }))
      fails = false
      await letters.redrive({ all: true })
      await expect.poll(async () => (await accounts(topic.name)).group.counts.acknowledged, { timeout: 25_000 }).toBe(3)
      await worker.stop()
      const { found, group } = await accounts(topic.name)
      expect(group.counts).toEqual(counted({ acknowledged: 3 }))
      expect([...found.keys()].sort()).toEqual(published.map(({ id }) => id).sort())
    },
  )

  it.runIf(available)('R1 a topic nobody has is said not to exist; a signal ends the walk', async () => {
    expect(await yeoul.verify('nowhere')).toMatchObject({ groups: [], notes: [expect.stringContaining('no stream')] })
    const topic = fresh()
    await topic.publish({ n: 1 })
    await topic.ensureGroup('g')
    expect((await yeoul.verify(topic.name, { signal: AbortSignal.abort() })).complete).toBe(false)
  })
})

describe.each(places)('lag on $name', ({ available, start }) => {
  it.runIf(available)('R20 a lag that the server cannot tell is counted, or bounded, never a false zero', async () => {
    const place = await start()
    const yeoul = await connect(place.target)
    yeoul.on('warning', () => {})
    try {
      const topic = yeoul.topic<Job>('lagging')
      await topic.ensureGroup('g')
      const ids = (await topic.publishMany(Array.from({ length: 300 }, (_, n) => ({ n })))).map(({ id }) => id)
      await yeoul.store.readGroup(['lagging'], 'g', 'c', { count: 10 })
      const lag = async () => {
        const group = await yeoul.inspector.group('lagging', 'g')
        return { lag: group?.lag, kind: group?.lagKind, bounds: group?.lagBounds }
      }
      expect(await lag()).toEqual({ lag: 290, kind: 'exact', bounds: null })
      await yeoul.store.remove('lagging', [ids[280]])
      // By brute force there are 289; a server that cannot tell says so, with bounds that hold.
      const told = await lag()
      if (told.kind === 'exact') expect(told.lag).toBe(289)
      else {
        expect(told.lag).toBeNull()
        expect(told.bounds!.least).toBeLessThanOrEqual(289)
        expect(told.bounds!.most).toBeGreaterThanOrEqual(289)
      }
      await yeoul.store.readGroup(['lagging'], 'g', 'c', { count: 200 })
      expect(await lag()).toEqual({ lag: 89, kind: 'exact', bounds: null })
    } finally {
      await yeoul.close()
      await place.end()
    }
  })
})

describe('verify while messages move', () => {
  it.runIf(hasRedis())('R1 motion is never mistaken for loss', async () => {
    const server = await startRedis()
    const yeoul = await connect(server.url)
    yeoul.on('warning', () => {})
    try {
      const topic = yeoul.topic<Job>('moving', { retention: { maxLength: 100 } })
      const worker = topic.worker('g', () => new Promise((resolve) => setImmediate(resolve)))
      await worker.start()
      let publishing = true
      const producer = (async () => {
        for (let n = 0; publishing; n++) await topic.publish({ n })
      })()
      for (let round = 0; round < 20; round++) {
        await topic.trim()
        const { groups } = await yeoul.verify('moving')
        expect(groups[0].counts).toMatchObject({ missing: 0, expired: 0, dead: 0 })
      }
      publishing = false
      await producer
      await worker.stop()
      const id = execFileSync('redis-cli', ['-p', String(server.port), 'xadd', 'moving', '*', 'data', '{}'])
      expect((await yeoul.verify('moving')).groups[0].counts.waiting).toBe(1)
      expect(id.length).toBeGreaterThan(0)
    } finally {
      await yeoul.close()
      await server.stop()
    }
  })
})
