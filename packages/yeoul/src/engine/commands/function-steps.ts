import type { Reply } from '../resp/reply.js'
import type { Request } from '../resp/request.js'
import { append, appendEntry } from '../steps/append.js'
import type { HeldDelivery, StepContext, WireFields } from '../steps/context.js'
import * as deliveries from '../steps/deliveries.js'
import * as groups from '../steps/groups.js'
import { promote, redrive, schedule, scheduledEntries, unschedule } from '../steps/schedule.js'
import { trim } from '../steps/trim.js'
import type { Cursor } from '../stream/cursor.js'
import { EntryId } from '../stream/entry-id.js'
import { integer, intervalStart, invalidId } from './arguments.js'
import { CommandError } from './command.js'
import { writeId } from './entries.js'

/**
 * The functions of the built-in library `yeoul`: the arguments and answers of each are those of the Lua function of the
 * same name in stores/functions, so that a client need not know which of the two it talks to.
 */
export interface BuiltInFunction {
  readonly name: string
  readonly description: string
  /** Runs where memory is exhausted. */
  readonly allowOom: boolean
  readonly readOnly: boolean
  /** How many keys it takes; −1 = one or more. */
  readonly keys: number
  /** Least number of arguments behind the keys. */
  readonly arguments: number
  run(context: StepContext, keys: readonly string[], args: FunctionArguments, reply: Reply): void
}

/** The arguments behind the keys, by their number from 0. */
export class FunctionArguments {
  constructor(
    private readonly request: Request,
    private readonly first: number,
  ) {}

  get count(): number {
    return this.request.count - this.first
  }

  string(i: number): string {
    return this.request.string(this.first + i)
  }

  integer(i: number): number {
    return integer(this.request, this.first + i)
  }

  /** Undefined when the argument is empty. */
  optional(i: number): number | undefined {
    return this.request.length(this.first + i) === 0 ? undefined : this.integer(i)
  }

  id(i: number): EntryId {
    const id = EntryId.parse(this.string(i))
    if (id === undefined) throw invalidId()
    return id
  }

  /** Arguments from ≤ i < to as the names and values of an entry. */
  fields(from: number, to = this.count): WireFields {
    const { request, first } = this
    if (to <= from || (to - from) % 2 !== 0 || to > this.count) {
      throw new CommandError('ERR an entry needs names and values in turn')
    }
    return {
      source: request.bytes,
      start: request.head(first + from),
      end: request.end(first + to - 1) + 2,
      pairs: (to - from) / 2,
    }
  }

  /** Pairs of an ID and a delivery count, from argument `from` on. */
  held(from: number): HeldDelivery[] {
    if ((this.count - from) % 2 !== 0) throw new CommandError('ERR a delivery is an ID and its delivery count')
    const held: HeldDelivery[] = []
    for (let i = from; i < this.count; i += 2) held.push({ id: this.id(i), deliveries: this.integer(i + 1) })
    return held
  }

  /** One argument of IDs with a space between, all delivered so many times. */
  heldAlike(i: number, deliveries: number): HeldDelivery[] {
    return this.string(i)
      .split(' ')
      .map((text) => {
        const id = EntryId.parse(text)
        if (id === undefined) throw invalidId()
        return { id, deliveries }
      })
  }
}

function define(
  name: string,
  description: string,
  shape: { keys: number; arguments: number; allowOom?: boolean; readOnly?: boolean },
  run: BuiltInFunction['run'],
): BuiltInFunction {
  return { name: `yeoul_${name}`, description, allowOom: false, readOnly: false, ...shape, run }
}

/** `missing`: absent in calls of clients that do not know of it. */
function holder([key, missing]: readonly string[], args: FunctionArguments): deliveries.Holder {
  return { key, group: args.string(0), consumer: args.string(1), missing }
}

function writeIds(reply: Reply, ids: readonly EntryId[]): void {
  reply.array(ids.length)
  for (const id of ids) writeId(reply, id)
}

function writeDelivery(reply: Reply, id: EntryId, cursor: Cursor, count: number, idle: number): void {
  reply.array(4)
  writeId(reply, id)
  reply.integer(count)
  reply.integer(idle)
  reply.array(cursor.fieldCount * 2)
  reply.raw(cursor.bytes, cursor.start, cursor.end)
}

export const builtInFunctions: readonly BuiltInFunction[] = [
  define(
    'append',
    'Appends once, numbered, within a bound',
    { keys: 3, arguments: 7 },
    (context, keys, args, reply) => {
      const window = args.optional(0)
      const result = append(context, keys[0], args.fields(5), {
        once: window === undefined ? undefined : { mark: keys[1], window },
        sequence: args.string(1) === '1' ? { counters: keys[2], name: args.string(2) } : undefined,
        maxLength: args.optional(3),
        maxLag: args.optional(4),
      })
      reply.array(3)
      reply.bulk(result.id)
      reply.integer(result.duplicate ? 1 : 0)
      reply.integer(result.sequence)
    },
  ),

  define('appendall', 'Appends many entries', { keys: -1, arguments: 4 }, (context, keys, args, reply) => {
    const mark = reply.openArray()
    let count = 0
    for (let at = 0; at < args.count; count++) {
      const key = keys[args.integer(at) - 1]
      const end = at + 2 + args.integer(at + 1)
      if (key === undefined) throw new CommandError('ERR an entry names a stream that is not among the keys')
      const fields = args.fields(at + 2, end)
      try {
        writeId(reply, appendEntry(context, key, fields))
      } catch (error) {
        if (!(error instanceof CommandError)) throw error
        reply.error(error.text)
      }
      at = end
    }
    reply.closeArray(mark, count)
  }),

  define(
    'appendsame',
    'Appends many entries of as many fields each',
    { keys: 1, arguments: 3 },
    (context, keys, args, reply) => {
      const strings = args.integer(0)
      if (strings < 2) throw new CommandError('ERR an entry needs names and values in turn')
      const mark = reply.openArray()
      let count = 0
      for (let at = 1; at < args.count; at += strings, count++) {
        const fields = args.fields(at, at + strings)
        try {
          writeId(reply, appendEntry(context, keys[0], fields))
        } catch (error) {
          if (!(error instanceof CommandError)) throw error
          reply.error(error.text)
        }
      }
      reply.closeArray(mark, count)
    },
  ),

  define(
    'settle',
    'Acknowledges what the consumer still owns',
    { keys: 1, arguments: 2, allowOom: true },
    (context, [key], args, reply) => writeIds(reply, deliveries.settle(context, holder([key], args), args.held(2))),
  ),

  define(
    'settlesame',
    'Acknowledges what the consumer still owns, of deliveries with one count',
    { keys: 1, arguments: 7, allowOom: true },
    (context, [key], args, reply) =>
      writeIds(reply, deliveries.settle(context, holder([key], args), args.heldAlike(6, args.integer(2)))),
  ),

  define(
    'heartbeat',
    'Sets the idle time of what the consumer still owns to 0',
    { keys: -1, arguments: 2, allowOom: true },
    (context, keys, args, reply) => writeIds(reply, deliveries.heartbeat(context, holder(keys, args), args.held(2))),
  ),

  define(
    'release',
    'Hands back what the consumer still owns',
    { keys: -1, arguments: 2, allowOom: true },
    (context, keys, args, reply) => reply.integer(deliveries.release(context, holder(keys, args), args.held(2))),
  ),

  define(
    'claim',
    'Takes over what has been idle long enough',
    { keys: -1, arguments: 5, allowOom: true },
    (context, keys, args, reply) => {
      const range = { minIdle: args.integer(2), count: args.integer(3), from: intervalStart(args.string(4)) }
      const taken: {
        id: EntryId
        source: Buffer
        start: number
        end: number
        pairs: number
        count: number
        idle: number
      }[] = []
      const { next, deleted } = deliveries.claim(context, holder(keys, args), range, (id, cursor, count, idle) => {
        const { bytes, start, end, fieldCount } = cursor
        taken.push({ id, source: bytes, start, end, pairs: fieldCount, count, idle })
      })
      reply.array(3)
      reply.bulk(next?.toString() ?? '0-0')
      reply.array(taken.length)
      for (const { id, source, start, end, pairs, count, idle } of taken) {
        reply.array(4)
        writeId(reply, id)
        reply.integer(count)
        reply.integer(idle)
        reply.array(pairs * 2)
        reply.raw(source, start, end)
      }
      writeIds(reply, deleted)
    },
  ),

  define(
    'claimids',
    'Takes over exactly the given entries, if idle long enough',
    { keys: -1, arguments: 3, allowOom: true },
    (context, keys, args, reply) => {
      const ids: EntryId[] = []
      for (let i = 3; i < args.count; i++) ids.push(args.id(i))
      const mark = reply.openArray()
      let taken = 0
      deliveries.claimIds(context, holder(keys, args), ids, args.integer(2), (id, cursor, count, idle) => {
        writeDelivery(reply, id, cursor, count, idle)
        taken++
      })
      reply.closeArray(mark, taken)
    },
  ),

  define(
    'deadletter',
    'Moves one delivery to the dead letters',
    { keys: 2, arguments: 6 },
    (context, keys, args, reply) => {
      const delivery = { id: args.id(2), deliveries: args.integer(3) }
      const target = { key: keys[1], fields: args.fields(4) }
      const letter = deliveries.deadLetter(context, holder([keys[0]], args), delivery, target)
      if (letter === undefined) reply.nil()
      else reply.bulk(letter)
    },
  ),

  define(
    'reschedule',
    'Acknowledges one delivery and schedules it',
    { keys: 3, arguments: 7 },
    (context, keys, args, reply) => {
      const delivery = { id: args.id(2), deliveries: args.integer(3) }
      const later = {
        schedule: keys[1],
        scheduled: keys[2],
        due: args.integer(4),
        name: args.string(5),
        packed: args.string(6),
      }
      reply.integer(deliveries.reschedule(context, holder([keys[0]], args), delivery, later) ? 1 : 0)
    },
  ),

  define('schedule', 'Puts an entry aside until it is due', { keys: 3, arguments: 4 }, (context, keys, args, reply) => {
    const window = args.optional(3)
    const seen = schedule(context, {
      schedule: keys[0],
      scheduled: keys[1],
      due: args.integer(0),
      name: args.string(1),
      packed: args.string(2),
      once: window === undefined ? undefined : { mark: keys[2], window },
    })
    reply.array(2)
    reply.integer(seen === undefined ? 0 : 1)
    reply.bulk(seen ?? '')
  }),

  define(
    'unschedule',
    'Takes a scheduled entry out',
    { keys: 3, arguments: 1, allowOom: true },
    (context, [times, scheduled, mark], args, reply) =>
      reply.integer(unschedule(context, { schedule: times, scheduled }, args.string(0), mark) ? 1 : 0),
  ),

  define(
    'scheduled',
    'What waits in the schedule',
    { keys: 2, arguments: 2, readOnly: true },
    (context, [times, scheduled], args, reply) => {
      const waiting = scheduledEntries(context, { schedule: times, scheduled }, args.integer(0), args.integer(1))
      reply.array(waiting.length)
      for (const { name, due, packed } of waiting) {
        reply.array(3)
        reply.bulk(name)
        reply.bulk(String(due))
        reply.bulk(packed)
      }
    },
  ),

  define('promote', 'Appends what is due', { keys: 3, arguments: 1 }, (context, keys, args, reply) => {
    const times = { schedule: keys[1], scheduled: keys[2] }
    const { promoted, nextDue, waiting } = promote(context, keys[0], times, args.integer(0))
    reply.array(3)
    reply.integer(promoted)
    reply.bulk(nextDue === null ? '' : String(nextDue))
    reply.integer(waiting)
  }),

  define('redrive', 'Moves letters back into a stream', { keys: 2, arguments: 4 }, (context, keys, args, reply) => {
    const letters: { id: EntryId; fields: WireFields }[] = []
    for (let at = 0; at < args.count; ) {
      const end = at + 2 + args.integer(at + 1)
      letters.push({ id: args.id(at), fields: args.fields(at + 2, end) })
      at = end
    }
    reply.array(letters.length)
    for (const letter of letters) reply.bulk(redrive(context, keys[0], keys[1], letter) ?? '')
  }),

  define(
    'ensuregroup',
    'Makes a group, at its checkpoint if it had one',
    { keys: 2, arguments: 2 },
    (context, keys, args, reply) => {
      const [key, checkpoints] = keys
      reply.integer(groups.ensureGroup(context, { key, checkpoints }, args.string(0), args.string(1)) ? 1 : 0)
    },
  ),

  define(
    'setgroup',
    "Moves a group's cursor and checkpoint",
    { keys: 2, arguments: 2 },
    (context, keys, args, reply) => {
      const [key, checkpoints] = keys
      groups.setGroup(context, { key, checkpoints }, args.string(0), args.string(1))
      reply.integer(1)
    },
  ),

  define(
    'removegroup',
    'Removes a group and its checkpoint',
    { keys: 2, arguments: 1, allowOom: true },
    (context, [key, checkpoints], args, reply) =>
      reply.integer(groups.removeGroup(context, { key, checkpoints }, args.string(0)) ? 1 : 0),
  ),

  define(
    'checkpoint',
    'Remembers how far a group has handled everything',
    { keys: 1, arguments: 2 },
    (context, keys, args, reply) =>
      reply.integer(groups.checkpoint(context, keys[0], args.string(0), args.string(1)) ? 1 : 0),
  ),

  define(
    'removeconsumer',
    'Removes a consumer that holds nothing',
    { keys: 1, arguments: 2, allowOom: true },
    (context, [key], args, reply) =>
      reply.integer(groups.removeConsumer(context, key, args.string(0), args.string(1)) ? 1 : 0),
  ),

  define(
    'groups',
    'What is known of the groups of a stream',
    { keys: 2, arguments: 0, readOnly: true },
    (context, [key, checkpoints], _, reply) => {
      const known = groups.groups(context, { key, checkpoints })
      const numberOrNothing = (value: number | null) => (value === null ? reply.bulk('') : reply.integer(value))
      reply.array(known.length)
      for (const group of known) {
        reply.array(9)
        reply.bulk(group.name)
        reply.integer(group.consumers)
        reply.integer(group.pending)
        reply.bulk(group.lastDeliveredId)
        numberOrNothing(group.entriesRead < 0 ? null : group.entriesRead)
        numberOrNothing(group.lag)
        reply.bulk(group.oldestPendingId ?? '')
        numberOrNothing(group.oldestPendingIdle)
        reply.bulk(group.checkpoint ?? '')
      }
    },
  ),

  define(
    'info',
    'What is known of a stream',
    { keys: 2, arguments: 0, readOnly: true },
    (context, [key, trimmed], _, reply) => {
      const info = groups.info(context, { key, trimmed })
      if (info === undefined) {
        reply.nil()
        return
      }
      reply.array(10)
      reply.integer(info.length)
      reply.bulk(info.firstId ?? '')
      reply.bulk(info.lastId)
      reply.bulk(info.maxDeletedId)
      reply.integer(info.entriesAdded)
      reply.integer(info.groups)
      reply.integer(info.memory)
      reply.integer(info.trimmed.removed)
      reply.bulk(info.trimmed.below ?? '')
      reply.bulk(info.trimmed.forcedBelow ?? '')
    },
  ),

  define(
    'trim',
    'Trims what every group has acknowledged',
    { keys: 3, arguments: 4, allowOom: true },
    (context, keys, args, reply) => {
      const minId = args.string(1)
      const { removed, unread, length } = trim(
        context,
        { key: keys[0], checkpoints: keys[1], trimmed: keys[2] },
        {
          maxLength: args.optional(0),
          minId: minId === '' ? undefined : args.id(1),
          force: args.string(2) === '1',
          limit: args.optional(3) ?? Number.POSITIVE_INFINITY,
        },
      )
      reply.array(3)
      reply.integer(removed)
      reply.integer(unread)
      reply.integer(length)
    },
  ),
]
