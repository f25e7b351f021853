/** R4: what no handler has had burns no attempt. */
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryStore, World } from '../testing/memory-store.js'
import { VirtualClock } from '../testing/virtual-clock.js'
import { StoreError, type StreamEntries } from './store.js'
import { Yeoul } from './yeoul.js'

/** Loses the answers of group reads and claims: what they did stays done. */
class LossyStore extends MemoryStore {
  losing = 0

  override async readGroup(...args: Parameters<MemoryStore['readGroup']>): Promise<StreamEntries[]> {
    const found = await super.readGroup(...args)
    if (this.losing > 0 && found.length > 0) {
      this.losing--
      throw new StoreError('CONNECTION', 'the answer was lost', 'unknown')
    }
    return found
  }

  override async claimIds(...args: Parameters<MemoryStore['claimIds']>) {
    const taken = await super.claimIds(...args)
    if (this.losing > 0 && taken.length > 0) {
      this.losing--
      throw new StoreError('CONNECTION', 'the answer was lost', 'unknown')
    }
    return taken
  }
}

const open: Yeoul[] = []

afterEach(() => {
  for (const yeoul of open.splice(0)) void yeoul.close()
})

async function setUp() {
  const clock = new VirtualClock()
  const world = new World(clock)
  const store = new LossyStore(world)
  const yeoul = await Yeoul.open(store, { clock })
  yeoul.on('error', () => {})
  open.push(yeoul)
  return { clock, world, store, topic: yeoul.topic<number>('orders') }
}

describe('deliveries no handler has had', () => {
  it.each([1, 5])(
    'R4 a lost answer to a read costs neither an attempt nor a visibility timeout (attempts: %i)',
    async (attempts) => {
      const { clock, world, store, topic } = await setUp()
      const handled: [number, number][] = []
      const worker = topic.worker('g', (message) => handled.push([message.value, message.attempt]), { attempts })
      await worker.start()
      store.losing = 1
      const before = clock.monotonic()
      for (let n = 0; n < 3; n++) await topic.publish(n)
      await clock.until(() => handled.length === 3 && world.stream('orders').groups.get('g')!.pending.size === 0)
      expect(handled.sort()).toEqual([
        [0, 1],
        [1, 1],
        [2, 1],
      ])
      expect(clock.monotonic() - before).toBeLessThan(5_000)
      expect(await topic.deadLetters('g').count()).toBe(0)
    },
  )

  it('R4 a lost answer to a take-over counts one attempt, not two', async () => {
    const { clock, store, topic } = await setUp()
    await topic.ensureGroup('g')
    await topic.publish(7)
    await store.readGroup(['orders'], 'g', 'crashed', { count: 1 })
    const handled: number[] = []
    store.losing = 1
    await topic.worker('g', (message) => handled.push(message.attempt)).start()
    await clock.until(() => handled.length === 1)
    expect(handled).toEqual([2])
  })

  it('R4 with one attempt nothing is read that no handler begins with', async () => {
    const { clock, world, topic } = await setUp()
    await topic.publishMany([0, 1, 2, 3, 4, 5, 6, 7])
    const begun: number[] = []
    const options = { attempts: 1, concurrency: 3 }
    await topic.worker('g', (message) => new Promise(() => begun.push(message.value)), options).start()
    await clock.until(() => begun.length === 3)
    await clock.advance(20_000)
    expect(world.stream('orders').groups.get('g')!.pending.size).toBe(3)
    expect(begun).toHaveLength(3)
  })

  it('R4 what an earlier process of the same consumer name had counts as attempted', async () => {
    const { clock, store, topic } = await setUp()
    await topic.ensureGroup('g')
    await topic.publish(7)
    await store.readGroup(['orders'], 'g', 'fixed', { count: 1 })
    await clock.advance(1_000)
    const handled: number[] = []
    await topic.worker('g', (message) => handled.push(message.attempt), { consumer: 'fixed' }).start()
    store.losing = 1
    await topic.publish(8)
    await clock.until(() => handled.length === 2)
    expect(handled.sort()).toEqual([1, 2])
  })
})
