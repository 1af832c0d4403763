-- Stores what commands decided, those of which every fact that was read is still so.
--
-- KEYS  1 the shard's state, 2 its journal, 3 the outcomes of this period, then what is named
-- ARGV  1 the life of this Redis, 2 deadline by its own clock in ms, 3 name of this batch,
--       4 seconds that outcomes are kept; then one command after the other: number of checks,
--       number of writes, index of its first event, number of events, the checks, the writes.
--       A key is its index in KEYS.
--   checks: what was read, and what it was; lists of names and of ids are joined by 0xFE
--   G key field was · g key field (was not there) · H key fields
--   N key after before limit desc was · R key from to limit desc was
--   E event (was stored before, in this batch) · P (the command before was done)
--   writes
--   S key field value · U key field · A key field by · Z key name · z key name · Q key from to
--   D key · X key id value · E an event, see below
--
-- A mark in a text, 0xFF kind index ';', stands for what the event of that index in this batch
-- got: i its id, h the id as a name, o the ordinal of its room. A verb whose arguments have some is
-- followed by '*'. What speaks of an event of an earlier command has a check of it first; in
-- bounds of checks, one of an event of the command itself is left as it is: above all there is.
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
local ids, ordinals = {}, {} -- of the events of this batch, by index
local heads = {}             -- the number of a realm's last event, by key
local at, is_last_done = 5, true

local function replace(kind, index)
  local id = ids[number_of(index)]
  if kind == 'o' then return ordinals[number_of(index)] end
  if kind == 'i' or not id then return id end
  local id_ms, id_seq = string.match(id, '(%d+)-(%d+)')
  return string.format('%016x%016x', id_ms, id_seq)
end

local function fill(size)
  for i = at + 1, at + size - 1 do
    if string.find(args[i], '\255', 1, true) then
      args[i] = string.gsub(args[i], '\255(%a)(%d+);', replace)
    end
  end
end

-- What stands at the present argument, and whether it has marks.
local function kind_of(kinds)
  local kind = kinds[args[at]]
  if kind then return kind, false end
  return kinds[string.sub(args[at], 1, 1)], true
end

local function key(offset)
  return KEYS[args[at + offset] + 0]
end

local function names_between()
  local from, to, limit = args[at + 2], args[at + 3], args[at + 4]
  if args[at + 5] == '1' then
    return call('ZREVRANGEBYLEX', key(1), to, from, 'LIMIT', 0, limit)
  end
  return call('ZRANGEBYLEX', key(1), from, to, 'LIMIT', 0, limit)
end

local function ids_between()
  local from, to, limit, rows = args[at + 2], args[at + 3], args[at + 4], nil
  if args[at + 5] == '1' then
    rows = call('XREVRANGE', key(1), to, from, 'COUNT', limit)
  else
    rows = call('XRANGE', key(1), from, to, 'COUNT', limit)
  end
  for i, row in ipairs(rows) do rows[i] = row[1] end
  return rows
end

-- Each: how many arguments it has with its verb, and what tells whether it holds.
local checks = {
  G = {4, function() return call('HGET', key(1), args[at + 2]) == args[at + 3] end},
  g = {3, function() return not call('HGET', key(1), args[at + 2]) end},
  H = {3, function() return call('HLEN', key(1)) == args[at + 2] + 0 end},
  N = {7, function() return table.concat(names_between(), '\254') == args[at + 6] end},
  R = {7, function() return table.concat(ids_between(), '\254') == args[at + 6] end},
  E = {2, function() return ids[args[at + 1] + 0] end},
  P = {1, function() return is_last_done end},
}

-- E index, realm, realm's stream, where, stream, meta, bodies, body, room (0: none), raises,
-- realm's name, members of the room ('-': as it says itself)
local function event()
  local index = args[at + 1] + 0
  local id, realm, room = ids[index], key(2), args[at + 9] ~= '0' and key(9)
  local ordinal, members = '0', ''
  if room and args[at + 10] == '1' then
    ordinal = string.format('%.0f', call('HINCRBY', room, 'o', 1))
    members = args[at + 12] == '-' and call('HGET', room, 'c') or '0'
  elseif room then
    local now_of = call('HMGET', room, 'o', 'c')
    ordinal, members = now_of[1] or '0', now_of[2] or '0'
  end
  if args[at + 12] ~= '-' then members = args[at + 12] end
  ordinals[index] = ordinal
  number = number + 1
  heads[realm] = (heads[realm] or call('HGET', realm, 'n') or 0) + 1
  local n = string.format('%.0f', heads[realm])
  call('HSET', realm, 'h', id, 'n', n)
  call('XADD', key(3), id, 'n', n, 'v', args[at + 4])
  call('XADD', key(5), id, 'n', n, 'o', ordinal, 'v', args[at + 6])
  call('HSET', key(7), id, args[at + 8])
  call('XADD', KEYS[2], id, 'N', number, 'r', args[at + 11], 'n', n, 'o', ordinal, 'c', members,
       'w', args[at + 4], 'v', args[at + 6], 'b', args[at + 8])
  return id, ordinal, members
end

local writes = {
  S = {4, function() call('HSET', key(1), args[at + 2], args[at + 3]) end},
  U = {3, function() call('HDEL', key(1), args[at + 2]) end},
  A = {4, function() call('HINCRBY', key(1), args[at + 2], args[at + 3]) end},
  Z = {3, function() call('ZADD', key(1), 0, args[at + 2]) end},
  z = {3, function() call('ZREM', key(1), args[at + 2]) end},
  Q = {4, function() call('ZREMRANGEBYLEX', key(1), args[at + 2], args[at + 3]) end},
  D = {2, function() call('UNLINK', key(1)) heads[key(1)] = nil end},
  X = {4, function() call('XADD', key(1), args[at + 2], 'v', args[at + 3]) end},
  E = {13, event},
}

local function failed_check(count)
  local failed
  for i = 1, count do
    local check, has_marks = kind_of(checks)
    if not failed then
      if has_marks then fill(check[1]) end
      if not check[2]() then failed = i end
    end
    at = at + check[1]
  end
  return failed
end

local function give_ids(first, count)
  for index = first, first + count - 1 do
    if now > ms then ms, seq = now, 0 else seq = seq + 1 end
    ids[index] = string.format('%.0f-%.0f', ms, seq)
  end
end

local function store(count)
  local done = {''}
  for _ = 1, count do
    local write, has_marks = kind_of(writes)
    if has_marks then fill(write[1]) end
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
  for _ = 1, count do at = at + kind_of(writes)[1] end
end

local results, is_stored, last = {now}, false, #args
local function run()
  while at <= last do
    local check_count, write_count = number_of(args[at]), number_of(args[at + 1])
    local first_event, event_count = number_of(args[at + 2]), number_of(args[at + 3])
    at = at + 4
    local result = failed_check(check_count)
    is_last_done = not result
    if result then
      pass(write_count)
    else
      give_ids(first_event, event_count)
      result = store(write_count)
      is_stored = true
    end
    results[#results + 1] = result
  end
end

-- What fails halfway (a key of another type) must not give an id a second time.
local is_whole, problem = pcall(run)
if ms ~= number_of(state[2]) or seq ~= number_of(state[3]) then
  call('HSET', KEYS[1], 'ms', string.format('%.0f', ms), 'seq', string.format('%.0f', seq),
       'number', string.format('%.0f', number))
end
if not is_whole then return type(problem) == 'table' and problem or {err = problem} end
if is_stored then
  call('HSET', KEYS[3], args[3], cjson.encode(results))
  call('EXPIRE', KEYS[3], args[4])
end
return results
