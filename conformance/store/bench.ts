import type { Entry, Held, StoreFacts, StreamStore } from '../../packages/yeoul/src/runtime/store.js'

export interface StoreUnderTest {
  /** A new store on the same data each time: two of them are two processes' views. */
  make(): StreamStore
  expected: Partial<StoreFacts>
  features: {
    /** Topics live in different slots, on different nodes: who publishes does not learn how many were reached. */
    slots: boolean
  }
  stop(): Promise<void>
}

let topics = 0

/** One store under test, opened, and what the cases need to use it. */
export class Bench {
  under!: StoreUnderTest
  store!: StreamStore
  facts!: StoreFacts
  private readonly opened: StreamStore[] = []

  async start(start: () => Promise<StoreUnderTest>): Promise<void> {
    this.under = await start()
    this.store = this.under.make()
    this.opened.push(this.store)
    this.facts = await this.store.open()
  }

  async stop(): Promise<void> {
    for (const store of this.opened) await store.close()
    await this.under?.stop()
  }

  /** A second process' view of the same data. */
  async another(): Promise<StreamStore> {
    const store = this.under.make()
    this.opened.push(store)
    await store.open()
    return store
  }

  /** A name nobody used. */
  fresh(): string {
    return `topic-${process.pid}-${++topics}`
  }

  async fill(stream: string, count: number): Promise<string[]> {
    const appended = await Promise.all(
      Array.from({ length: count }, (_, i) => this.store.append(stream, ['data', String(i)])),
    )
    return appended.map(({ id }) => id)
  }

  async deliver(stream: string, group: string, consumer: string, count: number): Promise<Held[]> {
    const [read] = await this.store.readGroup([stream], group, consumer, { count })
    return read.entries.map(({ id }) => ({ id, deliveries: 1 }))
  }
}

/** An append may come before the read has begun to wait (`$` = from then on): append until it has answered. */
export async function appendUntil<T>(waiting: Promise<unknown>, append: () => Promise<T>): Promise<T> {
  let over = false
  void waiting.finally(() => (over = true)).catch(() => {})
  let last = await append()
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (!over) last = await append()
  }
  return last
}

export function shown(entries: Entry[]): string[][] {
  return entries.map(({ id, fields }) => [id, ...fields.map(String)])
}
