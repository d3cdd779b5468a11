-- Tells which requests count for a key, and changes nothing.
-- KEYS: of the limit, then of its candidate, as far as they apply.
-- ARGV: now, grace, and for each key: the window (µs).
-- Answer: time, present of the counts, and for each key: how many, their times,
-- the oldest first.
local clock, found = now, {}
for i, key in ipairs(KEYS) do
	found[i] = redis.call('LRANGE', key, 0, -1)
	local newest = tonumber(found[i][#found[i]])
	if newest and newest - now > tonumber(ARGV[2 + i]) then -- not by this clock: it was set back
		found[i] = {}
	end
end
for _, times in ipairs(found) do -- time never runs backwards within a key
	now = math.max(now, tonumber(times[#times] or 0))
end

local answer = {clock, now}
for i, times in ipairs(found) do
	answer[#answer + 1] = 0
	local n = #answer
	for _, at in ipairs(times) do
		if now - tonumber(at) < tonumber(ARGV[2 + i]) then answer[#answer + 1] = tonumber(at) end
	end
	answer[n] = #answer - n
end
return answer
