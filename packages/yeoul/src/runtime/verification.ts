import type { Clock } from './clock.js'
import { compareIds, FIELD, fieldMap, readNumber } from './entry-fields.js'
import { fromStore } from './errors.js'
import { deadStream, discardedStream, missingKey } from './keys.js'
import type { Registry } from './registry.js'
import type { Entry, GroupInfo, PendingDelivery, StreamInfo, StreamStore } from './store.js'

/**
 * Where a message is, for one group:
 *
 *     waiting        in the stream, not delivered to the group yet
 *     delayed        in the schedule: published for later, or between two attempts
 *     pending        delivered, not acknowledged: `consumer` has it since `since`, at attempt `attempt`
 *     acknowledged   handled (or before the place where the group began)
 *     dead           among the group's dead letters, or discarded from them and still to be restored
 *     expired        trimmed by force before the group had acknowledged it
 *     missing        pending, but somebody deleted its entry: nobody can handle it any more
 */
export type MessageState = 'waiting' | 'delayed' | 'pending' | 'acknowledged' | 'dead' | 'expired' | 'missing'

export interface MessageAccount {
  /** Of the message; of one published for later and not due yet, the key that publishing it answered. */
  id: string
  state: MessageState
  /** Where it is: an entry of the topic, or a letter of the dead letters. Absent when it is in neither. */
  entryId?: string
  /** Of a pending or missing message: who has it, or had it. */
  consumer?: string
  /** Of a pending message: its last delivery or sign of life, ms since the epoch. */
  since?: number
  /** Of a pending, delayed or missing message: attempts begun. */
  attempt?: number
  /** Of a delayed message: when it appears, ms since the epoch. */
  due?: number
}

export interface VerifyOptions {
  /** One group; by default every group that exists or ever had a worker. */
  group?: string
  /** Messages to be told of one by one, in `asked`. */
  ids?: readonly string[]
  /** Called for every message, group by group as the walk finds them: newest entries first. */
  onAccount?: (group: string, account: MessageAccount) => void
  /** Entries of the topic looked at so far, and how many there were at the beginning. */
  onProgress?: (looked: number, total: number) => void
  /** Ends the walk between two pages: `complete` is false then. */
  signal?: AbortSignal
}

export interface GroupAccount {
  group: string
  /** False for a group that had workers but is not on the server now. */
  exists: boolean
  counts: Record<MessageState, number>
  /** The missing ones, at most the first 1000 found. */
  missing: MessageAccount[]
  /** Entries deleted before the group read them, whose ids nobody knows; null = cannot be told. */
  deletedUnread: number | null
  /** One for each of `ids`, in order; null = the topic has no trace of it. */
  asked: (MessageAccount | null)[]
  /** What could not be told, and what an operator should know. */
  notes: string[]
}

export interface Verification {
  topic: string
  /** Milliseconds since the epoch. */
  at: number
  /** False when the signal ended it. */
  complete: boolean
  entries: {
    length: number
    /** Ever. */
    added: number
    /** By trimming within what this runtime may take. */
    trimmed: number
    /** In any other way: XDEL, XTRIM or MAXLEN of somebody else; null = cannot be told. */
    removedOtherwise: number | null
  }
  groups: GroupAccount[]
  notes: string[]
}

const PAGE = 500
const MOST_LISTED = 1_000

/**
 * Accounts for every message of a topic. Walks the stream once, newest first (so that a copy made by a retry or a redrive is met
 * before its original, which it stands for), beside the pending lists, the schedule and the dead letters; page by page, writing
 * nothing. What it keeps in memory grows with dead letters, delayed messages and copies, not with the stream.
 *
 * At rest the account is exact. While messages move, one is counted where it was when its page was read; *missing* is looked
 * at twice, so that motion is never mistaken for loss.
 */
export class Verifier {
  constructor(
    private readonly store: StreamStore,
    private readonly clock: Clock,
    private readonly registry: Registry,
    private readonly topic: string,
    private readonly options: VerifyOptions,
  ) {}

  async verify(): Promise<Verification> {
    try {
      return await this.account()
    } catch (error) {
      throw fromStore(error, `verifying ${this.topic}`)
    }
  }

  private async account(): Promise<Verification> {
    const { store, topic, options } = this
    const { info, groups, steady } = await this.snapshot()
    const registered = (await this.registry.topics()).find((candidate) => candidate.name === topic)?.groups ?? []
    const names = options.group === undefined ? [...groups.map(({ name }) => name), ...registered] : [options.group]
    const tallies: Tally[] = []
    for (const name of new Set(names)) {
      const tally = new Tally(
        name,
        groups.find((group) => group.name === name),
        options,
      )
      await this.readDead(tally)
      tallies.push(tally)
    }
    await this.readSchedule(tallies)
    const complete = info === null || (await this.walk(info, tallies))
    const after = (await store.info(topic)) ?? info
    for (const tally of tallies) await this.judge(tally, after, steady ? info : null, complete)
    return {
      topic,
      at: this.clock.now(),
      complete,
      entries: entriesOf(info),
      groups: tallies.map((tally) => tally.result(after)),
      notes: notesOf(topic, info),
    }
  }

  /** Stream and groups as of one moment; `steady` is false when something was appended in between again and again. */
  private async snapshot(): Promise<{ info: StreamInfo | null; groups: GroupInfo[]; steady: boolean }> {
    for (let tries = 0; ; tries++) {
      const before = await this.store.info(this.topic)
      const groups = await this.store.groups(this.topic)
      const info = await this.store.info(this.topic)
      const steady = before?.entriesAdded === info?.entriesAdded && before?.length === info?.length
      if (steady || tries === 3) return { info, groups, steady }
    }
  }

  private async readDead(tally: Tally): Promise<void> {
    await this.readLetters(tally, deadStream(this.topic, tally.group))
    await this.readLetters(tally, discardedStream(this.topic, tally.group))
    for await (const { fields } of this.entries(missingKey(this.topic))) {
      const note = fieldMap(fields)
      const text = (name: string) => note.get(name)?.toString() ?? ''
      if (text('group') === tally.group) tally.gone.set(text('id'), [text('consumer'), Number(text('deliveries'))])
    }
  }

  private async readLetters(tally: Tally, stream: string): Promise<void> {
    for await (const { id, fields } of this.entries(stream)) {
      if (this.options.signal?.aborted) return
      const letter = fieldMap(fields)
      const origin = letter.get(FIELD.origin)?.toString('latin1') ?? id
      tally.elsewhere.add(origin)
      const attempt = readNumber(letter.get(FIELD.attempts))
      tally.count({ id: origin, state: 'dead', entryId: id, attempt })
    }
  }

  private async readSchedule(tallies: readonly Tally[]): Promise<void> {
    for (let offset = 0; !this.options.signal?.aborted; offset += PAGE) {
      const page = await this.store.scheduledEntries(this.topic, offset, PAGE)
      for (const { key, due, fields } of page) {
        const copy = fieldMap(fields)
        const origin = copy.get(FIELD.origin)?.toString('latin1')
        const only = origin === undefined ? undefined : copy.get(FIELD.group)?.toString()
        for (const tally of tallies) {
          if (only !== undefined && only !== tally.group) continue
          if (origin !== undefined) tally.elsewhere.add(origin)
          const attempt = readNumber(copy.get(FIELD.attempt)) ?? 0
          tally.count({ id: origin ?? key, state: 'delayed', due, attempt })
        }
      }
      if (page.length < PAGE) return
    }
  }

  /** False when the signal ended it. */
  private async walk(info: StreamInfo, tallies: readonly Tally[]): Promise<boolean> {
    let to = info.lastId
    let looked = 0
    for (;;) {
      if (this.options.signal?.aborted) return false
      const page = await this.store.range(this.topic, '-', to, { count: PAGE, reverse: true })
      const lowest = page.length < PAGE ? '-' : page[page.length - 1].id
      for (const tally of tallies) {
        const pending = await this.pending(tally, lowest, to)
        for (const entry of page) this.place(tally, entry, pending)
        for (const delivery of pending.values()) tally.gone.set(delivery.id, [delivery.consumer, delivery.deliveries])
      }
      looked += page.length
      this.options.onProgress?.(looked, info.length)
      if (lowest === '-') return true
      to = `(${lowest}`
    }
  }

  private async pending(tally: Tally, from: string, to: string): Promise<Map<string, PendingDelivery>> {
    const found = new Map<string, PendingDelivery>()
    if (!tally.info) return found
    for (let start = from; ; ) {
      const page = await this.store.pending(this.topic, tally.group, { from: start, to, count: PAGE })
      for (const delivery of page) found.set(delivery.id, delivery)
      if (page.length < PAGE) return found
      start = `(${page[page.length - 1].id}`
    }
  }

  /** Takes the entry's mark out of `pending`. */
  private place(tally: Tally, { id, fields }: Entry, pending: Map<string, PendingDelivery>): void {
    const delivery = pending.get(id)
    pending.delete(id)
    const copy = fieldMap(fields)
    const origin = copy.get(FIELD.origin)?.toString('latin1')
    if (origin !== undefined && copy.get(FIELD.group)?.toString() !== tally.group) return
    const cursor = tally.info?.lastDeliveredId ?? tally.info?.checkpoint ?? '0-0'
    const unread = compareIds(id, cursor) > 0
    if (unread) tally.unread++
    const message = origin ?? id
    if (delivery) {
      const { consumer, deliveries, idle } = delivery
      const attempt = (origin === undefined ? 0 : (readNumber(copy.get(FIELD.attempt)) ?? 0)) + deliveries
      const since = Math.round(this.clock.now() - idle)
      tally.count({ id: message, state: 'pending', entryId: id, consumer, since, attempt })
    } else if (unread) {
      tally.count({ id: message, state: 'waiting', entryId: id })
    } else if (!tally.elsewhere.has(message)) {
      tally.count({ id: message, state: 'acknowledged', entryId: id })
    }
    if (origin !== undefined) tally.elsewhere.add(origin)
  }

  /** Whatever was pending without an entry: still so? Then it is lost to the group, by a forced trim or by somebody's hand. */
  private async judge(
    tally: Tally,
    after: StreamInfo | null,
    steady: StreamInfo | null,
    complete: boolean,
  ): Promise<void> {
    const { store, topic } = this
    for (const [id, [consumer, deliveries]] of tally.gone) {
      const [entry] = await store.range(topic, id, id, { count: 1 })
      if (entry) continue
      const forced = after?.trimmed.forcedBelow ?? null
      const state = forced !== null && compareIds(id, forced) < 0 ? 'expired' : 'missing'
      tally.count({ id, state, consumer, attempt: deliveries })
    }
    const { info } = tally
    if (info && steady && complete && info.entriesRead !== null) {
      tally.deletedUnread = Math.max(0, steady.entriesAdded - info.entriesRead - tally.unread)
    }
  }

  private async *entries(stream: string): AsyncGenerator<Entry, void> {
    for (let start = '-'; ; ) {
      const page = await this.store.range(stream, start, '+', { count: PAGE })
      yield* page
      if (page.length < PAGE) return
      start = `(${page[page.length - 1].id}`
    }
  }
}

/** What is found out about one group. */
class Tally {
  /** Messages that are accounted for by something newer than their entry: a copy, the schedule, a letter. */
  readonly elsewhere = new Set<string>()
  /** Deliveries without an entry: id → consumer, deliveries. */
  readonly gone = new Map<string, [string, number]>()
  /** Entries behind the group's cursor. */
  unread = 0
  deletedUnread: number | null = null
  private readonly counts: Record<MessageState, number> = {
    waiting: 0,
    delayed: 0,
    pending: 0,
    acknowledged: 0,
    dead: 0,
    expired: 0,
    missing: 0,
  }
  private readonly missing: MessageAccount[] = []
  private readonly asked = new Map<string, MessageAccount>()
  private readonly wanted: ReadonlySet<string>

  constructor(
    readonly group: string,
    readonly info: GroupInfo | undefined,
    private readonly options: VerifyOptions,
  ) {
    this.wanted = new Set(options.ids)
  }

  count(account: MessageAccount): void {
    this.counts[account.state]++
    if (account.state === 'missing' && this.missing.length < MOST_LISTED) this.missing.push(account)
    if (this.wanted.has(account.id)) this.asked.set(account.id, account)
    this.options.onAccount?.(this.group, account)
  }

  result(stream: StreamInfo | null): GroupAccount {
    const { group, info, counts, missing, deletedUnread } = this
    const asked = (this.options.ids ?? []).map((id) => this.asked.get(id) ?? untraced(id, stream))
    return {
      group,
      exists: info !== undefined,
      counts,
      missing,
      deletedUnread: info ? deletedUnread : null,
      asked,
      notes: this.notes(stream),
    }
  }

  private notes(stream: StreamInfo | null): string[] {
    const { info, missing, counts, deletedUnread } = this
    if (!info) return ['The group is not on the server: a worker of it makes it again, at its checkpoint.']
    const notes: string[] = []
    if (info.checkpoint !== null && stream && compareIds(info.checkpoint, stream.lastId) > 0) {
      notes.push(
        `The server has lost the end of the stream: the group had handled everything up to ${info.checkpoint}, and the stream ends at ${stream.lastId}.`,
      )
    }
    if (deletedUnread === null) notes.push('Whether entries were deleted before the group read them cannot be told.')
    else if (deletedUnread > 0) {
      notes.push(
        `${deletedUnread} ${deletedUnread === 1 ? 'entry was' : 'entries were'} deleted before the group read them; their ids cannot be told.`,
      )
    }
    if (counts.missing > missing.length) notes.push(`Only the first ${missing.length} missing messages are listed.`)
    return notes
  }
}

/** Neither in the stream, nor pending, nor elsewhere: trimmed, or never there, or deleted. */
function untraced(id: string, stream: StreamInfo | null): MessageAccount | null {
  if (!/^\d+-\d+$/.test(id) || stream === null) return null
  const { below, forcedBelow } = stream.trimmed
  // What a group had acknowledged before the force came cannot be told from what it had not: the worse is said.
  if (forcedBelow !== null && compareIds(id, forcedBelow) < 0) return { id, state: 'expired' }
  if (below !== null && compareIds(id, below) < 0) return { id, state: 'acknowledged' }
  return null
}

function entriesOf(info: StreamInfo | null): Verification['entries'] {
  if (info === null) return { length: 0, added: 0, trimmed: 0, removedOtherwise: 0 }
  const { length, entriesAdded: added } = info
  const removedOtherwise = added - length - info.trimmed.removed
  return {
    length,
    added,
    trimmed: info.trimmed.removed,
    removedOtherwise: removedOtherwise < 0 ? null : removedOtherwise,
  }
}

function notesOf(topic: string, info: StreamInfo | null): string[] {
  if (info === null) return [`There is no stream ${topic}: nothing was published yet, or it was deleted.`]
  const { removedOtherwise } = entriesOf(info)
  if (removedOtherwise === null) {
    return ['More was trimmed than the stream says was ever added: it was deleted and has begun anew.']
  }
  if (removedOtherwise === 0) return []
  return [
    `${removedOtherwise} ${removedOtherwise === 1 ? 'entry was' : 'entries were'} removed by others (XDEL, XTRIM, MAXLEN of a producer). What a group had pending among them is named as missing.`,
  ]
}
