import { type Clock, pause } from './clock.js'
import { idBefore } from './entry-fields.js'
import { fromStore, YeoulError } from './errors.js'
import type { EventSink } from './events.js'
import type { Format } from './format.js'
import { repetitionDelay, report } from './member.js'
import type { Message, ReceivedMessage } from './message.js'
import { rangeEnd, rangeStart, type StartFrom } from './start.js'
import { type Entry, StoreError, type StreamStore } from './store.js'

export interface ReadOptions {
  /** `'0'` (the first entry), an id (included; `(id` = after it), a time ago, a Date, `'$'` (with `follow`: from now on). */
  from?: StartFrom
  /** An id or moment, included. */
  to?: string | Date
  /** Goes on with what is appended from now on, until the signal aborts or the loop is left. */
  follow?: boolean
  /** From `to` back to `from`. */
  reverse?: boolean
  /** Ends after so many messages. */
  count?: number
  signal?: AbortSignal
  /** Also the copies that long retries and redrives have appended for one group. */
  redelivered?: boolean
}

const PAGE = 500
const BLOCK = 5_000

/** Reads a topic without a group: nothing is acknowledged, nothing is taken from anybody. */
export class Reading<T> {
  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    readonly events: EventSink,
    private readonly stream: string,
    private readonly format: Format<never, T>,
    private readonly options: ReadOptions,
  ) {
    const { reverse, follow, to, count } = options
    if (follow && (reverse || to !== undefined)) {
      throw new YeoulError('INVALID_OPTION', 'follow: cannot be combined with reverse or to')
    }
    if (count !== undefined && !(Number.isInteger(count) && count >= 0)) {
      throw new YeoulError('INVALID_OPTION', `count: ${count} is no number of messages`)
    }
  }

  async *messages(): AsyncGenerator<Message<T>, void, undefined> {
    let left = this.options.count ?? Number.POSITIVE_INFINITY
    for await (const entry of this.entries()) {
      if (left <= 0) return
      const message = this.format.message(entry.id, entry.fields)
      if (message.onlyGroup !== undefined && !this.options.redelivered) continue
      message.attempt = message.carriedAttempts + 1
      await this.decode(message)
      yield message
      if (--left <= 0) return
    }
  }

  /** What does not decode is yielded all the same; only touching its value throws. */
  private async decode(message: ReceivedMessage<T>): Promise<void> {
    try {
      message.value = await this.format.decode(message)
    } catch (error) {
      const reason = fromStore(error, `reading ${this.stream}`)
      message.undecodable = reason
      Object.defineProperty(message, 'value', {
        get() {
          throw reason
        },
      })
    }
  }

  private async *entries(): AsyncGenerator<Entry, void, undefined> {
    const { from = '0', follow, reverse, signal } = this.options
    let position = rangeStart(from, this.clock.now())
    const to = rangeEnd(this.options.to)
    if (position === '$') {
      if (!follow) return
      position = `(${(await this.ask(() => this.store.info(this.stream)))?.lastId ?? '0-0'}`
    }
    let end = to
    while (!signal?.aborted) {
      const page = await this.ask(() =>
        this.store.range(this.stream, position, end, { count: this.page(), reverse: reverse === true }),
      )
      yield* page
      if (page.length > 0) {
        const last = page[page.length - 1].id
        if (reverse) end = `(${last}`
        else position = `(${last}`
      }
      if (page.length < this.page()) break
    }
    if (follow) yield* this.follow(before(position))
  }

  private async *follow(after: string): AsyncGenerator<Entry, void, undefined> {
    const { signal } = this.options
    let failures = 0
    while (!signal?.aborted) {
      try {
        const streams = await this.store.read(new Map([[this.stream, after]]), { count: PAGE, block: BLOCK, signal })
        failures = 0
        for (const { entries } of streams) {
          for (const entry of entries) {
            after = entry.id
            yield entry
          }
        }
      } catch (error) {
        if (signal?.aborted) return
        if (!(error instanceof StoreError && error.retriable)) throw fromStore(error, `following ${this.stream}`)
        report(this, error, `following ${this.stream}`)
        await pause(this.clock, repetitionDelay(++failures), signal)
      }
    }
  }

  private page(): number {
    return Math.min(PAGE, this.options.count ?? PAGE) || 1
  }

  private async ask<R>(question: () => Promise<R>): Promise<R> {
    try {
      return await question()
    } catch (error) {
      throw fromStore(error, `reading ${this.stream}`)
    }
  }
}

/** The id after which a range that starts at `position` begins. */
function before(position: string): string {
  if (position === '-') return '0-0'
  if (position.startsWith('(')) return position.slice(1)
  return idBefore(position.includes('-') ? position : `${position}-0`)
}
