-- KEYS: record, lease. ARGV: version read (8 bytes), new value, life in ms or 0, channel, message, lease's value.
if redis.call('GET', KEYS[2]) ~= ARGV[6] then return 0 end
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
redis.call('PUBLISH', ARGV[4], ARGV[5])
if ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
