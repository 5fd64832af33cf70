-- KEYS: a counter. ARGV: channel, messages. The counter is there to be written.
redis.call('INCR', KEYS[1])
for number = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[number]) end
return 1
