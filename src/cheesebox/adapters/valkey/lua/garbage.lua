-- how many -> names
return redis.call('ZRANGEBYSCORE', prefix .. 'garbage', '-inf', text(now), 'LIMIT', 0, ARGV[3])
