import { onceKey, scheduledKey, scheduleKey } from '../../runtime/keys.js'
import type { Fields, Scheduled, ScheduledEntry } from '../../runtime/store.js'
import { packFields, unpackFields } from './packed-fields.js'
import type { Argument, Step } from './step.js'

/**
 * Puts an entry aside until it is due; the same key replaces, or changes nothing while its once mark stands.
 *
 * KEYS  schedule, scheduled, once mark
 * ARGV  due ms, key, packed fields, window ms ('' = replace)
 * →     [duplicate (1 or 0), what the mark says ('' = no duplicate): an entry id, or @ and the due ms of what was scheduled]
 */
export const schedule: Step<
  { stream: string; fields: Fields; due: number; key: string; once?: { window: number } },
  Scheduled
> = {
  name: 'yeoul_schedule',
  lua: `
    if args[4] ~= '' then
      local seen = redis.call('GET', keys[3])
      if seen then return { 1, string.match(seen, '^%S+') } end
    end
    redis.call('ZADD', keys[1], args[1], args[2])
    redis.call('HSET', keys[2], args[2], args[3])
    if args[4] ~= '' then
      local until_due = math.max(tonumber(args[1]) - now(), 0)
      redis.call('SET', keys[3], '@' .. args[1] .. ' 0', 'PX', string.format('%.0f', tonumber(args[4]) + until_due))
    end
    return { 0, '' }
  `,
  keys: ({ stream, key }) => [scheduleKey(stream), scheduledKey(stream), onceKey(stream, key)],
  args: ({ due, key, fields, once }) => [
    String(due),
    key,
    packFields(fields),
    once === undefined ? '' : String(Math.ceil(once.window)),
  ],
  answer: (reply) => {
    const [duplicate, mark] = reply as [number, string]
    return scheduledAnswer(duplicate === 1 ? mark : undefined)
  },
}

/** `mark`: what the once mark of a duplicate says. */
export function scheduledAnswer(mark: string | undefined): Scheduled {
  if (mark === undefined) return { duplicate: false, id: null, due: null }
  if (mark.startsWith('@')) return { duplicate: true, id: null, due: Number(mark.slice(1)) }
  return { duplicate: true, id: mark, due: null }
}

/**
 * What waits, by due time.
 *
 * KEYS  schedule, scheduled
 * ARGV  offset, count
 * →     [[key, due ms, packed fields] …]
 */
export const scheduledEntries: Step<{ stream: string; offset: number; count: number }, ScheduledEntry[]> = {
  name: 'yeoul_scheduled',
  readOnly: true,
  binary: true,
  lua: `
    local answer, from = {}, tonumber(args[1])
    local waiting = redis.call('ZRANGE', keys[1], from, from + tonumber(args[2]) - 1, 'WITHSCORES')
    for i = 1, #waiting, 2 do
      local packed = redis.call('HGET', keys[2], waiting[i])
      if packed then answer[#answer + 1] = { waiting[i], waiting[i + 1], packed } end
    end
    return answer
  `,
  keys: ({ stream }) => [scheduleKey(stream), scheduledKey(stream)],
  args: ({ offset, count }) => [String(offset), String(count)],
  answer: (reply) =>
    (reply as Buffer[][]).map(([key, due, packed]) => ({
      key: key.toString(),
      due: Number(due.toString('latin1')),
      fields: unpackFields(packed),
    })),
}

/**
 * Takes a scheduled entry out again.
 *
 * KEYS  schedule, scheduled, once mark
 * ARGV  key
 * →     1, or 0 when nothing of that key was scheduled
 */
export const unschedule: Step<{ stream: string; key: string }, boolean> = {
  name: 'yeoul_unschedule',
  allowOom: true,
  lua: `
    redis.call('HDEL', keys[2], args[1])
    local removed = redis.call('ZREM', keys[1], args[1])
    if removed == 1 then
      local seen = redis.call('GET', keys[3])
      if seen and string.sub(seen, 1, 1) == '@' then redis.call('DEL', keys[3]) end
    end
    return removed
  `,
  keys: ({ stream, key }) => [scheduleKey(stream), scheduledKey(stream), onceKey(stream, key)],
  args: ({ key }) => [key],
  answer: (reply) => reply === 1,
}

/**
 * Appends what is due, oldest first; with limit 0 only says what waits.
 *
 * KEYS  stream, schedule, scheduled
 * ARGV  limit
 * →     [how many were appended, next due ms ('' = nothing waits), how many wait]
 */
export const promote: Step<
  { stream: string; limit: number },
  { promoted: number; nextDue: number | null; waiting: number }
> = {
  name: 'yeoul_promote',
  lua: `
    local promoted, limit = 0, tonumber(args[1])
    if limit > 0 then
      for _, key in ipairs(redis.call('ZRANGEBYSCORE', keys[2], '-inf', now(), 'LIMIT', 0, limit)) do
        local packed = redis.call('HGET', keys[3], key)
        if packed then
          redis.call('XADD', keys[1], '*', unpack(unpack_fields(packed)))
          promoted = promoted + 1
        end
        redis.call('ZREM', keys[2], key)
        redis.call('HDEL', keys[3], key)
      end
    end
    local first = redis.call('ZRANGE', keys[2], 0, 0, 'WITHSCORES')
    return { promoted, first[2] or '', redis.call('ZCARD', keys[2]) }
  `,
  keys: ({ stream }) => [stream, scheduleKey(stream), scheduledKey(stream)],
  args: ({ limit }) => [String(limit)],
  answer: (reply) => {
    const [promoted, nextDue, waiting] = reply as [number, string, number]
    return { promoted, nextDue: nextDue === '' ? null : Number(nextDue), waiting }
  },
}

/**
 * Moves letters from a dead-letter stream to a stream: appended there, deleted here, letter by letter.
 *
 * KEYS  dead-letter stream, target stream
 * ARGV  for every letter: its id, how many strings follow, names and values …
 * →     for every letter its new id, or '' when it is no longer there
 */
export const redrive: Step<
  { deadStream: string; target: string; letters: readonly { id: string; fields: Fields }[] },
  (string | null)[]
> = {
  name: 'yeoul_redrive',
  lua: `
    redis.call('XLEN', keys[2]) -- a target that is no stream fails here, before anything moved
    local answers, at = {}, 1
    while at < #args do
      local id, count = args[at], tonumber(args[at + 1])
      local answer = ''
      if redis.call('XDEL', keys[1], id) == 1 then
        answer = redis.call('XADD', keys[2], '*', unpack(args, at + 2, at + 1 + count))
      end
      answers[#answers + 1] = answer
      at = at + 2 + count
    end
    return answers
  `,
  keys: ({ deadStream, target }) => [deadStream, target],
  args: ({ letters }) => {
    const args: Argument[] = []
    for (const { id, fields } of letters) args.push(id, String(fields.length), ...fields)
    return args
  },
  answer: (reply) => (reply as string[]).map((id) => (id === '' ? null : id)),
}
