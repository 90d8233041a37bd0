-- role, node, for how long -> 1 if the node leads
local leader = redis.call('GET', at('lead', ARGV[3]))
if leader and leader ~= ARGV[4] then
  return 0
end
redis.call('SET', at('lead', ARGV[3]), ARGV[4], 'PX', ARGV[5])
return 1
