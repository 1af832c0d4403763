-- Stores what commands decided, those of which every fact that was read is still so.
--
-- KEYS  1 the shard's state, 2 its journal, 3 the outcomes of this period, then what is named
-- ARGV  1 the life of this Redis, 2 deadline by its own clock in ms, 3 name of this batch,
--       4 seconds that outcomes are kept; then one command after the other: number of checks,
--       number of writes, index of its first event, number of events, the checks, the writes.
--       A key is its index in KEYS.
--   checks: what was read, and what it was: '-' nothing, '=…' that text, or names joined by 0xFE
--   G key field was · H key fields · N key after before limit desc was
--   R key from to limit desc was · E event (was stored before, in this batch) · P (the command
--   before was done)
--   writes
--   S key field value · U key field · A key field by · Z key name · z key name · Q key from to
--   D key · X key id value · E an event, see below
--
-- A mark in a text, 0xFF kind index ';', stands for what the event of that index in this batch
-- got: i its id, h the id as a name, o the ordinal of its room. What speaks of an event of an
-- earlier command has a check of it first; in bounds of checks, one of an event of the command
-- itself is left as it is: above all that there is.
--
-- Gives {clock, 'life', life} or {clock, 'late'}; else {clock, command, …}: the number of the
-- check that failed, or {members, id, ordinal, id, ordinal, …} of its events. The members are
-- those of the room of the last one, '' if it is about none.
local call, args, number_of = redis.call, ARGV, tonumber
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local earlier = call('HGET', KEYS[3], args[3])
if earlier then return cjson.decode(earlier) end
local state = call('HMGET', KEYS[1], 'life', 'ms', 'seq', 'number')
if state[1] ~= args[1] then return {now, 'life', state[1] or ''} end
if now > number_of(args[2]) then return {now, 'late'} end
local ms, seq, number = number_of(state[2]), number_of(state[3]), number_of(state[4])
local ids, names, ordinals = {}, {}, {}
local at = 5
local last_done = '1'

local function replace(kind, index)
  local of = kind == 'i' and ids or kind == 'h' and names or ordinals
  return of[number_of(index)]
end

local function fill(text)
  if not string.find(text, '\255', 1, true) then return text end
  return (string.gsub(text, '\255(%a)(%d+);', replace))
end

local function key(offset)
  return KEYS[number_of(args[at + offset])]
end

local function ids_of(rows)
  local found = {}
  for i, row in ipairs(rows) do found[i] = row[1] end
  return table.concat(found, '\254')
end

local checks = {
  G = {4, function()
    local value = call('HGET', key(1), fill(args[at + 2]))
    return value and '=' .. value or '-'
  end},
  H = {3, function() return tostring(call('HLEN', key(1))) end},
  N = {7, function()
    local from, to, limit = fill(args[at + 2]), fill(args[at + 3]), args[at + 4]
    if args[at + 5] == '1' then
      return table.concat(call('ZREVRANGEBYLEX', key(1), to, from, 'LIMIT', 0, limit), '\254')
    end
    return table.concat(call('ZRANGEBYLEX', key(1), from, to, 'LIMIT', 0, limit), '\254')
  end},
  R = {7, function()
    local from, to, limit = fill(args[at + 2]), fill(args[at + 3]), args[at + 4]
    if args[at + 5] == '1' then
      return ids_of(call('XREVRANGE', key(1), to, from, 'COUNT', limit))
    end
    return ids_of(call('XRANGE', key(1), from, to, 'COUNT', limit))
  end},
  E = {2, function() return ids[number_of(args[at + 1])] and args[at + 1] end},
  P = {2, function() return last_done end},
}

-- E index, realm, realm's stream, where, stream, meta, bodies, body, room (0: none), raises,
-- realm's name, members of the room ('-': as it says itself)
local function event()
  local index = number_of(args[at + 1])
  local id, realm, room = ids[index], key(2), args[at + 9] ~= '0' and key(9)
  local ordinal, members = '0', ''
  if room and args[at + 10] == '1' then
    ordinal = string.format('%.0f', call('HINCRBY', room, 'o', 1))
    members = call('HGET', room, 'c') or '0'
  elseif room then
    local now_of = call('HMGET', room, 'o', 'c')
    ordinal, members = now_of[1] or '0', now_of[2] or '0'
  end
  if args[at + 12] ~= '-' then members = args[at + 12] end
  ordinals[index] = ordinal
  number = number + 1
  local n = call('HINCRBY', realm, 'n', 1)
  local meta = fill(args[at + 6])
  call('HSET', realm, 'h', id)
  call('XADD', key(3), id, 'n', n, 'v', args[at + 4])
  call('XADD', key(5), id, 'n', n, 'o', ordinal, 'v', meta)
  call('HSET', key(7), id, args[at + 8])
  call('XADD', KEYS[2], id, 'N', number, 'r', args[at + 11], 'n', n, 'o', ordinal, 'c', members,
       'w', args[at + 4], 'v', meta, 'b', args[at + 8])
  return id, ordinal, members
end

local writes = {
  S = {4, function() call('HSET', key(1), fill(args[at + 2]), fill(args[at + 3])) end},
  U = {3, function() call('HDEL', key(1), fill(args[at + 2])) end},
  A = {4, function() call('HINCRBY', key(1), fill(args[at + 2]), args[at + 3]) end},
  Z = {3, function() call('ZADD', key(1), 0, fill(args[at + 2])) end},
  z = {3, function() call('ZREM', key(1), fill(args[at + 2])) end},
  Q = {4, function() call('ZREMRANGEBYLEX', key(1), fill(args[at + 2]), fill(args[at + 3])) end},
  D = {2, function() call('UNLINK', key(1)) end},
  X = {4, function() call('XADD', key(1), fill(args[at + 2]), 'v', fill(args[at + 3])) end},
  E = {13, event},
}

local function holds(count)
  local failed
  for i = 1, count do
    local check = checks[args[at]]
    if not failed and check[2]() ~= fill(args[at + check[1] - 1]) then failed = i end
    at = at + check[1]
  end
  return failed
end

local function give_ids(first, count)
  for index = first, first + count - 1 do
    if now > ms then ms, seq = now, 0 else seq = seq + 1 end
    ids[index] = string.format('%.0f-%.0f', ms, seq)
    names[index] = string.format('%016x%016x', ms, seq)
  end
end

local function store(count)
  local done = {''}
  for _ = 1, count do
    local write = writes[args[at]]
    local id, ordinal, members = write[2]()
    if id then
      done[1] = members
      done[#done + 1] = id
      done[#done + 1] = ordinal
    end
    at = at + write[1]
  end
  return done
end

local function pass(count)
  for _ = 1, count do at = at + writes[args[at]][1] end
end

local results, stored = {now}, false
local function run()
  while at <= #args do
    local check_count, write_count = number_of(args[at]), number_of(args[at + 1])
    local first_event, event_count = number_of(args[at + 2]), number_of(args[at + 3])
    at = at + 4
    local result = holds(check_count)
    if result then
      pass(write_count)
      last_done = '0'
    else
      last_done = '1'
      give_ids(first_event, event_count)
      result = store(write_count)
      stored = true
    end
    results[#results + 1] = result
  end
end

-- What fails halfway (a key of another type) must not give an id a second time.
local whole, problem = pcall(run)
if ms ~= number_of(state[2]) or seq ~= number_of(state[3]) then
  call('HSET', KEYS[1], 'ms', string.format('%.0f', ms), 'seq', string.format('%.0f', seq),
       'number', string.format('%.0f', number))
end
if not whole then return type(problem) == 'table' and problem or {err = problem} end
if stored then
  call('HSET', KEYS[3], args[3], cjson.encode(results))
  call('EXPIRE', KEYS[3], args[4])
end
return results
