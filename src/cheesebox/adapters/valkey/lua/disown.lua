-- key, name
local record = read(ARGV[3])
if record and record.name == ARGV[4] then
  drop(ARGV[3])
end
