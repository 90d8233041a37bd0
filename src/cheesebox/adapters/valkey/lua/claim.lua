-- key, greatest age or '', length of the lease, name of this claim, URL of the node -> now, outcome, …
local key, max_age, length, claim, holder = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]

local record = read(key)
if record and (not max_age or now - record.validated <= max_age) then
  return {now, 'known', shown(record)}
end
if redis.call('EXISTS', at('absent', key)) == 1 then
  return {now, 'absent'}
end
local lease = lease_of(key)
if lease and lease.claim ~= claim then
  return {now, 'taken', shown(record), lease.holder}
end
-- The same claim comes twice when the connection broke before the first answer was read.
local token = text(lease and lease.token or next_token())
redis.call('SET', at('l', key), token .. ' ' .. claim .. ' ' .. holder, 'PX', length)
return {now, 'granted', shown(record), token}
