import { type Clock, connect, type Topic, type Worker, type Yeoul } from '../../packages/yeoul/src/index.js'
import type { ConnectTarget } from '../../packages/yeoul/src/stores/open.js'

interface Job {
  n: number
}

export interface LedgerOptions {
  clock?: Clock
}

/**
 * A producer and two workers, each on a store of its own, and the account of every number published: when it was accepted, how
 * often it was handled. The producer repeats with the same dedupe id until the answer is certain.
 */
export class Ledger {
  /** By number: entry id. */
  readonly accepted = new Map<number, string>()
  /** By number: times handled. */
  readonly handled = new Map<number, number>()
  /** Kinds of errors the producer was told, and how often. */
  readonly told = new Map<string, number>()
  fenced = 0
  private next = 0
  private publishing = true
  private producing: Promise<void> | undefined
  private watchers = new Set<() => void>()

  private constructor(
    readonly producer: Yeoul,
    readonly consumers: readonly Yeoul[],
    readonly topic: Topic<Job>,
    readonly workers: readonly Worker[],
    /** Errors reported, and those told to the producer, as text. */
    readonly complaints: Set<string>,
  ) {}

  static async start(target: ConnectTarget, topic: string, options: LedgerOptions = {}): Promise<Ledger> {
    const complaints = new Set<string>()
    const open = async () => {
      const yeoul = await connect(target, { clock: options.clock })
      yeoul.on('error', ({ error }) => complaints.add(String(error)))
      yeoul.on('warning', () => {})
      return yeoul
    }
    const [producer, ...consumers] = await Promise.all([open(), open(), open()])
    const workers: Worker[] = []
    const ledger = new Ledger(producer, consumers, producer.topic<Job>(topic), workers, complaints)
    for (const yeoul of consumers) {
      const worker = yeoul
        .topic<Job>(topic)
        .worker('g', (message) => ledger.handle(message.value.n), { concurrency: 8 })
      worker.on('fenced', () => ledger.fenced++)
      workers.push(worker)
      await worker.start()
    }
    ledger.producing = ledger.produce()
    return ledger
  }

  get healthy(): boolean {
    return this.consumers.every((yeoul) => yeoul.health().healthy)
  }

  get held(): number {
    return this.workers.reduce((sum, worker) => sum + worker.health.held, 0)
  }

  get duplicates(): number {
    let sum = 0
    for (const times of this.handled.values()) sum += times - 1
    return sum
  }

  /** Accepted and never handled. */
  unhandled(): number[] {
    return [...this.accepted.keys()].filter((n) => !this.handled.has(n))
  }

  /** The number that the producer tries next: everything from it on is published after this moment. */
  get upNext(): number {
    return this.next
  }

  /** Resolves when something was handled and the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.watchers.add(resolve))
  }

  async stopPublishing(): Promise<void> {
    this.publishing = false
    await this.producing
  }

  async close(): Promise<void> {
    this.publishing = false
    await Promise.all(this.consumers.map((yeoul) => yeoul.close()))
    await this.producing
    await this.producer.close()
  }

  private async handle(n: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.handled.set(n, (this.handled.get(n) ?? 0) + 1)
    this.wake()
  }

  private async produce(): Promise<void> {
    while (this.publishing) {
      const n = this.next++
      for (;;) {
        try {
          const { id } = await this.topic.publish({ n }, { dedupe: `n-${n}` })
          this.accepted.set(n, id)
          break
        } catch (error) {
          const { code, retriable } = error as { code: string; retriable: boolean }
          this.told.set(code, (this.told.get(code) ?? 0) + 1)
          this.complaints.add(String(error))
          if (!retriable || !this.publishing) break
          await pause(10)
        }
      }
      this.wake()
      await pause(2)
    }
  }

  private wake(): void {
    const watchers = this.watchers
    this.watchers = new Set()
    for (const resolve of watchers) resolve()
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
