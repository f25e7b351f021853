import { deleteFields, setFields } from '../commands/hashes.js'
import { deleteKey } from '../commands/keys.js'
import { addMembers, removeMembers } from '../commands/sorted-sets.js'
import { setString } from '../commands/strings.js'
import { hashAt, sortedSetAt, streamAt, stringAt } from '../commands/values.js'
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

/**
 * Puts packed fields aside until they are due (ms since the epoch). The same name replaces; with `once` it changes nothing
 * while the mark stands, and what the mark says is answered: an entry id, or @ and the due time of what was scheduled.
 */
export function schedule(
  context: StepContext,
  {
    schedule: times,
    scheduled,
    due,
    name,
    packed,
    once,
  }: ScheduleKeys & { due: number; name: string; packed: string; once?: { mark: string; window: number } },
): string | undefined {
  const { engine, database, now } = context
  sortedSetAt(database, times, now)
  hashAt(database, scheduled, now)
  if (once !== undefined) {
    const seen = stringAt(database, once.mark, now)
    if (seen !== undefined) return seen.split(' ')[0]
  }
  addMembers(engine, database, times, [[due, name]], now)
  setFields(engine, database, scheduled, [[name, packed]], now)
  if (once !== undefined) setString(engine, database, once.mark, `@${due} 0`, Math.max(due, now) + once.window)
  return undefined
}

/** Takes it out again, with its mark; false when nothing of that name waits. */
export function unschedule(
  context: StepContext,
  { schedule: times, scheduled }: ScheduleKeys,
  name: string,
  mark: string,
): boolean {
  const { engine, database, now } = context
  sortedSetAt(database, times, now)
  const seen = stringAt(database, mark, now)
  deleteFields(engine, database, scheduled, [name], now)
  const removed = removeMembers(engine, database, times, [name], now) === 1
  if (removed && seen?.startsWith('@')) deleteKey(engine, database, mark)
  return removed
}

/** What waits, by due time, from the `offset`-th on. */
export function scheduledEntries(
  { database, now }: StepContext,
  { schedule: times, scheduled }: ScheduleKeys,
  offset: number,
  count: number,
): { name: string; due: number; packed: string }[] {
  const waiting: { name: string; due: number; packed: string }[] = []
  const packed = hashAt(database, scheduled, now)
  const set = sortedSetAt(database, times, now)
  set?.walk(offset, Math.min(offset + count, set.size), (name, due) => {
    const fields = packed?.get(name)
    if (fields !== undefined) waiting.push({ name, due, packed: fields })
  })
  return waiting
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
