-- Makes the present life of a shard: the stretch of time in which one server held all of it.
--
-- KEYS  1 the shard's state, 2 its journal
-- ARGV  1 the life that begins, 2 how far ids move ahead when it is another one, in ms,
--       3 how many place numbers are wanted
-- Gives {clock, last id, number of the journal's last entry, first of the place numbers}
--
-- Another server may have given ids, and places, that this one never heard of: the first id of a
-- life lies above all that clients can have seen, and so do its places. Those who tail the
-- journal find an entry with the fields l (the life) and a (the last id before it).
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local state = call('HMGET', KEYS[1], 'life', 'ms', 'seq', 'number')

local function answer(id, number)
  local places = call('HINCRBY', KEYS[1], 'places', ARGV[3])
  return {now, id, number, string.format('%.0f', places - ARGV[3] + 1)}
end

local last = (state[2] or '0') .. '-' .. (state[3] or '0')
if state[1] == ARGV[1] then return answer(last, state[4]) end
if not state[1] then
  call('HSET', KEYS[1], 'life', ARGV[1], 'ms', 0, 'seq', 0, 'number', 0)
  return answer('0-0', '0')
end
local ms = string.format('%.0f', math.max(now + tonumber(ARGV[2]), tonumber(state[2]) + 1))
local id = ms .. '-0'
local number = string.format('%.0f', tonumber(state[4]) + 1)
call('HSET', KEYS[1], 'life', ARGV[1], 'ms', ms, 'seq', 0, 'number', number)
call('HINCRBY', KEYS[1], 'places', 1000000)
call('XADD', KEYS[2], id, 'N', number, 'l', ARGV[1], 'a', last)
return answer(id, number)
