import { consumerOf } from '../commands/deliveries.js'
import { groupAt, hashAt, sortedSetAt, streamAt } from '../commands/values.js'
import { acknowledge } from '../commands/xack.js'
import { type ClaimOptions, claim as claimEntries } from '../commands/xclaim.js'
import { trimStream } from '../commands/xtrim.js'
import type { Cursor } from '../stream/cursor.js'
import type { EntryId } from '../stream/entry-id.js'
import { PendingEntry } from '../stream/pending.js'
import { appendEntry } from './append.js'
import { type HeldDelivery, owns, type StepContext, type WireFields } from './context.js'
import { wireOf } from './fields.js'
import { schedule } from './schedule.js'

/** Whose deliveries are meant; latin1. */
export interface Holder {
  key: string
  group: string
  consumer: string
  /** Stream of deliveries whose entry somebody else deleted. */
  missing?: string
}

/** Such a stream keeps about so many. */
const MOST_MISSING = 10_000

/** Acknowledges what the holder still owns; answers what it does not. */
export function settle(context: StepContext, holder: Holder, held: readonly HeldDelivery[]): EntryId[] {
  const { engine, database, now } = context
  const { group } = groupAt(database, holder.key, holder.group, now)
  const mine: EntryId[] = []
  const lost: EntryId[] = []
  for (const delivery of held) (owns(group, holder.consumer, delivery) ? mine : lost).push(delivery.id)
  if (mine.length > 0) acknowledge(engine, database, holder.key, group, mine)
  return lost
}

/** Sets the idle time of what the holder still owns to 0; answers what it does not, or what was deleted. */
export function heartbeat(context: StepContext, holder: Holder, held: readonly HeldDelivery[]): EntryId[] {
  const { now } = context
  const lost: EntryId[] = []
  const mine: EntryId[] = []
  const { group } = groupAt(context.database, holder.key, holder.group, now)
  const counts: number[] = []
  for (const delivery of held) {
    if (owns(group, holder.consumer, delivery)) {
      mine.push(delivery.id)
      counts.push(delivery.deliveries)
    } else lost.push(delivery.id)
  }
  const kept = new Set<EntryId>()
  take(context, holder, mine, { minIdle: 0, time: now, deliveries: undefined, force: false, count: false }, (id) =>
    kept.add(id),
  )
  for (const [i, id] of mine.entries()) {
    if (kept.has(id)) continue
    lost.push(id)
    noteMissing(context, holder, holder.consumer, id, counts[i])
  }
  return lost
}

/** Hands back what the holder still owns: claimable at once, the delivery not counted. Answers how many. */
export function release(context: StepContext, holder: Holder, held: readonly HeldDelivery[]): number {
  const { group } = groupAt(context.database, holder.key, holder.group, context.now)
  const byCount = new Map<number, EntryId[]>()
  for (const delivery of held) {
    if (!owns(group, holder.consumer, delivery)) continue
    const count = Math.max(delivery.deliveries - 1, 0)
    const ids = byCount.get(count)
    if (ids) ids.push(delivery.id)
    else byCount.set(count, [delivery.id])
  }
  let released = 0
  for (const [count, ids] of byCount) {
    const kept = new Set<EntryId>()
    take(context, holder, ids, { minIdle: 0, time: 0, deliveries: count, force: false, count: false }, (id) =>
      kept.add(id),
    )
    for (const id of ids) if (!kept.has(id)) noteMissing(context, holder, holder.consumer, id, count + 1)
    released += ids.length
  }
  return released
}

export type Emit = (id: EntryId, cursor: Cursor, deliveries: number, idle: number) => void

/**
 * Takes over what has been idle for `minIdle` ms, from `from` on, at most `count`. Answers where to go on (undefined =
 * complete) and what was pending though its entry is gone; that is pending no more.
 */
export function claim(
  context: StepContext,
  holder: Holder,
  { minIdle, count, from }: { minIdle: number; count: number; from: EntryId },
  emit: Emit,
): { next: EntryId | undefined; deleted: EntryId[] } {
  const { now } = context
  const { group } = groupAt(context.database, holder.key, holder.group, now)
  const ids: EntryId[] = []
  let next: EntryId | undefined
  group.pending.walk(
    from,
    (entry) => {
      if (ids.length === count) {
        next = entry.id.clone()
        return 'stop'
      }
      ids.push(entry.id.clone())
      return 'next'
    },
    { minIdleBefore: now - minIdle },
  )
  const live = new Set<EntryId>()
  takeOver(context, holder, ids, minIdle, (id, cursor, deliveries, idle) => {
    live.add(id)
    emit(id, cursor, deliveries, idle)
  })
  return { next, deleted: ids.filter((id) => !live.has(id)) }
}

/** Takes over exactly these, those that are pending and idle for `minIdle` ms. */
export function claimIds(
  context: StepContext,
  holder: Holder,
  ids: readonly EntryId[],
  minIdle: number,
  emit: Emit,
): void {
  groupAt(context.database, holder.key, holder.group, context.now)
  takeOver(context, holder, ids, minIdle, emit)
}

/** Appends the letter there and acknowledges here; undefined when the holder no longer owns the delivery. */
export function deadLetter(
  context: StepContext,
  holder: Holder,
  delivery: HeldDelivery,
  target: { key: string; fields: WireFields },
): string | undefined {
  const { engine, database, now } = context
  const { group } = groupAt(database, holder.key, holder.group, now)
  streamAt(database, target.key, now)
  if (!owns(group, holder.consumer, delivery)) return undefined
  const letter = appendEntry(context, target.key, target.fields).toString()
  acknowledge(engine, database, holder.key, group, [delivery.id])
  return letter
}

/** Schedules the packed fields and acknowledges here; false when the holder no longer owns the delivery. */
export function reschedule(
  context: StepContext,
  holder: Holder,
  delivery: HeldDelivery,
  later: { schedule: string; scheduled: string; due: number; name: string; packed: string },
): boolean {
  const { engine, database, now } = context
  const { group } = groupAt(database, holder.key, holder.group, now)
  sortedSetAt(database, later.schedule, now)
  hashAt(database, later.scheduled, now)
  if (!owns(group, holder.consumer, delivery)) return false
  schedule(context, later)
  acknowledge(engine, database, holder.key, group, [delivery.id])
  return true
}

function takeOver(context: StepContext, holder: Holder, ids: readonly EntryId[], minIdle: number, emit: Emit): void {
  const { now } = context
  const { group } = groupAt(context.database, holder.key, holder.group, now)
  const due = new Map<EntryId, { consumer: string; deliveries: number }>()
  for (const id of ids) {
    if (!group.pending.get(id, pending) || now - pending.deliveryTime < minIdle) continue
    due.set(id, { consumer: pending.consumer?.name ?? '', deliveries: pending.deliveryCount })
  }
  const options = { minIdle, time: now, deliveries: undefined, force: false, count: true }
  take(context, holder, ids, options, (id, cursor, deliveries, idle) => {
    due.delete(id)
    emit(id, cursor, deliveries, idle)
  })
  for (const [id, { consumer, deliveries }] of due) noteMissing(context, holder, consumer, id, deliveries)
}

const pending = new PendingEntry()

/** Writes down that a pending entry is no longer in its stream, for whoever asks later. */
function noteMissing(
  context: StepContext,
  { group, missing }: Holder,
  consumer: string,
  id: EntryId,
  deliveries: number,
): void {
  if (missing === undefined) return
  const { engine, database, now } = context
  const fields = ['group', group, 'id', id.toString(), 'consumer', consumer, 'deliveries', String(deliveries)]
  appendEntry(context, missing, wireOf(fields.map((field) => Buffer.from(field, 'latin1'))))
  const stream = streamAt(database, missing, now)
  if (stream === undefined || stream.length <= MOST_MISSING) return
  const bound = { maxLength: MOST_MISSING, minId: undefined, approximate: true, limit: undefined } as const
  trimStream(engine, database, missing, stream, { ...bound, references: 'keep' })
}

function take(
  { engine, database, now }: StepContext,
  { key, group: groupName, consumer: name }: Holder,
  ids: readonly EntryId[],
  options: ClaimOptions,
  emit: Emit,
): void {
  if (ids.length === 0) return
  const { stream, group } = groupAt(database, key, groupName, now)
  const consumer = consumerOf(engine, database, key, group, name, now)
  claimEntries({ engine, database, key, stream, group, consumer, now }, ids, options, emit)
}
