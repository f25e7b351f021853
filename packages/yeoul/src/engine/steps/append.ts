import { CommandError } from '../commands/command.js'
import { setFields } from '../commands/hashes.js'
import { setString } from '../commands/strings.js'
import { hashAt, streamAt, streamOrNew, stringAt } from '../commands/values.js'
import { applyAppend } from '../commands/xadd.js'
import { EntryId } from '../stream/entry-id.js'
import type { Group } from '../stream/group.js'
import type { Stream } from '../stream/stream.js'
import type { StepContext, WireFields } from './context.js'
import { extendWire } from './fields.js'

export interface AppendRequest {
  /** Appends once per mark (a key) within the window (ms). */
  once?: { mark: string; window: number }
  /** Numbers the entry by name, counted in this hash. */
  sequence?: { counters: string; name: string }
  maxLength?: number
  maxLag?: number
}

export interface AppendResult {
  id: string
  duplicate: boolean
  /** 0 = not numbered. */
  sequence: number
}

const newId = new EntryId()

/** Appends one entry with a new ID, which it answers: a shared object, to be read at once. */
export function appendEntry(context: StepContext, key: string, fields: WireFields): EntryId {
  const { engine, database, now } = context
  const stream = streamOrNew(engine, database, key, now)
  if (!stream.nextId(now, newId)) {
    throw new CommandError('ERR The stream has exhausted the last possible ID, unable to add more items')
  }
  applyAppend(engine, database, key, stream, newId, fields.source, fields.start, fields.end, fields.pairs)
  return newId
}

/** Appends once per publish id, numbered, within a bound; throws BOUND. */
export function append(context: StepContext, key: string, fields: WireFields, request: AppendRequest): AppendResult {
  const { engine, database, now } = context
  const { once, sequence, maxLength, maxLag } = request
  if (once !== undefined) {
    const seen = stringAt(database, once.mark, now)
    if (seen !== undefined) {
      const [id, number] = seen.split(' ')
      return { id, duplicate: true, sequence: Number(number) }
    }
  }
  const stream = streamAt(database, key, now)
  if (maxLength !== undefined && (stream?.length ?? 0) >= maxLength) {
    throw new CommandError(`BOUND the stream holds ${maxLength} entries`)
  }
  if (maxLag !== undefined && stream !== undefined) {
    for (const group of stream.groups.values()) {
      if (unreadUpTo(stream, group, maxLag) + group.pending.size >= maxLag) {
        throw new CommandError(`BOUND group ${group.name} has ${maxLag} entries to acknowledge`)
      }
    }
  }
  let number = 0
  let wire = fields
  if (sequence !== undefined) {
    number = Number(hashAt(database, sequence.counters, now)?.get(sequence.name) ?? 0) + 1
    wire = extendWire(fields, '_seq', String(number))
  }
  const id = appendEntry(context, key, wire).toString()
  if (sequence !== undefined) setFields(engine, database, sequence.counters, [[sequence.name, String(number)]], now)
  if (once !== undefined) setString(engine, database, once.mark, `${id} ${number}`, now + once.window)
  return { id, duplicate: false, sequence: number }
}

/** Entries the group has not read; counted, as far as `most`, where deletions make the lag unknowable. */
function unreadUpTo(stream: Stream, group: Group, most: number): number {
  const lag = stream.lag(group)
  if (lag !== null) return lag
  const start = group.lastId.clone()
  if (!start.increment()) return 0
  const cursor = stream.cursor()
  cursor.seek(start)
  let unread = 0
  while (unread < most && cursor.next()) unread++
  return unread
}
