-- key, token, how long it is remembered
local key, token = ARGV[3], tonumber(ARGV[4])
if may_publish(key, token) then
  drop(key)
  redis.call('SET', at('absent', key), '', 'PX', ARGV[5])
  finish(key, token)
  announce('published', key)
end
