import { consumerOf } from '../commands/deliveries.js'
import { groupAt, hashAt, sortedSetAt, streamAt } from '../commands/values.js'
import { acknowledge } from '../commands/xack.js'
import { type ClaimOptions, claim as claimEntries } from '../commands/xclaim.js'
import type { Cursor } from '../stream/cursor.js'
import type { EntryId } from '../stream/entry-id.js'
import { appendEntry } from './append.js'
import { type HeldDelivery, owns, type StepContext, type WireFields } from './context.js'
import { schedule } from './schedule.js'

/** Whose deliveries are meant; latin1. */
export interface Holder {
  key: string
  group: string
  consumer: string
}

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
  for (const delivery of held) (owns(group, holder.consumer, delivery) ? mine : lost).push(delivery.id)
  const kept = new Set<EntryId>()
  take(context, holder, mine, { minIdle: 0, time: now, deliveries: undefined, force: false, count: false }, (id) =>
    kept.add(id),
  )
  for (const id of mine) if (!kept.has(id)) lost.push(id)
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
    take(context, holder, ids, { minIdle: 0, time: 0, deliveries: count, force: false, count: false }, () => {})
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
  const options = { minIdle, time: context.now, deliveries: undefined, force: false, count: true }
  take(context, holder, ids, options, emit)
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
