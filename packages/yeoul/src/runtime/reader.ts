import { pause } from './clock.js'
import { type Member, repetitionDelay, report } from './member.js'
import { type Entry, StoreError } from './store.js'

/**
 * A read that finds nothing comes back after this many ms, so that every reader proves again and again that it lives. With the
 * store's own grace beyond it, it is also how long a dead connection can go unnoticed: less than five seconds.
 */
export const READ_BLOCK = 2_000

/** What the reader fills. */
export interface Intake {
  /** How many more may be taken in now. */
  room(): number
  /** Resolves when there is room worth a read, or the signal aborts. */
  whenRoom(signal: AbortSignal): Promise<void>
  accept(entries: readonly Entry[], asked: number): void
}

/**
 * Reads ahead: the next read is under way while handlers run, as long as there is room. Every failure is reported and followed by
 * another read, after a pause that grows; the loop ends only with its signal.
 */
export class Reader {
  /** Monotonic ms of the last completed read cycle; null = none yet. */
  lastCycleAt: number | null = null
  /** Not reading because nothing more may be taken in. */
  full = false
  lastError: string | undefined
  /** An answer was lost that may have delivered something to this consumer. */
  private answerLost = false
  private readonly controller = new AbortController()
  private loop: Promise<void> | undefined

  constructor(
    private readonly member: Member,
    private readonly intake: Intake,
    private readonly recoverGroup: () => Promise<void>,
    /** Takes in what was delivered by an answer that never came; called while no read is under way. */
    private readonly recoverDeliveries: () => Promise<void>,
  ) {}

  /** The next read comes after a look for deliveries whose answer was lost. */
  lostAnswer(): void {
    this.answerLost = true
  }

  start(): void {
    this.lastCycleAt = this.member.clock.monotonic()
    this.loop = this.run()
  }

  /** No read begins after this; resolves when the one under way has ended and its entries are taken in. */
  async stop(): Promise<void> {
    this.controller.abort()
    await this.loop
  }

  private async run(): Promise<void> {
    const { store, stream, group, consumer, clock } = this.member
    const { signal } = this.controller
    let failures = 0
    while (!signal.aborted) {
      const count = this.intake.room()
      if (count < 1) {
        this.full = true
        await this.intake.whenRoom(signal)
        this.full = false
        this.lastCycleAt = clock.monotonic()
        continue
      }
      try {
        if (this.answerLost) {
          await this.recoverDeliveries()
          this.answerLost = false
        }
        const streams = await store.readGroup([stream], group, consumer, { count, block: READ_BLOCK, signal })
        failures = 0
        this.lastCycleAt = clock.monotonic()
        this.lastError = undefined
        for (const { entries } of streams) this.intake.accept(entries, count)
      } catch (error) {
        if (signal.aborted) return
        failures++
        await this.overcome(error, failures)
      }
    }
  }

  private async overcome(error: unknown, failures: number): Promise<void> {
    if (error instanceof StoreError && error.outcome === 'unknown') this.answerLost = true
    const where = `reading ${this.member.topic} for group ${this.member.group}`
    this.lastError = error instanceof Error ? error.message : String(error)
    if (error instanceof StoreError && error.code === 'GROUP_MISSING') {
      try {
        await this.recoverGroup()
        if (failures === 1) return
      } catch (again) {
        report(this.member, again, where)
      }
    } else {
      report(this.member, error, where)
    }
    await pause(this.member.clock, repetitionDelay(failures), this.controller.signal)
  }
}
