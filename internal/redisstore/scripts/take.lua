-- Decides one request for one or two keys together: refused by one, charged to
-- none. A key is a list of admitted times, oldest first.
-- KEYS: one for each rule that applies, the address's before the API key's; then
-- of their candidates, which are rules in shadow mode.
-- ARGV: now, grace, and for each key: requests, window (µs), 1 in shadow mode.
-- Answer: time, admitted, and for each key: used, over, wait (µs), reset (µs).
local keys = {}
for i, key in ipairs(KEYS) do
	local k = {key = key, requests = tonumber(ARGV[3 * i]), window = tonumber(ARGV[3 * i + 1]), shadow = ARGV[3 * i + 2] == '1'}
	local newest = tonumber(redis.call('LINDEX', key, -1))
	if newest and newest - now > k.window then -- not by this clock: it was set back
		redis.call('DEL', key)
		newest = nil
	end
	k.newest = newest
	keys[i] = k
end
for _, k in ipairs(keys) do -- time never runs backwards within a key
	if k.newest and k.newest > now then now = k.newest end
end

local admitted = 1
for _, k in ipairs(keys) do
	k.used, k.over, k.wait, k.reset = 0, 0, 0, 0
	if k.newest and now - k.newest >= k.window then
		redis.call('DEL', k.key)
	elseif k.newest then
		local oldest = tonumber(redis.call('LINDEX', k.key, 0))
		while now - oldest >= k.window do -- each time is dropped once
			redis.call('LPOP', k.key)
			oldest = tonumber(redis.call('LINDEX', k.key, 0))
		end
		k.used = redis.call('LLEN', k.key)
		k.reset = oldest + k.window - now
		if k.used >= k.requests then
			k.over = 1
			k.wait = tonumber(redis.call('LINDEX', k.key, k.used - k.requests)) + k.window - now
			if not k.shadow then admitted = 0 end
		end
	end
end

local answer = {now, admitted}
for _, k in ipairs(keys) do
	if admitted == 1 and k.over == 0 then
		redis.call('RPUSH', k.key, numeral(now))
		keep(k.key, k.window)
		k.used = k.used + 1
		if k.reset == 0 then k.reset = k.window end
	end
	answer[#answer + 1] = k.used
	answer[#answer + 1] = k.over
	answer[#answer + 1] = k.wait
	answer[#answer + 1] = k.reset
end
return answer
