-- KEYS: record. ARGV: value read, new value. Nobody is told: it says the same.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
