import { type Clock, pause } from './clock.js'
import {
  type Failure,
  FIELD,
  fieldMap,
  isRuntimeField,
  producerFields,
  readFailures,
  readNumber,
} from './entry-fields.js'
import { fromStore, YeoulError } from './errors.js'
import type { DeadReason } from './events.js'
import type { Format } from './format.js'
import { deadStream, discardedStream } from './keys.js'
import type { GroupMetrics } from './metrics.js'
import type { Entry, StreamStore } from './store.js'

export interface DeadLetter<T> {
  /** Of the letter, for show, redrive and discard. */
  id: string
  /** Of the message. */
  messageId: string
  topic: string
  group: string
  reason: DeadReason
  attempts: number
  diedAt: Date
  /** That had it last. */
  consumer: string | undefined
  key: string | undefined
  headers: Readonly<Record<string, string>>
  /** Of every attempt as far as known, oldest first. */
  failures: Failure[]
  /** How often it had come back from here before. */
  redriven: number
  /** Undefined when `undecodable` says why. */
  value: T | undefined
  undecodable: YeoulError | undefined
  /** What the producer wrote. */
  fields: ReadonlyMap<string, Buffer>
}

export type RedriveOptions<In, Out> = (
  | { ids: readonly string[] }
  | {
      all: true
      /** Leaves the others where they are. */
      where?: (letter: DeadLetter<Out>) => boolean
    }
) & {
  /** Messages per second. */
  rate?: number
  /** The value to publish in place of the one that failed. */
  edit?: (value: Out | undefined, letter: DeadLetter<Out>) => In | Promise<In>
  onProgress?: (progress: RedriveProgress) => void
  /** Ends it between two steps; what was moved stays moved. */
  signal?: AbortSignal
}

export interface RedriveProgress {
  redriven: number
  /** Gone when their turn came. */
  missing: number
  /** Left by `where`. */
  skipped: number
  total: number
}

const PAGE = 100
/** ms that discarded letters can be restored. */
const UNDO = 7 * 86_400_000

/** The dead letters of one group: a stream of their own, which nothing trims. */
export class DeadLetters<In, Out = In> {
  readonly stream: string
  private readonly discardedStream: string

  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    private readonly topicStream: string,
    readonly group: string,
    private readonly format: Format<In, Out>,
    private readonly metrics: GroupMetrics,
  ) {
    this.stream = deadStream(topicStream, group)
    this.discardedStream = discardedStream(topicStream, group)
  }

  async count(): Promise<number> {
    return (await this.ask(this.store.info(this.stream)))?.length ?? 0
  }

  /** Oldest first, or newest first with `reverse`. `from`: a letter's id, included (`(id` = not). */
  list(options: { from?: string; count?: number; reverse?: boolean } = {}): AsyncGenerator<DeadLetter<Out>, void> {
    return this.lettersOf(this.stream, options)
  }

  /** Those discarded within the last seven days, by the ids that `restore` takes. Options as of `list`. */
  discarded(options: { from?: string; count?: number; reverse?: boolean } = {}): AsyncGenerator<DeadLetter<Out>, void> {
    return this.lettersOf(this.discardedStream, options)
  }

  private async *lettersOf(
    stream: string,
    options: { from?: string; count?: number; reverse?: boolean },
  ): AsyncGenerator<DeadLetter<Out>, void> {
    const { reverse = false } = options
    let left = options.count ?? Number.POSITIVE_INFINITY
    let start = options.from ?? (reverse ? '+' : '-')
    while (left > 0) {
      const count = Math.min(PAGE, left)
      const page = reverse
        ? await this.ask(this.store.range(stream, '-', start, { count, reverse }))
        : await this.ask(this.store.range(stream, start, '+', { count }))
      for (const entry of page) yield await this.letter(entry)
      if (page.length < count) return
      left -= page.length
      start = `(${page[page.length - 1].id}`
    }
  }

  async show(id: string): Promise<DeadLetter<Out> | null> {
    const entry = await this.entry(id)
    return entry ? this.letter(entry) : null
  }

  /**
   * Moves letters back to the topic, for this group only, with no attempts counted. Each moves in one step of the store: a crash
   * in the middle neither loses nor doubles any, and what is left can be redriven by calling again. With `all`, letters that
   * arrive meanwhile stay.
   */
  async redrive(options: RedriveOptions<In, Out>): Promise<RedriveProgress> {
    const { rate, signal } = options
    if (rate !== undefined && !(rate > 0)) {
      throw new YeoulError('INVALID_OPTION', `rate: ${rate} is no number of messages per second`)
    }
    const progress: RedriveProgress = { redriven: 0, missing: 0, skipped: 0, total: 0 }
    const step = Math.min(PAGE, Math.max(1, Math.floor(rate ?? PAGE)))
    const startedAt = this.clock.monotonic()
    progress.total = 'ids' in options ? options.ids.length : await this.count()
    for await (const page of this.selection(options, step, progress)) {
      if (rate !== undefined) {
        const earliest = startedAt + (1_000 * progress.redriven) / rate
        await pause(this.clock, Math.max(0, earliest - this.clock.monotonic()), signal)
      }
      if (signal?.aborted) break
      const letters = await Promise.all(page.map((entry) => this.departure(entry, options.edit)))
      const moved = await this.ask(this.store.redrive(this.stream, this.topicStream, letters))
      const arrived = moved.filter((id) => id !== null).length
      progress.redriven += arrived
      progress.missing += moved.length - arrived
      this.metrics.redriven += arrived
      options.onProgress?.({ ...progress })
    }
    return progress
  }

  /**
   * Takes letters away; answers how many were there. For seven days `restore` brings them back; those discarded longer ago are
   * removed for good by the next discard.
   */
  async discard(ids: readonly string[]): Promise<number> {
    const moved = await this.move(this.stream, this.discardedStream, ids)
    const oldest = `${Math.max(0, this.clock.now() - UNDO)}-0`
    await this.ask(this.store.trim(this.discardedStream, { minId: oldest, force: true, limit: 10_000 }))
    return moved
  }

  /** Puts discarded letters back among the dead letters, by the ids that `discarded` shows; answers how many were there. */
  restore(ids: readonly string[]): Promise<number> {
    return this.move(this.discardedStream, this.stream, ids)
  }

  /** Letter by letter in one step each: a crash in the middle neither loses nor doubles any. */
  private async move(from: string, to: string, ids: readonly string[]): Promise<number> {
    let moved = 0
    for (let at = 0; at < ids.length; at += PAGE) {
      const found = await Promise.all(ids.slice(at, at + PAGE).map((id) => this.entry(id, from)))
      const letters = found.filter((entry) => entry !== undefined)
      if (letters.length === 0) continue
      moved += (await this.ask(this.store.redrive(from, to, letters))).filter((id) => id !== null).length
    }
    return moved
  }

  private async *selection(
    options: RedriveOptions<In, Out>,
    step: number,
    progress: RedriveProgress,
  ): AsyncGenerator<Entry[], void> {
    if ('ids' in options) {
      for (let i = 0; i < options.ids.length; i += step) {
        const found = await Promise.all(options.ids.slice(i, i + step).map((id) => this.entry(id)))
        const there = found.filter((entry) => entry !== undefined)
        progress.missing += found.length - there.length
        if (there.length > 0) yield there
      }
      return
    }
    const last = (await this.ask(this.store.info(this.stream)))?.lastId
    if (last === undefined) return
    let start = '-'
    for (;;) {
      const page = await this.ask(this.store.range(this.stream, start, last, { count: step }))
      if (page.length === 0) return
      start = `(${page[page.length - 1].id}`
      const { where } = options
      const chosen: Entry[] = []
      for (const entry of page) {
        if (!where || where(await this.letter(entry))) chosen.push(entry)
        else progress.skipped++
      }
      if (chosen.length > 0) yield chosen
    }
  }

  private async entry(id: string, stream = this.stream): Promise<Entry | undefined> {
    const [entry] = await this.ask(this.store.range(stream, id, id, { count: 1 }))
    return entry
  }

  private async letter(entry: Entry): Promise<DeadLetter<Out>> {
    const all = fieldMap(entry.fields)
    const own = producerFields(entry.fields)
    const text = (name: string) => all.get(name)?.toString('utf8')
    const message = this.format.message(text(FIELD.origin) ?? entry.id, own)
    let value: Out | undefined
    let undecodable: YeoulError | undefined
    try {
      value = await this.format.decode(message)
    } catch (error) {
      undecodable = fromStore(error, `reading the dead letter ${entry.id}`)
    }
    return {
      id: entry.id,
      messageId: message.entryId,
      topic: this.topicStream,
      group: this.group,
      reason: (text(FIELD.reason) ?? 'exhausted') as DeadReason,
      attempts: readNumber(all.get(FIELD.attempts)) ?? 0,
      diedAt: new Date(readNumber(all.get(FIELD.diedAt)) ?? Number.parseInt(entry.id, 10)),
      consumer: text(FIELD.consumer),
      key: message.key,
      headers: message.headers,
      failures: readFailures(all.get(FIELD.failures)),
      redriven: readNumber(all.get(FIELD.redriven)) ?? 0,
      value,
      undecodable,
      fields: fieldMap(own),
    }
  }

  /** The letter as an entry for the topic again. */
  private async departure(
    entry: Entry,
    edit: RedriveOptions<In, Out>['edit'],
  ): Promise<{ id: string; fields: (string | Buffer)[] }> {
    const letter = await this.letter(entry)
    const fields: (string | Buffer)[] = edit
      ? await this.edited(entry, await edit(letter.value, letter))
      : producerFields(entry.fields)
    fields.push(FIELD.origin, letter.messageId, FIELD.group, this.group, FIELD.redriven, String(letter.redriven + 1))
    return { id: entry.id, fields }
  }

  private async edited(entry: Entry, value: In): Promise<(string | Buffer)[]> {
    await this.format.check(value)
    const fields = this.format.encode(value)
    const replaced = (name: string) =>
      name === FIELD.version ||
      (this.format.codecName === 'fields' ? !isRuntimeField(name) : name === this.format.field)
    for (const [name, content] of fieldMap(producerFields(entry.fields))) {
      if (!replaced(name)) fields.push(name, content)
    }
    return fields
  }

  private async ask<R>(answer: Promise<R>): Promise<R> {
    try {
      return await answer
    } catch (error) {
      throw fromStore(error, `dead letters of ${this.topicStream} for group ${this.group}`)
    }
  }
}
