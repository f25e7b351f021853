import { setFields } from '../commands/hashes.js'
import { hashAt, streamAt } from '../commands/values.js'
import { trimStream } from '../commands/xtrim.js'
import { EntryId } from '../stream/entry-id.js'
import type { Stream } from '../stream/stream.js'
import type { StepContext } from './context.js'
import { acknowledgedBelow } from './groups.js'

export interface TrimBounds {
  maxLength?: number
  minId?: EntryId
  /** Goes beyond what every group has acknowledged. */
  force: boolean
  /** At most so many; Infinity = no limit. */
  limit: number
}

/** Trims from the head; `unread` counts what went at or after the first entry that some group had not acknowledged. */
export function trim(
  context: StepContext,
  keys: { key: string; checkpoints: string; trimmed: string },
  { maxLength, minId, force, limit }: TrimBounds,
): { removed: number; unread: number; length: number } {
  const stream = streamAt(context.database, keys.key, context.now)
  hashAt(context.database, keys.trimmed, context.now)
  if (stream === undefined) return { removed: 0, unread: 0, length: 0 }
  const most = maxLength === undefined ? limit : Math.min(limit, stream.length - maxLength)
  const floor = acknowledgedBelow(context, keys) ?? (force ? EntryId.max() : undefined)
  let removed = 0
  let unread = 0
  if (floor !== undefined && most > 0) {
    const cut = minId ?? EntryId.max()
    const further = floor.compare(cut) < 0
    removed = removeBelow(context, keys.key, stream, further ? floor : cut, most)
    if (force && further && removed < most) unread = removeBelow(context, keys.key, stream, cut, most - removed)
  }
  if (removed + unread > 0) remember(context, keys.trimmed, stream, removed + unread, unread > 0)
  return { removed: removed + unread, unread, length: stream.length }
}

/** The record of what trimming has done to a stream: how many entries went, and below which id nothing is left. */
function remember(
  { engine, database, now }: StepContext,
  key: string,
  stream: Stream,
  removed: number,
  forced: boolean,
): void {
  const below = stream.length > 0 ? stream.firstId.clone() : stream.lastId.clone()
  if (stream.length === 0) below.increment()
  const before = Number(hashAt(database, key, now)?.get('removed') ?? 0)
  const record: [string, string][] = [
    ['removed', String(before + removed)],
    ['below', below.toString()],
  ]
  if (forced) record.push(['forced', below.toString()])
  setFields(engine, database, key, record, now)
}

/** Removes entries below `cut` from the head, at most `most`. */
function removeBelow(
  { engine, database }: StepContext,
  key: string,
  stream: Stream,
  cut: EntryId,
  most: number,
): number {
  const whole = { approximate: false, limit: undefined, references: 'keep' } as const
  if (most >= stream.length)
    return trimStream(engine, database, key, stream, { ...whole, maxLength: undefined, minId: cut })
  // The entry that would be the first one kept decides which bound is reached first.
  const cursor = stream.cursor()
  for (let i = 0; i < most; i++) {
    if (!cursor.next() || cursor.id.compare(cut) >= 0) {
      return trimStream(engine, database, key, stream, { ...whole, maxLength: undefined, minId: cut })
    }
  }
  return trimStream(engine, database, key, stream, { ...whole, maxLength: stream.length - most, minId: undefined })
}
