/** R10, R11: consumers stopped and ten times the bound published. Nothing accepted is lost, and memory stays within the bound. */
import { execFileSync } from 'node:child_process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Topic, type Yeoul } from '../../packages/yeoul/src/index.js'
import { type Place, places } from '../runtime/places.js'

const BOUND = Number(process.env.YEOUL_BOUND ?? 500)
const PUBLISHED = 10 * BOUND
/** Bytes; the published as a whole are far more than what may be kept. */
const SIZE = 8_000
const PATIENCE = 10_000

interface Job {
  n: number
  filler: string
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const judged = ['redis-server']

describe.each(places.filter(({ name }) => judged.includes(name)))('pressure on $name', ({ available, start }) => {
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

  /** Bytes in use where the stream is kept: the server's, or with an embedded store this process's. */
  const memory = () => {
    if (typeof place.target === 'string' && place.target.startsWith('redis:')) {
      const info = execFileSync('redis-cli', ['-u', place.target, 'info', 'memory'], { encoding: 'utf8' })
      return Number(/used_memory:(\d+)/.exec(info)![1])
    }
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }

  const numbers = Array.from({ length: PUBLISHED }, (_, n) => n)
  const job = (n: number): Job => ({ n, filler: '' })
  const heavy = (n: number): Job => ({ n, filler: String(n).padEnd(SIZE, '.') })
  const length = async (topic: Topic<Job>) => (await topic.info())?.length ?? 0

  const handling = async (topic: Topic<Job>, group: string) => {
    const handled: number[] = []
    const worker = topic.worker(group, ({ value }) => handled.push(value.n))
    await worker.start()
    return { handled, worker }
  }

  it.runIf(available)('R10 wait: publishing goes on as the workers do, and loses nothing', async () => {
    const bound = { maxLength: BOUND, onFull: 'wait', wait: '60s' } as const
    const topic = yeoul.topic<Job>(`wait-${++topics}`, { bound })
    await topic.ensureGroup('g')
    let accepted = 0
    const publishing = Promise.all(numbers.map((n) => topic.publish(job(n)).then(() => accepted++)))
    await expect.poll(() => accepted, { timeout: PATIENCE }).toBe(BOUND)
    expect(await length(topic)).toBe(BOUND)
    let longest = 0
    const { handled, worker } = await handling(topic, 'g')
    const watching = (async () => {
      while (handled.length < PUBLISHED) {
        longest = Math.max(longest, await length(topic))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    await publishing
    await watching
    expect(handled.sort((a, b) => a - b)).toEqual(numbers)
    expect(longest).toBeLessThanOrEqual(BOUND)
    await worker.stop()
  })

  it.runIf(available)(
    'R10 reject: every publish past the bound is told so, and the memory is that of the bound',
    async () => {
      const topic = yeoul.topic<Job>(`reject-${++topics}`, { bound: { maxLength: BOUND, onFull: 'reject' } })
      await topic.ensureGroup('g')
      const before = memory()
      const accepted: number[] = []
      let told = 0
      for (const n of numbers) {
        await topic.publish(heavy(n)).then(
          () => accepted.push(n),
          (error) => {
            expect(error).toMatchObject({ code: 'BOUND_REACHED', retriable: true, outcome: 'none' })
            told++
          },
        )
      }
      expect([accepted.length, told, await length(topic)]).toEqual([BOUND, PUBLISHED - BOUND, BOUND])
      await expect.poll(() => memory() - before, { timeout: PATIENCE }).toBeLessThan(3 * BOUND * SIZE)
      const { handled, worker } = await handling(topic, 'g')
      await expect.poll(() => handled.length, { timeout: PATIENCE }).toBe(BOUND)
      expect(handled.sort((a, b) => a - b)).toEqual(accepted)
      await worker.stop()
    },
  )

  it.runIf(available)('R11 trim: takes nothing that the slowest group has not acknowledged', async () => {
    const topic = yeoul.topic<Job>(`trim-${++topics}`, { bound: { maxLength: BOUND, onFull: 'trim' } })
    await topic.ensureGroup('slow')
    const quick = await handling(topic, 'quick')
    const told = new Set<string>()
    const publish = async (n: number, refused: () => Promise<unknown>) => {
      for (;;) {
        try {
          await topic.publish(heavy(n))
          return
        } catch (error) {
          told.add((error as { code: string }).code)
          await refused()
        }
      }
    }
    for (const n of numbers.slice(0, BOUND)) await publish(n, () => Promise.reject(new Error('there was room')))
    await expect.poll(() => quick.handled.length, { timeout: PATIENCE }).toBe(BOUND)
    await expect(topic.publish(job(BOUND))).rejects.toMatchObject({ code: 'BOUND_REACHED' })
    expect(await topic.trim({ maxLength: 1 })).toMatchObject({ removed: 0, length: BOUND })
    const before = memory()
    const slow = await handling(topic, 'slow')
    for (const n of numbers.slice(BOUND)) await publish(n, () => new Promise((resolve) => setImmediate(resolve)))
    for (const { handled } of [slow, quick]) {
      await expect.poll(() => handled.length, { timeout: PATIENCE }).toBe(PUBLISHED)
      expect(handled.sort((a, b) => a - b)).toEqual(numbers)
    }
    expect([...told].filter((code) => code !== 'BOUND_REACHED')).toEqual([])
    await expect.poll(() => memory() - before, { timeout: PATIENCE }).toBeLessThan(3 * BOUND * SIZE)
    expect(await length(topic)).toBeLessThanOrEqual(BOUND)
    await Promise.all([slow.worker.stop(), quick.worker.stop()])
  })

  it.runIf(available)('R10 a worker whose handlers do not end takes in what its prefetch allows', async () => {
    const topic = yeoul.topic<Job>(`held-${++topics}`)
    await topic.publishMany(numbers.map(job))
    let begun = 0
    const worker = topic.worker(
      'g',
      (_, { signal }) =>
        new Promise<void>((_, reject) => {
          begun++
          signal.addEventListener('abort', () => reject(new Error('stopped')))
        }),
      { concurrency: 10, prefetch: 50, visibilityTimeout: 400 },
    )
    await worker.start()
    await expect.poll(() => begun, { timeout: PATIENCE }).toBe(10)
    let most = 0
    // Heartbeats and looks for idle deliveries go on meanwhile; neither may take in more.
    for (let look = 0; look < 20; look++) {
      most = Math.max(most, worker.health.held, (await yeoul.inspector.group(topic.name, 'g'))!.pending)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(most).toBeLessThanOrEqual(60)
    expect(begun).toBe(10)
    await worker.stop({ timeout: 1 })
  })
})
