-- how many, unused for how long -> now, records (see `cheesebox.commons.hours` for the arithmetic)
local limit, unused_for = tonumber(ARGV[3]), tonumber(ARGV[4])
local before = unused_for > 0 and math.floor((now - unused_for) / HOUR) or math.huge

local evicted = {}
while #evicted < limit do
  local oldest = redis.call('ZRANGE', prefix .. 'hours', 0, 0)[1]
  if not oldest or tonumber(oldest) >= before then
    break
  end
  local key = redis.call('SPOP', at('used', oldest))
  if key then
    evicted[#evicted + 1] = shown(drop(key)) or nil
  else
    redis.call('ZREM', prefix .. 'hours', oldest)
  end
end
return {now, evicted}
