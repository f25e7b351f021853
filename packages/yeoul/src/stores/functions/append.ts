import { onceKey, sequenceKey } from '../../runtime/keys.js'
import type { Appended, AppendOptions, Fields } from '../../runtime/store.js'
import type { Argument, Reply, Step } from './step.js'

/**
 * Appends one entry: once per publish id, numbered, within a bound.
 *
 * KEYS  stream, once mark, sequence hash
 * ARGV  window ms ('' = always append), numbered (1 or 0), sequence name, maxLength ('' = none), maxLag ('' = none), fields …
 * →     [id, duplicate (1 or 0), sequence number (0 = not numbered)], or error BOUND
 */
export const append: Step<{ stream: string; fields: Fields; options: AppendOptions }, Appended> = {
  name: 'yeoul_append',
  lua: `
    local stream, once, sequences = keys[1], keys[2], keys[3]
    local window, numbered, sequence = args[1], args[2] == '1', args[3]
    local max_length, max_lag = tonumber(args[4]), tonumber(args[5])
    if window ~= '' then
      local seen = redis.call('GET', once)
      if seen then
        local id, number = string.match(seen, '^(%S+) (%d+)$')
        return { id, 1, tonumber(number) }
      end
    end
    if max_length and redis.call('XLEN', stream) >= max_length then
      return redis.error_reply('BOUND the stream holds ' .. max_length .. ' entries')
    end
    if max_lag then
      for _, group in ipairs(groups_of(stream)) do
        local unread = group.lag
        if not unread then
          -- The server cannot tell (entries were deleted, or the group was set to some id): count, but not for ever.
          unread = #redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', math.min(max_lag + 1, 10000))
        end
        if unread + group.pending >= max_lag then
          return redis.error_reply('BOUND group ' .. group.name .. ' has ' .. max_lag .. ' entries to acknowledge')
        end
      end
    end
    local fields, number = { unpack(args, 6) }, 0
    if numbered then
      number = tonumber(redis.call('HGET', sequences, sequence) or 0) + 1
      fields[#fields + 1] = '_seq'
      fields[#fields + 1] = string.format('%.0f', number)
    end
    local id = redis.call('XADD', stream, '*', unpack(fields))
    if numbered then redis.call('HSET', sequences, sequence, string.format('%.0f', number)) end
    if window ~= '' then redis.call('SET', once, id .. ' ' .. string.format('%.0f', number), 'PX', window) end
    return { id, 0, number }
  `,
  keys: ({ stream, options }) => [stream, onceKey(stream, options.once?.id ?? ''), sequenceKey(stream)],
  args: ({ fields, options }) => [
    options.once === undefined ? '' : String(options.once.window),
    options.sequence === undefined ? '0' : '1',
    options.sequence ?? '',
    String(options.bound?.maxLength ?? ''),
    String(options.bound?.maxLag ?? ''),
    ...fields,
  ],
  answer: (reply, { options }) => {
    const [id, duplicate, sequence] = reply as [string, number, number]
    return options.sequence === undefined
      ? { id, duplicate: duplicate === 1 }
      : { id, duplicate: duplicate === 1, sequence }
  },
}

/**
 * Appends many entries, one by one in the order given; each has an answer of its own.
 *
 * KEYS  streams
 * ARGV  for every entry: which stream (1 = the first), how many strings follow, names and values …
 * →     for every entry its id or an error
 */
export const appendAll: Step<readonly { stream: string; fields: Fields }[], (string | Error)[]> = {
  name: 'yeoul_appendall',
  lua: `
    local answers, at = {}, 1
    while at < #args do
      local count = tonumber(args[at + 1])
      answers[#answers + 1] = redis.pcall('XADD', keys[tonumber(args[at])], '*', unpack(args, at + 2, at + 1 + count))
      at = at + 2 + count
    end
    return answers
  `,
  keys: (entries) => [...new Set(entries.map((entry) => entry.stream))],
  args: (entries) => {
    const numbers = new Map<string, string>()
    const args: Argument[] = []
    for (const { stream, fields } of entries) {
      let number = numbers.get(stream)
      if (number === undefined) numbers.set(stream, (number = String(numbers.size + 1)))
      args.push(number, String(fields.length))
      for (const field of fields) args.push(field)
    }
    return args
  },
  answer: (reply: Reply) => reply as (string | Error)[],
}

/**
 * Appends many entries of one stream that have as many fields each, one by one in the order given: what a producer's batch
 * nearly always is, with half the arguments.
 *
 * KEYS  stream
 * ARGV  how many strings an entry has, then names and values of each …
 * →     for every entry its id or an error
 */
export const appendSame: Step<readonly { stream: string; fields: Fields }[], (string | Error)[]> = {
  name: 'yeoul_appendsame',
  lua: `
    local answers, stream, strings = {}, keys[1], tonumber(args[1])
    for at = 2, #args, strings do
      answers[#answers + 1] = redis.pcall('XADD', stream, '*', unpack(args, at, at + strings - 1))
    end
    return answers
  `,
  keys: ([{ stream }]) => [stream],
  args: (entries) => {
    const args: Argument[] = [String(entries[0].fields.length)]
    for (const { fields } of entries) for (const field of fields) args.push(field)
    return args
  },
  answer: (reply: Reply) => reply as (string | Error)[],
}

/** Whether `appendSame` can take them. */
export function areSame(entries: readonly { stream: string; fields: Fields }[]): boolean {
  const { stream, fields } = entries[0]
  for (const entry of entries) if (entry.fields.length !== fields.length || entry.stream !== stream) return false
  return true
}
