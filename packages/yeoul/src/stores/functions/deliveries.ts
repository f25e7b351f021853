import { missingKey, scheduledKey, scheduleKey } from '../../runtime/keys.js'
import type { Delivery, Fields, Held } from '../../runtime/store.js'
import { packFields } from './packed-fields.js'
import type { Argument, Reply, Step } from './step.js'

interface Holding {
  stream: string
  group: string
  consumer: string
  /** Ascending by id. */
  deliveries: readonly Held[]
}

function holdingArgs({ group, consumer, deliveries }: Holding): Argument[] {
  const args: Argument[] = [group, consumer]
  for (const { id, deliveries: count } of deliveries) args.push(id, count === 1 ? '1' : String(count))
  return args
}

/**
 * Acknowledges what the consumer still owns.
 *
 * KEYS  stream
 * ARGV  group, consumer, then id and delivery count of each, ascending
 * →     the ids that were not acknowledged
 */
export const settle: Step<Holding, string[]> = {
  name: 'yeoul_settle',
  allowOom: true,
  lua: `
    local mine, lost = fence(keys[1], args[1], args[2], args, 3)
    in_slices(mine, function(...) redis.call('XACK', keys[1], args[1], ...) end)
    return lost
  `,
  keys: ({ stream }) => [stream],
  args: holdingArgs,
  answer: (reply) => reply as string[],
}

/**
 * Acknowledges what the consumer still owns, of deliveries that all have the same count. The fence of `settle`, made cheap
 * for what nearly always is: the consumer's deliveries from the first id to the last are exactly those given. Then one
 * comparison of texts tells, and no id has to be taken apart.
 *
 * KEYS  stream
 * ARGV  group, consumer, delivery count, how many ids, the first, the last, all of them ascending with a space between
 * →     the ids that were not acknowledged
 */
export const settleSame: Step<Holding, string[]> = {
  name: 'yeoul_settlesame',
  allowOom: true,
  lua: `
    local stream, group, consumer, count = keys[1], args[1], args[2], tonumber(args[3])
    local size, from, to, ids = tonumber(args[4]) + 16, args[5], args[6], args[7]
    local mine, lost = {}, {}
    repeat
      local page = redis.call('XPENDING', stream, group, from, to, size, consumer)
      for i = 1, #page do
        local row = page[i]
        if row[4] == count then mine[#mine + 1] = row[1] end
      end
      if #page == size then from = '(' .. page[size][1] end
    until #page < size
    if table.concat(mine, ' ') ~= ids then
      local held = {}
      for _, id in ipairs(mine) do held[id] = true end
      mine = {}
      for id in string.gmatch(ids, '%S+') do
        if held[id] then mine[#mine + 1] = id else lost[#lost + 1] = id end
      end
    end
    in_slices(mine, function(...) redis.call('XACK', stream, group, ...) end)
    return lost
  `,
  keys: ({ stream }) => [stream],
  args: ({ group, consumer, deliveries }) => {
    let ids = deliveries[0].id
    for (let i = 1; i < deliveries.length; i++) ids += ` ${deliveries[i].id}`
    const last = deliveries[deliveries.length - 1].id
    return [group, consumer, String(deliveries[0].deliveries), String(deliveries.length), deliveries[0].id, last, ids]
  },
  answer: (reply) => reply as string[],
}

/** Whether `settleSame` can take them. */
export function areSame(deliveries: readonly Held[]): boolean {
  const count = deliveries[0].deliveries
  for (const delivery of deliveries) if (delivery.deliveries !== count) return false
  return true
}

/**
 * Sets the idle time of what the consumer still owns to 0; neither owner nor delivery count change.
 *
 * KEYS  stream, missing
 * ARGV  as settle
 * →     the ids that are no longer its own, or whose entry was deleted
 */
export const heartbeat: Step<Holding, string[]> = {
  name: 'yeoul_heartbeat',
  allowOom: true,
  lua: `
    local mine, lost = fence(keys[1], args[1], args[2], args, 3)
    local kept, counts = {}, {}
    for i = 3, #args, 2 do counts[args[i]] = args[i + 1] end
    for from = 1, #mine, 1000 do
      local slice = { unpack(mine, from, math.min(from + 999, #mine)) }
      slice[#slice + 1] = 'JUSTID'
      for _, id in ipairs(redis.call('XCLAIM', keys[1], args[1], args[2], 0, unpack(slice))) do kept[id] = true end
    end
    for _, id in ipairs(mine) do
      if not kept[id] then
        lost[#lost + 1] = id
        note_missing(keys[2], args[1], args[2], id, counts[id])
      end
    end
    return lost
  `,
  keys: ({ stream }) => [stream, missingKey(stream)],
  args: holdingArgs,
  answer: (reply) => reply as string[],
}

/**
 * Hands back: claimable at once (delivery time 0), and the delivery is not counted.
 *
 * KEYS  stream, missing
 * ARGV  as settle
 * →     how many were handed back
 */
export const release: Step<Holding, number> = {
  name: 'yeoul_release',
  allowOom: true,
  lua: `
    local counts = {}
    for i = 3, #args, 2 do counts[args[i]] = tonumber(args[i + 1]) end
    local mine = fence(keys[1], args[1], args[2], args, 3)
    local by_count = {}
    for _, id in ipairs(mine) do
      local count = math.max(counts[id] - 1, 0)
      by_count[count] = by_count[count] or {}
      table.insert(by_count[count], id)
    end
    for count, ids in pairs(by_count) do
      for from = 1, #ids, 1000 do
        local slice = { unpack(ids, from, math.min(from + 999, #ids)) }
        for _, option in ipairs({ 'TIME', '0', 'RETRYCOUNT', count, 'JUSTID' }) do slice[#slice + 1] = option end
        local kept = {}
        for _, id in ipairs(redis.call('XCLAIM', keys[1], args[1], args[2], 0, unpack(slice))) do kept[id] = true end
        for i = from, math.min(from + 999, #ids) do
          if not kept[ids[i]] then note_missing(keys[2], args[1], args[2], ids[i], counts[ids[i]]) end
        end
      end
    end
    return #mine
  `,
  keys: ({ stream }) => [stream, missingKey(stream)],
  args: holdingArgs,
  answer: (reply) => reply as number,
}

/** Takes candidates = XPENDING rows over; drops those whose entry was deleted. Used by claim and claimids. */
const takeOver = `
    local function take_over(stream, missing, group, consumer, min_idle, candidates)
      local deliveries, deleted, ids = {}, {}, {}
      for _, row in ipairs(candidates) do ids[#ids + 1] = row[1] end
      local taken = {}
      in_slices(ids, function(...)
        for _, entry in ipairs(redis.call('XCLAIM', stream, group, consumer, min_idle, ...)) do
          if entry then taken[entry[1]] = entry[2] end
        end
      end)
      for _, row in ipairs(candidates) do
        local fields = taken[row[1]]
        if fields then
          deliveries[#deliveries + 1] = { row[1], row[4] + 1, row[3], fields }
        else
          redis.call('XACK', stream, group, row[1])
          note_missing(missing, group, row[2], row[1], row[4])
          deleted[#deleted + 1] = row[1]
        end
      end
      return deliveries, deleted
    end
`

/**
 * Takes over what has been idle long enough. Looks at no more than ten times `count` pending entries.
 *
 * KEYS  stream, missing
 * ARGV  group, consumer, minimum idle ms, count, cursor ('0-0' = from the first)
 * →     [next cursor ('0-0' = complete), [id, delivery count, ms idle before, [fields …]] …, [deleted id …]]
 */
export const claim: Step<
  { stream: string; group: string; consumer: string; minIdle: number; count: number; cursor: string },
  { next: string; deliveries: Delivery[]; deleted: string[] }
> = {
  name: 'yeoul_claim',
  allowOom: true,
  binary: true,
  lua: `${takeOver}
    local stream, group, consumer = keys[1], args[1], args[2]
    local min_idle, count, from = tonumber(args[3]), tonumber(args[4]), args[5]
    local look = math.min(count * 10, 1000)
    local page = redis.call('XPENDING', stream, group, from, '+', look)
    local candidates, following = {}, #page == look and '(' .. page[look][1] or nil
    for i, row in ipairs(page) do
      if row[3] >= min_idle then
        candidates[#candidates + 1] = row
        if #candidates == count then
          following = (i < #page or following) and '(' .. row[1] or nil
          break
        end
      end
    end
    local deliveries, deleted = take_over(stream, keys[2], group, consumer, min_idle, candidates)
    return { following or '0-0', deliveries, deleted }
  `,
  keys: ({ stream }) => [stream, missingKey(stream)],
  args: ({ group, consumer, minIdle, count, cursor }) => [group, consumer, String(minIdle), String(count), cursor],
  answer: (reply) => {
    const [next, deliveries, deleted] = reply as [Buffer, Reply[], Buffer[]]
    return { next: text(next), deliveries: deliveries.map(delivery), deleted: deleted.map(text) }
  },
}

/**
 * Takes over exactly the given ids, those that are pending and idle long enough.
 *
 * KEYS  stream, missing
 * ARGV  group, consumer, minimum idle ms, ids …
 * →     [[id, delivery count, ms idle before, [fields …]] …]
 */
export const claimIds: Step<
  { stream: string; group: string; consumer: string; minIdle: number; ids: readonly string[] },
  Delivery[]
> = {
  name: 'yeoul_claimids',
  allowOom: true,
  binary: true,
  lua: `${takeOver}
    local stream, group, consumer, min_idle = keys[1], args[1], args[2], tonumber(args[3])
    local candidates = {}
    for i = 4, #args do
      local row = redis.call('XPENDING', stream, group, args[i], args[i], 1)[1]
      if row and row[3] >= min_idle then candidates[#candidates + 1] = row end
    end
    return (take_over(stream, keys[2], group, consumer, min_idle, candidates))
  `,
  keys: ({ stream }) => [stream, missingKey(stream)],
  args: ({ group, consumer, minIdle, ids }) => [group, consumer, String(minIdle), ...ids],
  answer: (reply) => (reply as Reply[]).map(delivery),
}

/**
 * Moves one delivery to the dead letters: appended there, acknowledged here.
 *
 * KEYS  stream, dead-letter stream
 * ARGV  group, consumer, id, delivery count, fields of the letter …
 * →     id of the letter, nil when the consumer no longer owns the delivery
 */
export const deadLetter: Step<
  { stream: string; group: string; consumer: string; delivery: Held; target: { stream: string; fields: Fields } },
  string | null
> = {
  name: 'yeoul_deadletter',
  lua: `
    local mine = fence(keys[1], args[1], args[2], { args[3], args[4] }, 1)
    if #mine == 0 then return false end
    local letter = redis.call('XADD', keys[2], '*', unpack(args, 5))
    redis.call('XACK', keys[1], args[1], args[3])
    return letter
  `,
  keys: ({ stream, target }) => [stream, target.stream],
  args: ({ group, consumer, delivery: { id, deliveries }, target }) => [
    group,
    consumer,
    id,
    String(deliveries),
    ...target.fields,
  ],
  answer: (reply) => reply as string | null,
}

/**
 * Acknowledges one delivery here and schedules its fields for later.
 *
 * KEYS  stream, schedule, scheduled
 * ARGV  group, consumer, id, delivery count, due ms, key, packed fields
 * →     1, or 0 when the consumer no longer owns the delivery
 */
export const reschedule: Step<
  {
    stream: string
    group: string
    consumer: string
    delivery: Held
    later: { due: number; key: string; fields: Fields }
  },
  boolean
> = {
  name: 'yeoul_reschedule',
  lua: `
    local mine = fence(keys[1], args[1], args[2], { args[3], args[4] }, 1)
    if #mine == 0 then return 0 end
    redis.call('ZADD', keys[2], args[5], args[6])
    redis.call('HSET', keys[3], args[6], args[7])
    redis.call('XACK', keys[1], args[1], args[3])
    return 1
  `,
  keys: ({ stream }) => [stream, scheduleKey(stream), scheduledKey(stream)],
  args: ({ group, consumer, delivery: { id, deliveries }, later }) => [
    group,
    consumer,
    id,
    String(deliveries),
    String(later.due),
    later.key,
    packFields(later.fields),
  ],
  answer: (reply) => reply === 1,
}

function delivery(reply: Reply): Delivery {
  const [id, deliveries, idle, fields] = reply as [Buffer, number, number, Buffer[]]
  return { id: text(id), deliveries, idle, fields }
}

function text(bytes: Buffer): string {
  return bytes.toString('latin1')
}
