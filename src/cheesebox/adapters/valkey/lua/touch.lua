-- keys
for position = 3, #ARGV do
  local hour = redis.call('HGET', at('o', ARGV[position]), 'hour')
  if hour then
    use(ARGV[position], hour)
  end
end
