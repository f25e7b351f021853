import type { Waiting } from '../blocked.js'
import type { Database } from '../keyspace/database.js'
import type { Reply } from '../resp/reply.js'
import type { Request } from '../resp/request.js'
import type { Session } from '../session.js'
import { EntryId } from '../stream/entry-id.js'
import { entryId, integer, timeout } from './arguments.js'
import { type Call, CommandError, type EngineState, shown, syntaxError } from './command.js'
import { type Budget, consumerOf, deliverHistory, deliverIdle, deliverNew, hasNew, spend } from './deliveries.js'
import { writeCount, writeEntry, writeId } from './entries.js'
import { streamAt, typeOf } from './values.js'

/** XREAD and XREADGROUP after parsing: also what is kept of one that waits. */
interface Plan {
  keys: string[]
  /** Entries above these; undefined = `>`, what the group has not delivered. */
  after: (EntryId | undefined)[]
  /** `+`: the last entry, whatever its ID. */
  last: boolean[]
  /** 0 = all. */
  count: number
  maxCount: number
  maxSize: number
  /** ms; undefined = do not wait, Infinity = for ever. */
  block: number | undefined
  group: string | undefined
  consumer: string
  noAck: boolean
  /** ms; undefined = no CLAIM. */
  claim: number | undefined
}

/**
 * XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key [key …] id [id …]
 * XREADGROUP GROUP group consumer [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] [CLAIM ms] [NOACK]
 *            STREAMS key [key …] id [id …]
 */
export function read(call: Call, grouped: boolean): void {
  const { engine, session, database, reply, now } = call
  const plan = parse(call, grouped)
  if (serve(engine, database, plan, reply, now, false)) return
  if (plan.block === undefined || call.inTransaction) {
    reply.nilArray()
    return
  }
  engine.blocked.park(new WaitingRead(engine, session, database, plan))
}

/** A read that waits. There may be tens of thousands: one object each, no closures. */
class WaitingRead implements Waiting {
  constructor(
    readonly engine: EngineState,
    readonly session: Session,
    readonly at: Database,
    readonly plan: Plan,
  ) {}

  get database(): number {
    return this.at.index
  }

  get keys(): readonly string[] {
    return this.plan.keys
  }

  get group(): string | undefined {
    return this.plan.group
  }

  get timeout(): number {
    return this.plan.block as number
  }

  attempt(now: number, key?: string): boolean {
    const { engine, session } = this
    // Without a group whoever waits goes on waiting while no stream stands at the key. Once one does, the command runs
    // again as a whole, and something else at another of its keys is an error.
    if (this.group === undefined && key !== undefined) {
      const value = this.at.get(key, now)
      if (value === undefined || typeOf(value) !== 'stream') return false
    }
    const mark = session.output.length
    try {
      if (!serve(engine, this.at, this.plan, session.output, now, true)) return false
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      session.output.rewind(mark)
      session.output.error(error.text)
      engine.stats.error(error.text)
    }
    session.onOutput(session)
    return true
  }

  retryIn(now: number): number {
    return this.plan.claim === undefined ? Number.POSITIVE_INFINITY : nextClaim(this.at, this.plan, now)
  }

  expire(): void {
    this.session.output.nilArray()
    this.session.onOutput(this.session)
  }

  refuse(reason: string): void {
    this.session.output.error(reason)
    this.session.onOutput(this.session)
  }
}

function parse({ database, request, now }: Call, grouped: boolean): Plan {
  const plan: Plan = {
    keys: [],
    after: [],
    last: [],
    count: 0,
    maxCount: 0,
    maxSize: 0,
    block: undefined,
    group: undefined,
    consumer: '',
    noAck: false,
    claim: undefined,
  }
  const streams = parseOptions(request, plan, grouped)
  const count = (request.count - streams) / 2
  // Of the right length from the start: an array that grows makes room for sixteen more.
  plan.keys = new Array(count)
  plan.after = new Array(count)
  plan.last = new Array(count)
  if (grouped && plan.group === undefined) throw new CommandError('ERR Missing GROUP option for XREADGROUP')
  if (plan.maxCount > 0 && plan.count > plan.maxCount) {
    throw new CommandError('ERR MAXCOUNT must be greater than or equal to COUNT')
  }
  for (let i = 0; i < count; i++) {
    const key = request.name(streams + i)
    const at = streams + count + i
    const stream = streamAt(database, key, now)
    if (plan.group !== undefined && !stream?.groups.has(plan.group)) throw noGroup(key, plan.group)
    plan.keys[i] = key
    const sign = request.length(at) === 1 ? request.bytes[request.start(at)] : 0
    plan.last[i] = !grouped && sign === PLUS
    if (sign === DOLLAR || sign === PLUS) {
      if (grouped) {
        throw new CommandError(
          `ERR The ${sign === DOLLAR ? '$' : '+'} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The ${sign === DOLLAR ? '$' : '+'} ID would just return an empty result set.`,
        )
      }
      plan.after[i] = stream?.lastId.clone() ?? EntryId.zero()
    } else if (sign === GREATER) {
      if (!grouped) {
        throw new CommandError(
          'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
        )
      }
      plan.after[i] = undefined
    } else {
      const id = entryId(request, at)
      // Redis keeps `>` as the highest ID there is, and takes that ID for it.
      plan.after[i] = grouped && id.isMax() ? undefined : id
    }
  }
  return plan
}

/** Reads everything before the keys; answers where the keys begin. */
function parseOptions(request: Request, plan: Plan, grouped: boolean): number {
  const only = (option: string) =>
    new CommandError(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)
  for (let i = 1; i < request.count; i++) {
    const more = request.count - i - 1
    if (more > 0 && request.is(i, 'BLOCK')) plan.block = timeout(request, ++i)
    else if (more > 0 && request.is(i, 'COUNT')) plan.count = Math.max(integer(request, ++i), 0)
    else if (more > 0 && request.is(i, 'MAXCOUNT')) plan.maxCount = positive(request, ++i, 'MAXCOUNT')
    else if (more > 0 && request.is(i, 'MAXSIZE')) plan.maxSize = positive(request, ++i, 'MAXSIZE')
    else if (more > 0 && request.is(i, 'STREAMS')) {
      if (more % 2 !== 0) {
        const sign = grouped ? "ID or '>'" : "ID, '+', or '$'"
        const name = grouped ? 'xreadgroup' : 'xread'
        throw new CommandError(
          `ERR Unbalanced '${name}' list of streams: for each stream key an ${sign} must be specified.`,
        )
      }
      return i + 1
    } else if (more > 1 && request.is(i, 'GROUP')) {
      if (!grouped) throw only('GROUP')
      plan.group = request.name(i + 1)
      plan.consumer = request.name(i + 2)
      i += 2
    } else if (request.is(i, 'NOACK')) {
      if (!grouped) throw only('NOACK')
      plan.noAck = true
    } else if (more > 0 && request.is(i, 'CLAIM')) {
      if (!grouped) throw only('CLAIM')
      plan.claim = integer(request, ++i, 'min-idle-time is not an integer or out of range')
      if (plan.claim < 0) throw new CommandError('ERR min-idle-time must be a positive integer')
    } else throw syntaxError()
  }
  throw syntaxError()
}

function positive(request: Request, i: number, name: string): number {
  const value = integer(request, i)
  if (value <= 0) throw new CommandError(`ERR ${name} must be a positive integer`)
  return value
}

function noGroup(key: string, group: string): CommandError {
  return new CommandError(
    `NOGROUP No such key '${shown(key)}' or consumer group '${shown(group)}' in XREADGROUP with GROUP option`,
  )
}

/** Writes the reply if there is anything to give; `waited` = the command has waited and is tried again. */
function serve(
  engine: EngineState,
  database: Database,
  plan: Plan,
  reply: Reply,
  now: number,
  waited: boolean,
): boolean {
  const budget: Budget = {
    entries: plan.maxCount || Number.POSITIVE_INFINITY,
    bytes: plan.maxSize || Number.POSITIVE_INFINITY,
  }
  if (waited && plan.group !== undefined) {
    for (const key of plan.keys) {
      if (!streamAt(database, key, now)?.groups.has(plan.group)) throw noGroup(key, plan.group)
    }
  }
  const top = reply.openArray()
  let streams = 0
  for (let i = 0; i < plan.keys.length; i++) {
    const mark = reply.length
    if (reply.protocol === 2) reply.array(2)
    reply.bulk(plan.keys[i])
    const list = reply.openArray()
    const given =
      plan.group === undefined
        ? readPlain(database, plan, i, reply, now, budget, waited)
        : readGroup(engine, database, plan, i, reply, now, budget)
    if (given < 0) {
      reply.rewind(mark)
      continue
    }
    reply.closeArray(list, given)
    streams++
  }
  if (streams === 0) {
    reply.rewind(top)
    return false
  }
  if (reply.protocol === 2) reply.closeArray(top, streams)
  else reply.closeMap(top, streams)
  return true
}

/** Answers how many entries were written, −1 when the stream is not to be listed. */
function readPlain(
  database: Database,
  plan: Plan,
  i: number,
  reply: Reply,
  now: number,
  budget: Budget,
  waited: boolean,
): number {
  const stream = streamAt(database, plan.keys[i], now)
  if (stream === undefined || stream.length === 0) return -1
  const cursor = stream.cursor()
  if (plan.last[i] && !waited) {
    if (!cursor.previous() || !spend(budget, cursor)) return -1
    writeEntry(reply, cursor)
    return 1
  }
  const start = (plan.after[i] as EntryId).clone()
  if (!start.increment()) return -1
  cursor.seek(start)
  let given = 0
  while ((plan.count === 0 || given < plan.count) && cursor.next() && spend(budget, cursor)) {
    writeEntry(reply, cursor)
    given++
  }
  return given === 0 ? -1 : given
}

function readGroup(
  engine: EngineState,
  database: Database,
  plan: Plan,
  i: number,
  reply: Reply,
  now: number,
  budget: Budget,
): number {
  const key = plan.keys[i]
  const stream = streamAt(database, key, now)
  const group = stream?.groups.get(plan.group as string)
  if (stream === undefined || group === undefined) throw noGroup(key, plan.group as string)
  const consumer = consumerOf(engine, database, key, group, plan.consumer, now)
  const reading = { engine, database, key, stream, group, consumer, now }
  const after = plan.after[i]
  if (after !== undefined) {
    const start = after.clone()
    if (!start.increment()) return 0
    return deliverHistory(reading, start, plan.count, budget, (id, cursor) => {
      if (cursor !== undefined) {
        writeEntry(reply, cursor)
        return
      }
      reply.array(2)
      writeId(reply, id)
      reply.nilArray()
    })
  }
  let given = 0
  if (plan.claim !== undefined) {
    given = deliverIdle(reading, plan.claim, plan.count, budget, (cursor, idle, deliveries) => {
      writeClaimed(reply, cursor, idle, deliveries)
    })
  }
  if ((plan.count === 0 || given < plan.count) && hasNew(stream, group)) {
    given += deliverNew(reading, plan.count === 0 ? 0 : plan.count - given, plan.noAck, budget, (cursor) => {
      if (plan.claim === undefined) writeEntry(reply, cursor)
      else writeClaimed(reply, cursor, 0, 0)
    })
  }
  return given === 0 ? -1 : given
}

function writeClaimed(reply: Reply, cursor: Parameters<typeof writeEntry>[1], idle: number, deliveries: number): void {
  reply.array(4)
  writeId(reply, cursor.id)
  reply.array(cursor.fieldCount * 2)
  reply.raw(cursor.bytes, cursor.start, cursor.end)
  reply.integer(idle)
  writeCount(reply, deliveries)
}

/** ms until the oldest pending entry of the plan's groups may be claimed. */
function nextClaim(database: Database, plan: Plan, now: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const key of plan.keys) {
    const stream = database.get(key, now)
    const group =
      stream !== undefined && typeof stream === 'object'
        ? streamAt(database, key, now)?.groups.get(plan.group as string)
        : undefined
    const oldest = group?.pending.oldestDelivery() ?? null
    if (oldest !== null) next = Math.min(next, Math.max(oldest + (plan.claim as number) - now, 1))
  }
  return next
}

const DOLLAR = 36
const PLUS = 43
const GREATER = 62
