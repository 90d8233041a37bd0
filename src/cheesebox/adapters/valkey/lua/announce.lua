-- kind, what
announce(ARGV[3], ARGV[4])
