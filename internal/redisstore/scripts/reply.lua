-- Learns of a reply: the newest one, and the newest by somebody else, because an
-- author's reply means nothing to the author.
-- KEYS: the conversation's replies.
-- ARGV: now, grace, author or '', when: ago (µs), when: by the clock of who
-- reported it (µs since 1970) or 0, the window (µs) of the consecutive rule.
-- Answer: time, 1 when it was news.
local author, ago, wall, window = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local at = wall
if at == 0 then at = now - ago end
if at > now then at = now end
local r = redis.call('HMGET', KEYS[1], 'newest', 'author', 'other')
local newest, by, other = tonumber(r[1]), r[2], tonumber(r[3])
if newest and newest - now > window then -- not by this clock: it was set back
	redis.call('HDEL', KEYS[1], 'newest', 'author', 'other')
	newest = nil
end
if at == now and newest and newest >= now then at = newest + 1 end -- it comes after all that was sent
if at <= now - window then return {now, 0} end
if not newest then
	redis.call('HSET', KEYS[1], 'newest', numeral(at), 'author', author)
	redis.call('HDEL', KEYS[1], 'other')
elseif at > newest then
	if author ~= by then redis.call('HSET', KEYS[1], 'author', author, 'other', numeral(newest)) end
	redis.call('HSET', KEYS[1], 'newest', numeral(at))
elseif by ~= '' and author ~= by and (not other or at > other) then
	redis.call('HSET', KEYS[1], 'other', numeral(at))
else
	return {now, 0}
end
if redis.call('PTTL', KEYS[1]) < window / 1000 then keep(KEYS[1], window) end -- an operator's reset may stay longer
return {now, 1}
