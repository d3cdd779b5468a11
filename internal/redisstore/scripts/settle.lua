-- Ends the flight of messages: they count for the bot, or were never there. May
-- be run again: it changes nothing then.
-- KEYS: for each hold: confirmed, in flight.
-- ARGV: now, grace, name of the reservation, time (µs) or 0 for now, 1 when
-- created, and for the identical rule, the consecutive one and their candidates:
-- messages, window (µs); then for each hold: rule (1 to 4), messages.
local name, at, created = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
if at == 0 then at = now end
for a = 14, #ARGV, 2 do
	local h, rule = a - 13, tonumber(ARGV[a])
	local kept, sent = KEYS[h], KEYS[h + 1]
	local messages, window = tonumber(ARGV[4 + 2 * rule]), tonumber(ARGV[5 + 2 * rule])
	for i = 1, tonumber(ARGV[a + 1]) do
		local member = name .. (i > 1 and i or '')
		redis.call('ZREM', sent, member)
		if created and i <= messages and now - at < window then redis.call('ZADD', kept, numeral(at), member) end
	end
	if created and now - at < window then
		redis.call('ZREMRANGEBYRANK', kept, 0, -(messages + 1))
		redis.call('ZREMRANGEBYSCORE', kept, '-inf', numeral(now - window))
		keep(kept, window)
	end
end
return {now}
