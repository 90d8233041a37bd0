-- key, token, name, size, age of the validation, age of the body, facts -> 1 if it is taken
local key, token, name = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local standing = read(key)
local stands = standing and standing.name == name
-- The same comes twice when the connection broke before the first answer was read.
local again = stands and standing.token == token
if not again and not may_publish(key, token) then
  if not stands then
    discard(name)
  end
  return 0
end
keep(key, token, name, ARGV[6], ARGV[7], ARGV[8], ARGV[9])
finish(key, token)
announce('published', key)
return 1
