-- KEYS: lease, fence, members. ARGV: 'look' or 'take', the lease's value, the longest that may be left of it in ms, its member, that
-- member's channel, the run it was taken in; to take it: member, holder, time in ms, 'provable' as in acquire.lua.
-- Returns 1, and the new value where it was taken; or 0 where the holder is not proven dead.
if redis.call('GET', KEYS[1]) ~= ARGV[2] or redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then return {0, '', 0} end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if run ~= ARGV[6] or redis.call('PUBSUB', 'NUMSUB', ARGV[5])[2] ~= 0 then return {0, '', 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local beats_until = redis.call('ZSCORE', KEYS[3], ARGV[4])
if beats_until and tonumber(beats_until) > now then return {0, '', 0} end
if ARGV[1] == 'look' then return {1, '', 0} end
local fence = redis.call('INCR', KEYS[2])
local value = fence .. ':' .. ARGV[7] .. ' ' .. (ARGV[10] == 'provable' and run or '-') .. ' ' .. ARGV[8]
redis.call('SET', KEYS[1], value, 'PX', ARGV[9])
return {fence, value, tonumber(ARGV[9])}
