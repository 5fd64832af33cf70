-- KEYS: members. ARGV: member, lease in ms, channel, message. The clock is the server's own, so that replicas' clocks do not matter.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 60000)
redis.call('PEXPIRE', KEYS[1], 120000)
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
