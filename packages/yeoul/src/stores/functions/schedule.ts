import { scheduledKey, scheduleKey } from '../../runtime/keys.js'
import type { Fields } from '../../runtime/store.js'
import { packFields } from './packed-fields.js'
import type { Argument, Step } from './step.js'

/**
 * Puts an entry aside until it is due; the same key replaces.
 *
 * KEYS  schedule, scheduled
 * ARGV  due ms, key, packed fields
 * →     1
 */
export const schedule: Step<{ stream: string; fields: Fields; due: number; key: string }, void> = {
  name: 'yeoul_schedule',
  lua: `
    redis.call('ZADD', keys[1], args[1], args[2])
    redis.call('HSET', keys[2], args[2], args[3])
    return 1
  `,
  keys: ({ stream }) => [scheduleKey(stream), scheduledKey(stream)],
  args: ({ due, key, fields }) => [String(due), key, packFields(fields)],
  answer: () => undefined,
}

/**
 * Takes a scheduled entry out again.
 *
 * KEYS  schedule, scheduled
 * ARGV  key
 * →     1, or 0 when nothing of that key was scheduled
 */
export const unschedule: Step<{ stream: string; key: string }, boolean> = {
  name: 'yeoul_unschedule',
  allowOom: true,
  lua: `
    redis.call('HDEL', keys[2], args[1])
    return redis.call('ZREM', keys[1], args[1])
  `,
  keys: ({ stream }) => [scheduleKey(stream), scheduledKey(stream)],
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
