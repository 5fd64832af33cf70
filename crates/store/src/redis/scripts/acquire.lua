-- KEYS: lease, fence. ARGV: holder, time in ms. Returns the fencing number, or 0 while somebody holds the lease.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return fence
