import { hashAt, sortedSetAt, streamAt } from '../commands/values.js'
import { deleteEntries } from '../commands/xdel.js'
import type { EntryId } from '../stream/entry-id.js'
import { appendEntry } from './append.js'
import { deleteField, deleteMember, type StepContext, setField, setScore, type WireFields } from './context.js'
import { unpack, wireOf } from './fields.js'

/** Where what waits is kept: due times in a sorted set, packed fields in a hash, by the same name. */
export interface ScheduleKeys {
  schedule: string
  scheduled: string
}

/** Puts packed fields aside until they are due (ms since the epoch); the same name replaces. */
export function schedule(
  context: StepContext,
  { schedule: times, scheduled, due, name, packed }: ScheduleKeys & { due: number; name: string; packed: string },
): void {
  sortedSetAt(context.database, times, context.now)
  hashAt(context.database, scheduled, context.now)
  setScore(context, times, name, due)
  setField(context, scheduled, name, packed)
}

/** False when nothing of that name waits. */
export function unschedule(context: StepContext, { schedule: times, scheduled }: ScheduleKeys, name: string): boolean {
  sortedSetAt(context.database, times, context.now)
  deleteField(context, scheduled, name)
  return deleteMember(context, times, name)
}

/** Appends what is due, oldest first, at most `limit`. */
export function promote(
  context: StepContext,
  key: string,
  { schedule: times, scheduled }: ScheduleKeys,
  limit: number,
): { promoted: number; nextDue: number | null; waiting: number } {
  const { database, now } = context
  streamAt(database, key, now)
  const due: string[] = []
  let promoted = 0
  const set = sortedSetAt(database, times, now)
  if (limit > 0 && set !== undefined) {
    const until = set.rankAfterScore({ value: now, exclusive: false })
    set.walk(0, Math.min(until, limit), (name) => due.push(name))
  }
  for (const name of due) {
    const packed = hashAt(database, scheduled, now)?.get(name)
    if (packed !== undefined) {
      appendEntry(context, key, wireOf(unpack(packed)))
      promoted++
    }
    deleteMember(context, times, name)
    deleteField(context, scheduled, name)
  }
  const rest = sortedSetAt(database, times, now)
  let nextDue: number | null = null
  rest?.walk(0, 1, (_, score) => {
    nextDue = score
  })
  return { promoted, nextDue, waiting: rest?.size ?? 0 }
}

/** Moves one letter: deleted there, appended here; undefined when it is no longer there. */
export function redrive(
  context: StepContext,
  deadKey: string,
  targetKey: string,
  letter: { id: EntryId; fields: WireFields },
): string | undefined {
  const { engine, database, now } = context
  streamAt(database, targetKey, now)
  const dead = streamAt(database, deadKey, now)
  if (dead === undefined || deleteEntries(engine, database, deadKey, dead, [letter.id]) === 0) return undefined
  return appendEntry(context, targetKey, letter.fields).toString()
}
