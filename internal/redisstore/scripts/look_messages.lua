-- Tells which messages to a conversation count for a bot, and changes nothing. It
-- reads as reserve.lua does.
-- KEYS: the conversation's replies, and for each rule: confirmed, in flight.
-- ARGV: now, grace, bot, and for each rule: its number (1 to 4), the window (µs).
-- Answer: time, present of the counts, and for each key of a rule: how many,
-- their times, the oldest first.
local clock, bot, rules = now, ARGV[3], {}
local r = redis.call('HMGET', KEYS[1], 'newest', 'author', 'other', 'pardon')
for i = 4, #ARGV, 2 do
	local rule = {window = tonumber(ARGV[i + 1]), since = 0}
	-- What is ahead by more than a window is not by this clock: it was set back.
	local newest, pardon = tonumber(r[1]), tonumber(r[4])
	if pardon and pardon - now <= rule.window then
		rule.since = pardon
		if pardon >= now then now = pardon + 1 end
	end
	if newest and newest - now <= rule.window and tonumber(ARGV[i]) % 2 == 0 then
		if newest >= now then now = newest + 1 end
		if r[2] ~= '' and r[2] == bot then newest = tonumber(r[3]) end
		rule.since = math.max(rule.since, newest or 0)
	end
	rules[#rules + 1] = rule
end

local answer = {clock, now}
for i, rule in ipairs(rules) do
	local after = '(' .. numeral(math.max(now - rule.window, rule.since))
	for k = 2 * i, 2 * i + 1 do
		local found = redis.call('ZRANGEBYSCORE', KEYS[k], after, '+inf', 'WITHSCORES')
		answer[#answer + 1] = #found / 2
		for j = 2, #found, 2 do answer[#answer + 1] = tonumber(found[j]) end
	end
end
return answer
