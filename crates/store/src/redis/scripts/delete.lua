-- KEYS: record. ARGV: channel, message.
redis.call('PUBLISH', ARGV[1], ARGV[2])
redis.call('DEL', KEYS[1])
return 1
