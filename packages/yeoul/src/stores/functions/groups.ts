import { checkpointKey, trimmedKey } from '../../runtime/keys.js'
import type { GroupInfo, StreamInfo, TrimRequest } from '../../runtime/store.js'
import type { Reply, Step } from './step.js'

/**
 * Makes the group if it is missing. A group that was lost starts again at its checkpoint, or at the end of the stream
 * where that lies before it (the stream was lost as well): what is appended from now on is never skipped.
 *
 * KEYS  stream, checkpoints
 * ARGV  group, start
 * →     1, or 0 when it existed
 */
export const ensureGroup: Step<{ stream: string; group: string; start: string }, boolean> = {
  name: 'yeoul_ensuregroup',
  lua: `
    local start = args[2]
    local mark = redis.call('HGET', keys[2], args[1])
    if mark then
      start = mark
      local stream = redis.pcall('XINFO', 'STREAM', keys[1])
      local last = stream.err and '0-0' or record(stream)['last-generated-id']
      if before(last, mark) then start = last end
    end
    local answer = redis.pcall('XGROUP', 'CREATE', keys[1], args[1], start, 'MKSTREAM')
    if answer.err then
      if string.find(answer.err, '^BUSYGROUP') then return 0 end
      error(answer)
    end
    return 1
  `,
  keys: ({ stream }) => [stream, checkpointKey(stream)],
  args: ({ group, start }) => [group, start],
  answer: (reply) => reply === 1,
}

/**
 * Moves a group's cursor, and its checkpoint with it.
 *
 * KEYS  stream, checkpoints
 * ARGV  group, id ($ = the end)
 * →     1
 */
export const setGroup: Step<{ stream: string; group: string; id: string }, void> = {
  name: 'yeoul_setgroup',
  lua: `
    redis.call('XGROUP', 'SETID', keys[1], args[1], args[2])
    if redis.call('HEXISTS', keys[2], args[1]) == 1 then
      for _, group in ipairs(groups_of(keys[1])) do
        if group.name == args[1] then redis.call('HSET', keys[2], args[1], group['last-delivered-id']) end
      end
    end
    return 1
  `,
  keys: ({ stream }) => [stream, checkpointKey(stream)],
  args: ({ group, id }) => [group, id],
  answer: () => undefined,
}

/**
 * Removes a group and its checkpoint.
 *
 * KEYS  stream, checkpoints
 * ARGV  group
 * →     1, or 0 when there was none
 */
export const removeGroup: Step<{ stream: string; group: string }, boolean> = {
  name: 'yeoul_removegroup',
  allowOom: true,
  lua: `
    redis.call('HDEL', keys[2], args[1])
    if redis.call('EXISTS', keys[1]) == 0 then return 0 end
    return redis.call('XGROUP', 'DESTROY', keys[1], args[1])
  `,
  keys: ({ stream }) => [stream, checkpointKey(stream)],
  args: ({ group }) => [group],
  answer: (reply) => reply === 1,
}

/**
 * Remembers how far a group has handled everything; never moves back.
 *
 * KEYS  checkpoints
 * ARGV  group, id
 * →     1 when it moved
 */
export const checkpoint: Step<{ stream: string; group: string; id: string }, void> = {
  name: 'yeoul_checkpoint',
  lua: `
    local mark = redis.call('HGET', keys[1], args[1])
    if mark and not before(mark, args[2]) then return 0 end
    redis.call('HSET', keys[1], args[1], args[2])
    return 1
  `,
  keys: ({ stream }) => [checkpointKey(stream)],
  args: ({ group, id }) => [group, id],
  answer: () => undefined,
}

/**
 * Removes a consumer that holds nothing.
 *
 * KEYS  stream
 * ARGV  group, consumer
 * →     1, or 0 when it holds something or does not exist
 */
export const removeConsumer: Step<{ stream: string; group: string; consumer: string }, boolean> = {
  name: 'yeoul_removeconsumer',
  allowOom: true,
  lua: `
    for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', keys[1], args[1])) do
      local consumer = record(row)
      if consumer.name == args[2] then
        if consumer.pending > 0 then return 0 end
        redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], args[2])
        return 1
      end
    end
    return 0
  `,
  keys: ({ stream }) => [stream],
  args: ({ group, consumer }) => [group, consumer],
  answer: (reply) => reply === 1,
}

/**
 * What is known of each group, without walking entries.
 *
 * KEYS  stream, checkpoints
 * →     [[name, consumers, pending, last delivered id, entries read, lag, oldest pending id, its ms idle, checkpoint] …];
 *       '' where something is unknown or absent
 */
export const groups: Step<{ stream: string }, GroupInfo[]> = {
  name: 'yeoul_groups',
  readOnly: true,
  lua: `
    local answer = {}
    for _, group in ipairs(groups_of(keys[1])) do
      local oldest_id, oldest_idle = '', ''
      for i, row in ipairs(redis.call('XPENDING', keys[1], group.name, '-', '+', 10)) do
        if i == 1 then oldest_id, oldest_idle = row[1], row[3] end
        oldest_idle = math.max(oldest_idle, row[3])
      end
      answer[#answer + 1] = {
        group.name, group.consumers, group.pending, group['last-delivered-id'],
        group['entries-read'] or '', group.lag or '', oldest_id, oldest_idle,
        redis.call('HGET', keys[2], group.name) or '',
      }
    end
    return answer
  `,
  keys: ({ stream }) => [stream, checkpointKey(stream)],
  args: () => [],
  answer: (reply) =>
    (reply as Reply[]).map((row) => {
      const [name, consumers, pending, lastDeliveredId, entriesRead, lag, oldestId, oldestIdle, mark] = row as [
        string,
        number,
        number,
        string,
        number | '',
        number | '',
        string,
        number | '',
        string,
      ]
      return {
        name,
        consumers,
        pending,
        lastDeliveredId,
        entriesRead: entriesRead === '' ? null : entriesRead,
        lag: lag === '' ? null : lag,
        oldestPendingId: oldestId === '' ? null : oldestId,
        oldestPendingIdle: oldestIdle === '' ? null : oldestIdle,
        checkpoint: mark === '' ? null : mark,
      }
    }),
}

/**
 * What is known of a stream, without its entries' payload.
 *
 * KEYS  stream, trim record
 * →     [length, first id ('' = empty), last id, highest deleted id, entries ever added, groups, bytes ('' = unknown),
 *        trimmed entries, trimmed below ('' = never), forced below ('' = never)],
 *       nil when it does not exist
 */
export const info: Step<{ stream: string }, StreamInfo | null> = {
  name: 'yeoul_info',
  readOnly: true,
  lua: `
    if redis.call('EXISTS', keys[1]) == 0 then return false end
    local stream = record(redis.call('XINFO', 'STREAM', keys[1]))
    local first = stream['first-entry']
    local memory = redis.pcall('MEMORY', 'USAGE', keys[1])
    local trimmed = keys[2] and redis.call('HMGET', keys[2], 'removed', 'below', 'forced') or {}
    return {
      stream.length, first and first[1] or '', stream['last-generated-id'], stream['max-deleted-entry-id'] or '0-0',
      stream['entries-added'] or stream.length, stream.groups, type(memory) == 'number' and memory or '',
      tonumber(trimmed[1] or 0), trimmed[2] or '', trimmed[3] or '',
    }
  `,
  keys: ({ stream }) => [stream, trimmedKey(stream)],
  args: () => [],
  answer: (reply) => {
    if (reply === null) return null
    const [length, firstId, lastId, maxDeletedId, entriesAdded, groupCount, memory, removed, below, forcedBelow] =
      reply as [number, string, string, string, number, number, number | '', number, string, string]
    return {
      length,
      firstId: firstId === '' ? null : firstId,
      lastId,
      maxDeletedId,
      entriesAdded,
      groups: groupCount,
      trimmed: { removed, below: below || null, forcedBelow: forcedBelow || null },
      memory: memory === '' ? null : memory,
    }
  },
}

/**
 * Trims from the head, as far as every group has acknowledged, or further with force.
 * `unread` counts the entries removed at or after the first one that some group had not acknowledged.
 *
 * KEYS  stream, checkpoints, trim record
 * ARGV  maxLength ('' = none), minId ('' = none), force (1 or 0), limit ('' = none)
 * →     [removed, unread, length]
 */
export const trim: Step<{ stream: string; options: TrimRequest }, { removed: number; unread: number; length: number }> =
  {
    name: 'yeoul_trim',
    allowOom: true,
    lua: `
    local stream = keys[1]
    local max_length, min_id, force = tonumber(args[1]), args[2], args[3] == '1'
    local most = tonumber(args[4]) or math.huge

    -- Removes from the head while id < cut, at most the given number. Whole nodes go first (cheap); what is left is less
    -- than a node and is looked at entry by entry.
    local function remove_below(cut, most)
      local removed = 0
      if most >= 1 then
        removed = redis.call('XTRIM', stream, 'MINID', '~', cut, 'LIMIT', most == math.huge and 0 or most)
      end
      for _ = 1, 8 do
        local rest = math.min(most - removed, 128)
        if rest < 1 then break end
        local head = redis.call('XRANGE', stream, '-', '(' .. cut, 'COUNT', rest + 1)
        if #head == 0 then break end
        removed = removed + redis.call('XTRIM', stream, 'MINID', '=', #head > rest and head[rest + 1][1] or cut)
      end
      return removed
    end

    if redis.call('EXISTS', stream) == 0 then return { 0, 0, 0 } end
    local length = redis.call('XLEN', stream)
    if max_length then most = math.min(most, length - max_length) end
    local floor = acknowledged_below(stream, keys[2])
    local cut = min_id ~= '' and min_id or MAX_ID
    if force and not floor then floor = MAX_ID end
    local removed, unread = 0, 0
    if floor and most > 0 then
      removed = remove_below(before(floor, cut) and floor or cut, most)
      if force and removed < most and before(floor, cut) then
        unread = remove_below(cut, most - removed)
      end
    end
    if removed + unread > 0 and keys[3] then
      local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
      local below = first and first[1]
      if not below then
        local ms, seq = string.match(record(redis.call('XINFO', 'STREAM', stream))['last-generated-id'], '^(%d+)-(%d+)$')
        below = ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
      end
      redis.pcall('HINCRBY', keys[3], 'removed', removed + unread)
      redis.pcall('HSET', keys[3], 'below', below)
      if unread > 0 then redis.pcall('HSET', keys[3], 'forced', below) end
    end
    return { removed + unread, unread, redis.call('XLEN', stream) }
  `,
    keys: ({ stream }) => [stream, checkpointKey(stream), trimmedKey(stream)],
    args: ({ options }) => [
      String(options.maxLength ?? ''),
      options.minId ?? '',
      options.force ? '1' : '0',
      String(options.limit ?? ''),
    ],
    answer: (reply) => {
      const [removed, unread, length] = reply as [number, number, number]
      return { removed, unread, length }
    },
  }
