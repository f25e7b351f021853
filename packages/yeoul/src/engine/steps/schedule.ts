import { deleteFields, setFields } from '../commands/hashes.js'
import { addMembers, removeMembers } from '../commands/sorted-sets.js'
import { hashAt, sortedSetAt, streamAt } from '../commands/values.js'
import { deleteEntries } from '../commands/xdel.js'
import type { EntryId } from '../stream/entry-id.js'
import { appendEntry } from './append.js'
import type { StepContext, WireFields } from './context.js'
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
  const { engine, database, now } = context
  sortedSetAt(database, times, now)
  hashAt(database, scheduled, now)
  addMembers(engine, database, times, [[due, name]], now)
  setFields(engine, database, scheduled, [[name, packed]], now)
}

/** False when nothing of that name waits. */
export function unschedule(context: StepContext, { schedule: times, scheduled }: ScheduleKeys, name: string): boolean {
  const { engine, database, now } = context
  sortedSetAt(database, times, now)
  deleteFields(engine, database, scheduled, [name], now)
  return removeMembers(engine, database, times, [name], now) === 1
}

/** Appends what is due, oldest first, at most `limit`. */
export function promote(
  context: StepContext,
  key: string,
  { schedule: times, scheduled }: ScheduleKeys,
  limit: number,
): { promoted: number; nextDue: number | null; waiting: number } {
  const { engine, database, now } = context
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
  }
  if (due.length > 0) {
    removeMembers(engine, database, times, due, now)
    deleteFields(engine, database, scheduled, due, now)
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
