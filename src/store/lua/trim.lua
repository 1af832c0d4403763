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

-- Packed fields end with NUL. Of a message: whether it is deleted, messageId, threadId; the sender.
local FIELD = '[^%z]*%z'
local TEXTS_OF = '^([^%z]*)%z' .. string.rep(FIELD, 5) .. '([^%z]*)%z([^%z]*)%z'
local SENDER_OF = '^' .. string.rep(FIELD, 3) .. '([^%z]*)%z'
local FIRST_OF = '^[^%z]*'

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

-- Of an entry's few fields.
local function value_of(row, name)
  local fields = row[2]
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

local function ids_of(rows)
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row[1] end
  return ids
end

-- Removes the first entries of a stream, up to an id; one that has none left goes itself. Returns
-- whether it did. (Far cheaper than to delete them one by one.)
local function trim_stream(stream, upto)
  local ms, seq = parts_of(upto)
  call('XTRIM', stream, 'MINID', string.format('%.0f-%.0f', ms, seq + 1))
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

-- What was said of messages afterwards.
local function drop_marks(p, ids)
  local edits = call('EXISTS', p .. 'edits') == 1
  local mentioned = call('EXISTS', p .. 'mentioned') == 1
  local reactions = call('EXISTS', p .. 'reactions') == 1
  for _, id in ipairs(ids) do
    local name = (edits or mentioned) and name_of(id)
    if edits then call('ZREMRANGEBYLEX', p .. 'edits', '[' .. name, '[' .. name .. '~') end
    if mentioned then drop_mentions(p, name) end
    if reactions and call('HDEL', p .. 'reactions', id) == 1 then
      call('UNLINK', p .. 'reacted/' .. id, p .. 'reactors/' .. id)
    end
  end
  call('HDEL', p .. 'replies', unpack(ids))
end

-- A messageId may be that of a later message by now.
local function drop_names(p, names, ids)
  local gone = {}
  for i, named in ipairs(call('HMGET', p .. 'ids', unpack(names))) do
    if named and string.match(named, FIRST_OF) == ids[i] then gone[#gone + 1] = names[i] end
  end
  if #gone > 0 then call('HDEL', p .. 'ids', unpack(gone)) end
end

local function drop_sent(room, p, sender, upto)
  if trim_stream(p .. 'sent/' .. sender, upto) then
    call('HDEL', prefix .. 'u/' .. sender .. '/wrote', room)
  end
end

local function drop_replies(p, thread, upto, count)
  if trim_stream(p .. 'thread/' .. thread, upto) then
    call('HDEL', p .. 'threads', thread)
  elseif count > 0 then
    call('HINCRBY', p .. 'threads', thread, -count)
  end
end

-- What hangs on the first messages of a room. Returns the ordinal of the last one.
local function drop_messages(room, p, rows, ids)
  local names, senders, threads, ordinal = {}, {}, {}, nil
  local bodies = call('HMGET', p .. 'bodies', unpack(ids))
  for i, row in ipairs(rows) do
    local deleted, name, thread = string.match(bodies[i] or '', TEXTS_OF)
    ordinal, thread = value_of(row, 'o'), text_of(thread)
    names[i] = text_of(name) or ''
    senders[string.match(value_of(row, 'v'), SENDER_OF)] = ids[i]
    if thread then
      local count = threads[thread] and threads[thread].count or 0
      threads[thread] = {id = ids[i], count = count + (deleted == '1' and 0 or 1)}
    end
    if deleted == '1' then drop_erased(p, ordinal) end
  end
  drop_names(p, names, ids)
  for sender, id in pairs(senders) do drop_sent(room, p, sender, id) end
  for thread, last in pairs(threads) do drop_replies(p, thread, last.id, last.count) end
  drop_marks(p, ids)
  return ordinal
end

-- The first events of a place of the kind p (room), u (user) or r (realm): `messages` and
-- `others`, rows of its streams. What the realm has of them is the caller's.
local function drop(place, kind, messages, others)
  local p = prefix .. 'p/' .. place .. '/'
  local state = prefix .. kind .. '/' .. place .. '/state'
  local ids = {messages = ids_of(messages), events = ids_of(others)}
  local ordinal = #messages > 0 and drop_messages(place, p, messages, ids.messages)
  for stream, of in pairs(ids) do
    if #of > 0 then
      trim_stream(p .. stream, of[#of])
      call('HDEL', p .. 'bodies', unpack(of))
      if kind ~= 'r' then raise_id(state, 'g', of[#of]) end
    end
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
  local r = prefix .. 'r/' .. string.match(info, FIRST_OF) .. '/'
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
    local place, kind = string.match(value_of(row, 'v'), '^(%d+)%z=(%a)%z')
    kinds[place] = kind
    ids[#ids + 1] = row[1]
  end
  if #ids > 0 then
    for place, kind in pairs(kinds) do
      local p = prefix .. 'p/' .. place .. '/'
      drop(place, kind, call('XRANGE', p .. 'messages', '-', ids[#ids]),
           call('XRANGE', p .. 'events', '-', ids[#ids]))
    end
    trim_stream(r .. 'events', ids[#ids])
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
