-- KEYS: lease, fence. ARGV: member, holder, time in ms, 'provable' where the member's subscription stands here.
-- Returns the fencing number and the lease's value; or 0, the value of the lease that is held, what is left of it in ms.
local held = redis.call('GET', KEYS[1])
if held then return {0, held, redis.call('PTTL', KEYS[1])} end
local run = '-'
if ARGV[4] == 'provable' then run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or '-' end
local fence = redis.call('INCR', KEYS[2])
local value = fence .. ':' .. ARGV[1] .. ' ' .. run .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
return {fence, value, tonumber(ARGV[3])}
