-- Forgets all that was sent to a conversation, as an operator wishes.
-- KEYS: the conversation's replies.
-- ARGV: now, grace, the longest window (µs).
-- Answer: time.
local r = redis.call('HMGET', KEYS[1], 'newest', 'pardon')
local newest, pardon = tonumber(r[1]), tonumber(r[2])
-- It comes after all that was sent, in the same µs too.
local at = now
if newest and newest >= at then at = newest + 1 end
if pardon and pardon >= at then at = pardon + 1 end
redis.call('HSET', KEYS[1], 'pardon', numeral(at))
keep(KEYS[1], tonumber(ARGV[3]))
return {now}
