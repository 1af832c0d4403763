-- Takes away what need not be kept, the oldest first, and with each event all that hangs on it.
-- The last entry of a realm stays.
--
-- KEYS  1 the shard's state, 2 its journal; the other keys are the shard's
-- ARGV  1 what, then
--   room  2 place of a room, 3 how many events of a room are kept, 4 how many go at most
--   age   2 clock of the node in ms, 3 for how many ms events are kept, 4 how many go at most;
--         those that are too old by the clocks of both the node and Redis, of one realm
--   tail  2 for how many ms entries of the journal are kept
-- Gives {how many went, 1 if there may be more of it at once}
--
-- In each part what deletes is called before what writes: then it works also when memory is full.
local call, args, number_of = redis.call, ARGV, tonumber
local prefix = string.sub(KEYS[1], 1, -6)
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local AGAIN_MS = 3600000 -- a realm of which nothing but its last entry is left is looked at again

-- The first fields of a packed value.
local function fields_of(value, count)
  local fields, at = {}, 1
  for i = 1, count do
    local stop = string.find(value, '\0', at, true)
    if not stop then break end
    fields[i] = string.sub(value, at, stop - 1)
    at = stop + 1
  end
  return fields
end

-- A packed text; nil: there is none.
local function text_of(field)
  return field and string.sub(field, 1, 1) == '=' and string.sub(field, 2) or nil
end

local function parts_of(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return number_of(ms), number_of(seq)
end

local function name_of(id)
  return string.format('%016x%016x', parts_of(id))
end

local function is_above(id, other)
  local ms, seq = parts_of(id)
  local other_ms, other_seq = parts_of(other)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end

local function raise_id(key, field, id)
  local old = call('HGET', key, field)
  if not old or is_above(id, old) then call('HSET', key, field, id) end
end

local function raise_number(key, field, number)
  local old = call('HGET', key, field)
  if not old or number_of(number) > number_of(old) then call('HSET', key, field, number) end
end

local function ids_of(rows)
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row[1] end
  return ids
end

-- Removes entries; one that has none left goes itself. Returns whether it did.
local function take_out(stream, ids)
  if #ids == 0 then return false end
  call('XDEL', stream, unpack(ids))
  return call('XLEN', stream) == 0 and call('UNLINK', stream) == 1
end

local function drop_mentions(p, name)
  local first, last = '[' .. name, '[' .. name .. '~'
  local mentioned = call('ZRANGEBYLEX', p .. 'mentioned', first, last)
  for _, found in ipairs(mentioned) do
    call('ZREM', p .. 'mentions', string.sub(found, #name + 2) .. '/' .. name)
  end
  if #mentioned > 0 then call('ZREMRANGEBYLEX', p .. 'mentioned', first, last) end
end

-- The counters that its deletion has raised; none of a room is asked for up to its `t`.
local function drop_erased(p, ordinal)
  local node, bit = number_of(ordinal), 1
  while node > 0 do
    if node % (2 * bit) ~= 0 then
      call('HDEL', p .. 'erased', string.format('%.0f', node))
      node = node - bit
    end
    bit = 2 * bit
  end
end

-- What hangs on a message. Returns its ordinal.
local function drop_message(room, p, row)
  local id, values = row[1], {}
  for i = 1, #row[2], 2 do values[row[2][i]] = row[2][i + 1] end
  local texts = fields_of(call('HGET', p .. 'bodies', id) or '', 8)
  local message, thread = text_of(texts[7]), text_of(texts[8])
  local sender = fields_of(values.v, 4)[4]
  local name = name_of(id)
  local named = message and call('HGET', p .. 'ids', message)
  if named and fields_of(named, 1)[1] == id then call('HDEL', p .. 'ids', message) end
  if take_out(p .. 'sent/' .. sender, {id}) then
    call('HDEL', prefix .. 'u/' .. sender .. '/wrote', room)
  end
  if thread and take_out(p .. 'thread/' .. thread, {id}) then
    call('HDEL', p .. 'threads', thread)
  elseif thread and texts[1] ~= '1' then
    call('HINCRBY', p .. 'threads', thread, -1)
  end
  call('ZREMRANGEBYLEX', p .. 'edits', '[' .. name, '[' .. name .. '~')
  drop_mentions(p, name)
  if call('HDEL', p .. 'reactions', id) == 1 then
    call('UNLINK', p .. 'reacted/' .. id, p .. 'reactors/' .. id)
  end
  if texts[1] == '1' then drop_erased(p, values.o) end
  return values.o
end

-- The first events of a place of the kind p (room), u (user) or r (realm): `messages` and
-- `others`, rows of its streams. What the realm has of them is the caller's.
local function drop(place, kind, messages, others)
  local p = prefix .. 'p/' .. place .. '/'
  local ordinal, ids, all = nil, {ids_of(messages), ids_of(others)}, {}
  for _, row in ipairs(messages) do ordinal = drop_message(place, p, row) end
  take_out(p .. 'messages', ids[1])
  take_out(p .. 'events', ids[2])
  for i = 1, 2 do
    for _, id in ipairs(ids[i]) do all[#all + 1] = id end
  end
  if #all == 0 then return end
  call('HDEL', p .. 'bodies', unpack(all))
  if #messages > 0 then call('HDEL', p .. 'replies', unpack(ids[1])) end
  if kind == 'r' then return end
  local state = prefix .. kind .. '/' .. place .. '/state'
  for i = 1, 2 do
    if #ids[i] > 0 then raise_id(state, 'g', ids[i][#ids[i]]) end
  end
  if ordinal then raise_number(state, 't', ordinal) end
end

-- The first `count` of two streams in order of their ids, but not from `head` on.
local function oldest_of(p, count, head)
  local from = {call('XRANGE', p .. 'messages', '-', '+', 'COUNT', count),
                call('XRANGE', p .. 'events', '-', '+', 'COUNT', count)}
  local at, rows, ids = {1, 1}, {{}, {}}, {}
  while #ids < count do
    local one, other = from[1][at[1]], from[2][at[2]]
    local i = one and not (other and is_above(one[1], other[1])) and 1 or 2
    local row = from[i][at[i]]
    if not row or row[1] == head then break end
    at[i] = at[i] + 1
    rows[i][#rows[i] + 1] = row
    ids[#ids + 1] = row[1]
  end
  return rows[1], rows[2], ids
end

local function trim_room(place, kept, limit)
  local p = prefix .. 'p/' .. place .. '/'
  local over = call('XLEN', p .. 'messages') + call('XLEN', p .. 'events') - kept
  local info = over > 0 and call('HGET', p .. 'state', 'i')
  if not info then return {0, 0} end
  local r = prefix .. 'r/' .. fields_of(info, 1)[1] .. '/'
  local messages, others, ids = oldest_of(p, math.min(over, limit), call('HGET', r .. 'state', 'h'))
  if #ids == 0 then return {0, 0} end
  drop(place, 'p', messages, others)
  call('XDEL', r .. 'events', unpack(ids))
  raise_id(r .. 'state', 'g', ids[#ids])
  return {#ids, over > #ids and 1 or 0}
end

-- Those of one realm, in its order: what stands there up to an id is what its places have.
local function trim_realm(realm, cut, limit)
  local r = prefix .. 'r/' .. realm .. '/'
  local head = call('HGET', r .. 'state', 'h')
  local kinds, ids = {}, {}
  local rows = call('XRANGE', r .. 'events', '-', string.format('(%.0f-0', cut), 'COUNT', limit)
  for _, row in ipairs(rows) do
    if row[1] == head then break end
    local where = row[2][1] == 'v' and row[2][2] or row[2][4]
    local place, kind = unpack(fields_of(where, 2))
    kinds[place] = text_of(kind)
    ids[#ids + 1] = row[1]
  end
  if #ids > 0 then
    for place, kind in pairs(kinds) do
      local p = prefix .. 'p/' .. place .. '/'
      drop(place, kind, call('XRANGE', p .. 'messages', '-', ids[#ids], 'COUNT', limit),
           call('XRANGE', p .. 'events', '-', ids[#ids], 'COUNT', limit))
    end
    call('XDEL', r .. 'events', unpack(ids))
    raise_id(r .. 'state', 'g', ids[#ids])
  end
  local first = call('XRANGE', r .. 'events', '-', '+', 'COUNT', 1)[1]
  local ms = first and parts_of(first[1])
  if not ms or (ms < cut and first[1] == head) then ms = cut + AGAIN_MS end
  return #ids, ms
end

local function trim_age(node_ms, kept_ms, limit)
  local ages, cut = prefix .. 'ages', math.min(now, node_ms) - kept_ms
  if cut <= 0 then return {0, 0} end
  local name = call('ZRANGEBYLEX', ages, '-', string.format('(%016x', cut), 'LIMIT', 0, 1)[1]
  if not name then return {0, 0} end
  local realm = string.sub(name, 33)
  local count, ms = trim_realm(realm, cut, limit)
  call('ZREM', ages, name)
  call('ZADD', ages, 0, string.format('%016x%016x', ms, 0) .. realm)
  return {count, 1}
end

local function trim_tail(kept_ms)
  local cut = now - kept_ms
  local count = cut > 0 and call('XTRIM', KEYS[2], 'MINID', '~', string.format('%.0f', cut)) or 0
  return {count, count > 0 and 1 or 0}
end

if args[1] == 'room' then
  return trim_room(args[2], number_of(args[3]), number_of(args[4]))
end
if args[1] == 'age' then
  return trim_age(number_of(args[2]), number_of(args[3]), number_of(args[4]))
end
return trim_tail(number_of(args[2]))
