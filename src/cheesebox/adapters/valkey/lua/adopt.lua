-- key, name, size, age of the validation, age of the body, facts -> 1 if it is taken
local key, name = ARGV[3], ARGV[4]

local standing = read(key)
if standing then
  return standing.name == name and 1 or 0
end
if redis.call('EXISTS', at('absent', key)) == 1 or redis.call('ZSCORE', prefix .. 'garbage', name) then
  return 0
end
-- Below all tokens: whoever fetches the key at the moment may publish.
keep(key, 0, name, ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return 1
