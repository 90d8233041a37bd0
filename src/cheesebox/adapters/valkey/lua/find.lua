-- key -> now, record
return {now, shown(read(ARGV[3]))}
