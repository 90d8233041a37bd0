-- What all scripts begin with.
--
-- KEYS[1] is the prefix of all keys of a namespace. They share its hash tag, so that they lie in one slot
-- and a script may reach them all. ARGV[1] and ARGV[2] are the same for all scripts; a script's own
-- arguments follow. Times are the server's, in milliseconds; numbers stay below 2^53, where they are exact.

local prefix = KEYS[1]
local grace, changes_kept = tonumber(ARGV[1]), ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local HOUR = 3600000

-- Lua's own conversion keeps 14 digits only. Adding zero makes zero of "-0", which is no integer to commands.
local function text(number)
  return string.format('%.0f', number + 0)
end

local this_hour = text(math.floor(now / HOUR))

local function at(kind, name)
  return prefix .. kind .. ':' .. name
end

-- Records

local function read(key)
  local found = redis.call('HMGET', at('o', key),
    'name', 'size', 'token', 'validated', 'fetched', 'hour', 'facts')
  if not found[1] then
    return nil
  end
  return {
    key = key,
    name = found[1],
    size = tonumber(found[2]),
    token = tonumber(found[3]),
    validated = tonumber(found[4]),
    fetched = tonumber(found[5]),
    hour = found[6],
    facts = found[7],
  }
end

local function shown(record)
  if not record then
    return false
  end
  return {record.key, record.name, record.size, record.validated, record.fetched, record.facts}
end

local function count(size, entries)
  redis.call('HINCRBY', prefix .. 'totals', 'size', text(size))
  redis.call('HINCRBY', prefix .. 'totals', 'entries', entries)
end

local function discard(name)
  redis.call('ZADD', prefix .. 'garbage', text(now + grace), name)
end

-- `before` is the hour whose set has the key, if any. Within an hour there is nothing to do.
local function use(key, before)
  if before == this_hour then
    return
  end
  if before then
    redis.call('SREM', at('used', before), key)
  end
  redis.call('SADD', at('used', this_hour), key)
  redis.call('ZADD', prefix .. 'hours', this_hour, this_hour)
  redis.call('HSET', at('o', key), 'hour', this_hour)
end

local function keep(key, token, name, size, validated_age, fetched_age, facts)
  local standing = read(key)
  if standing and standing.name ~= name then
    discard(standing.name)
  end
  redis.call('ZREM', prefix .. 'garbage', name)
  redis.call('DEL', at('absent', key))
  redis.call('HSET', at('o', key),
    'name', name,
    'size', size,
    'token', text(token),
    'validated', text(now - validated_age),
    'fetched', text(now - fetched_age),
    'facts', facts)
  count(size - (standing and standing.size or 0), standing and 0 or 1)
  use(key, standing and standing.hour)
end

local function drop(key)
  local record = read(key)
  if record then
    redis.call('DEL', at('o', key))
    redis.call('SREM', at('used', record.hour), key)
    count(-record.size, -1)
    discard(record.name)
  end
  return record
end

-- Leases

-- Rising also when the server lost its data, or a replica that lags took over: never below the time.
local function next_token()
  local last = tonumber(redis.call('GET', prefix .. 'tokens') or '0')
  local token = math.max(last + 1, time[1] * 1000000 + time[2])
  redis.call('SET', prefix .. 'tokens', text(token))
  return token
end

local function lease_of(key)
  local value = redis.call('GET', at('l', key))
  if not value then
    return nil
  end
  local token, claim, holder = string.match(value, '^(%d+) (%S+) (.*)$')
  return {token = tonumber(token), claim = claim, holder = holder}
end

-- Whether a token belongs to the last lease of its key, as far as can be known.
local function may_publish(key, token)
  local lease = lease_of(key)
  if lease then
    return lease.token == token
  end
  local record = read(key)
  return not record or record.token < token
end

local function finish(key, token)
  local lease = lease_of(key)
  if lease and lease.token == token then
    redis.call('DEL', at('l', key))
    return true
  end
  return false
end

-- Changes are numbered without gaps within an epoch, which begins when there is no number yet: so a reader
-- knows whether it missed some.
local function announce(kind, what)
  redis.call('HSETNX', prefix .. 'head', 'epoch', text(now))
  local epoch = redis.call('HGET', prefix .. 'head', 'epoch')
  local number = redis.call('HINCRBY', prefix .. 'head', 'number', 1)
  redis.call('XADD', prefix .. 'changes', 'MAXLEN', '~', changes_kept,
    epoch .. '-' .. text(number), kind, what)
end

