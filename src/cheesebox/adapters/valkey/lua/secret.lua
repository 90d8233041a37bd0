-- a proposal -> what holds
redis.call('SET', prefix .. 'secret', ARGV[3], 'NX')
return redis.call('GET', prefix .. 'secret')
