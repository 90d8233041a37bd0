-- what is told of the change, keys
for position = 4, #ARGV do
  drop(ARGV[position])
  redis.call('DEL', at('absent', ARGV[position]))
end
announce('removed', ARGV[3])
