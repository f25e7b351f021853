/** Lua that several steps share; it stands before them in the library, and before each of them as a script. */
export const prelude = `
local MAX_ID = '18446744073709551615-18446744073709551615'

-- ms since the epoch by the server's clock
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Compares two decimal numbers of up to 20 digits, which a Lua number cannot hold.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- Whether entry id a comes before entry id b.
local function before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return less(a_ms, b_ms) end
  return less(a_seq, b_seq)
end

-- A flat list of names and values as a table.
local function record(list)
  local out = {}
  for i = 1, #list, 2 do out[list[i]] = list[i + 1] end
  return out
end

-- The groups of a stream; none when the stream does not exist.
local function groups_of(stream)
  local answer = redis.pcall('XINFO', 'GROUPS', stream)
  if answer.err then
    if string.find(answer.err, 'no such key', 1, true) then return {} end
    error(answer)
  end
  for i = 1, #answer do answer[i] = record(answer[i]) end
  return answer
end

-- Runs command over ids in slices, because Lua cannot unpack thousands of values.
local function in_slices(ids, command)
  for from = 1, #ids, 1000 do
    command(unpack(ids, from, math.min(from + 999, #ids)))
  end
end

-- The fence: which of the deliveries args[at], args[at + 1] … = id, delivery count, ascending by id, this consumer still
-- owns with that very count. Asks XPENDING for one range of this consumer in pages, never once per id.
-- Answers the ids held and the ids lost, both in the order given.
local function fence(stream, group, consumer, args, at)
  local counts, wanted = {}, 0
  for i = at, #args, 2 do
    counts[args[i]] = tonumber(args[i + 1])
    wanted = wanted + 1
  end
  if wanted == 0 then return {}, {} end
  local from, to, size = args[at], args[#args - 1], wanted + 16
  local held = {}
  repeat
    local page = redis.call('XPENDING', stream, group, from, to, size, consumer)
    for i = 1, #page do
      local id = page[i][1]
      if counts[id] == page[i][4] then held[id] = true end
    end
    if #page == size then from = '(' .. page[size][1] end
  until #page < size
  local mine, lost = {}, {}
  for i = at, #args, 2 do
    local id = args[i]
    if held[id] then mine[#mine + 1] = id else lost[#lost + 1] = id end
  end
  return mine, lost
end

-- Writes down that a pending entry is no longer in its stream, for whoever asks later (verify). Never fails the step.
local function note_missing(missing, group, consumer, id, deliveries)
  if not missing then return end
  redis.pcall('XADD', missing, 'MAXLEN', '~', 10000, '*',
    'group', group, 'id', id, 'consumer', consumer, 'deliveries', deliveries)
end

-- Fields packed as <decimal byte length>:<bytes> for every name and value.
local function unpack_fields(packed)
  local fields, at = {}, 1
  while at <= #packed do
    local colon = string.find(packed, ':', at, true)
    local length = tonumber(string.sub(packed, at, colon - 1))
    fields[#fields + 1] = string.sub(packed, colon + 1, colon + length)
    at = colon + length + 1
  end
  return fields
end

-- The first id that some group has not acknowledged: nothing before it is needed by anybody. MAX_ID when everything is
-- acknowledged; nil when there is no group. A group that was lost counts by its checkpoint.
local function acknowledged_below(stream, checkpoints)
  local floor
  local function lower(id)
    if not floor or before(id, floor) then floor = id end
  end
  local function lower_to_after(id)
    local following = redis.call('XRANGE', stream, '(' .. id, '+', 'COUNT', 1)[1]
    lower(following and following[1] or MAX_ID)
  end
  local alive = {}
  for _, group in ipairs(groups_of(stream)) do
    alive[group.name] = true
    local oldest = redis.call('XPENDING', stream, group.name, '-', '+', 1)[1]
    if oldest then lower(oldest[1]) end
    lower_to_after(group['last-delivered-id'])
  end
  local marks = redis.call('HGETALL', checkpoints)
  for i = 1, #marks, 2 do
    if not alive[marks[i]] then lower_to_after(marks[i + 1]) end
  end
  return floor
end
`
