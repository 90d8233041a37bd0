-- key, token
if finish(ARGV[3], tonumber(ARGV[4])) then
  announce('published', ARGV[3])
end
