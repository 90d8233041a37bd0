-- key, token, length of the lease -> 1 if it is held
local lease = lease_of(ARGV[3])
if lease and lease.token == tonumber(ARGV[4]) then
  return redis.call('PEXPIRE', at('l', ARGV[3]), ARGV[5])
end
return 0
