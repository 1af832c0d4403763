-- Reads what a node asks for, all in one snapshot. Changes nothing.
--
-- KEYS  what the asks are about
-- ARGV  one ask after the other: verb, index of its key, arguments
--   G field                     a field of a hash
--   L                           all fields: field, value, …
--   H                           how many fields
--   N after before limit desc   names of a sorted set; bounds as ZRANGEBYLEX has them
--   C after before              how many
--   J key                       how many names the two sorted sets share
--   R from to limit desc n k…   entries of a stream: id, the entry's number, ordinal and value,
--                               and the fields named id of n hashes; '' for what an entry lacks
-- Gives {milliseconds of the clock, answer, …}; false for what is not there.
local call = redis.call
local clock = call('TIME')
local found = {clock[1] * 1000 + math.floor(clock[2] / 1000)}
local at = 1

local function key(offset)
  return KEYS[tonumber(ARGV[at + offset])]
end

local function entries()
  local with = tonumber(ARGV[at + 6])
  local down = ARGV[at + 5] == '1'
  local first, last = ARGV[at + 2], ARGV[at + 3]
  local rows
  if down then
    rows = call('XREVRANGE', key(1), last, first, 'COUNT', ARGV[at + 4])
  else
    rows = call('XRANGE', key(1), first, last, 'COUNT', ARGV[at + 4])
  end
  local flat = {}
  for _, row in ipairs(rows) do
    local n, o, v = '', '', ''
    for i = 1, #row[2], 2 do
      local name, value = row[2][i], row[2][i + 1]
      if name == 'n' then n = value elseif name == 'o' then o = value else v = value end
    end
    flat[#flat + 1] = row[1]
    flat[#flat + 1] = n
    flat[#flat + 1] = o
    flat[#flat + 1] = v
    for i = 1, with do
      flat[#flat + 1] = call('HGET', key(6 + i), row[1])
    end
  end
  at = at + 7 + with
  return flat
end

local verbs = {
  G = function() at = at + 3; return call('HGET', KEYS[tonumber(ARGV[at - 2])], ARGV[at - 1]) end,
  L = function() at = at + 2; return call('HGETALL', KEYS[tonumber(ARGV[at - 1])]) end,
  H = function() at = at + 2; return call('HLEN', KEYS[tonumber(ARGV[at - 1])]) end,
  N = function()
    local from, to, limit = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local down, names = ARGV[at + 5] == '1', key(1)
    at = at + 6
    if down then return call('ZREVRANGEBYLEX', names, to, from, 'LIMIT', 0, limit) end
    return call('ZRANGEBYLEX', names, from, to, 'LIMIT', 0, limit)
  end,
  C = function()
    at = at + 4
    return call('ZLEXCOUNT', KEYS[tonumber(ARGV[at - 3])], ARGV[at - 2], ARGV[at - 1])
  end,
  J = function()
    at = at + 3
    local one, other = KEYS[tonumber(ARGV[at - 2])], KEYS[tonumber(ARGV[at - 1])]
    return call('ZINTERCARD', 2, one, other)
  end,
  R = entries,
}

while at <= #ARGV do
  found[#found + 1] = verbs[ARGV[at]]()
end
return found
