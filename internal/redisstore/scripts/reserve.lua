-- Decides about the messages of one request, and puts them in flight. Counts are
-- sorted sets of times: of what is confirmed for the bot, and of what the token
-- has in flight.
-- KEYS: for each hold: confirmed, in flight, refused, the conversation's replies.
-- ARGV: now, grace, name of the reservation, bot, 1 when other scripts decide
-- about the same request, and for the identical rule, the consecutive one and
-- their candidates: messages, window (µs), 1 when enforced; then for each hold:
-- rule (1 to 4), messages.
-- Answer: time, admitted, and for each hold: used, over, too many, wait (µs),
-- reset (µs), detected.
local name, bot, alone = ARGV[3], ARGV[4], ARGV[5] ~= '1'
local limits = {}
for rule = 1, 4 do
	local a = 3 + 3 * rule
	limits[rule] = {messages = tonumber(ARGV[a]), window = tonumber(ARGV[a + 1]), enforced = ARGV[a + 2] == '1'}
end

-- The time of a reply is before all that is sent after it, in the same µs too.
local holds, k = {}, 1
for a = 18, #ARGV, 2 do
	local h = {rule = tonumber(ARGV[a]), n = tonumber(ARGV[a + 1]), kept = KEYS[k], sent = KEYS[k + 1], refused = KEYS[k + 2]}
	h.limit = limits[h.rule]
	local r = redis.call('HMGET', KEYS[k + 3], 'newest', 'author', 'other', 'pardon')
	k = k + 4
	-- What is ahead by more than a window is not by this clock: it was set back.
	local newest, pardon = tonumber(r[1]), tonumber(r[4])
	if pardon and pardon - now <= h.limit.window then
		h.since = pardon
		if pardon >= now then now = pardon + 1 end
	end
	if newest and newest - now <= h.limit.window and h.rule % 2 == 0 then
		if newest >= now then now = newest + 1 end
		if r[2] ~= '' and r[2] == bot then newest = tonumber(r[3]) end
		h.since = math.max(h.since or 0, newest or 0)
	end
	holds[#holds + 1] = h
end

-- kth is the k-th oldest of the times that count.
local function kth(h, k)
	local times = {}
	for _, key in ipairs({h.kept, h.sent}) do
		local found = redis.call('ZRANGEBYSCORE', key, h.after, '+inf', 'WITHSCORES', 'LIMIT', 0, k)
		for i = 2, #found, 2 do times[#times + 1] = tonumber(found[i]) end
	end
	table.sort(times)
	return times[k]
end

local admitted, over = 1, {false, false}
for _, h in ipairs(holds) do
	local limit = h.limit
	h.after = '(' .. numeral(math.max(now - limit.window, h.since or 0))
	h.used = redis.call('ZCOUNT', h.kept, h.after, '+inf') + redis.call('ZCOUNT', h.sent, h.after, '+inf')
	h.over, h.tooMany, h.wait, h.reset, h.detected = 0, 0, 0, 0, 0
	if h.used > 0 then h.reset = kth(h, 1) + limit.window - now end
	local excess = h.used + h.n - limit.messages
	if excess <= 0 then
		h.used = h.used + h.n
		if h.reset == 0 then h.reset = limit.window end
	else
		h.over, over[h.rule] = 1, true
		if limit.enforced then admitted = 0 end
		if h.n > limit.messages then
			h.tooMany = 1
		else
			h.wait = kth(h, excess) + limit.window - now
		end
		if h.used > 0 then
			local last = tonumber(redis.call('GET', h.refused))
			if not last or now - last >= limit.window then h.detected = 1 end
			redis.call('SET', h.refused, numeral(now), 'PX', numeral(math.ceil(limit.window / 1000) + grace))
		end
	end
end

local answer = {now, admitted}
for _, h in ipairs(holds) do
	if admitted == 1 and not over[h.rule] then
		if alone then redis.call('DEL', h.refused) end
		redis.call('ZREMRANGEBYSCORE', h.sent, '-inf', numeral(now - h.limit.window))
		for i = 1, h.n do redis.call('ZADD', h.sent, numeral(now), name .. (i > 1 and i or '')) end
		keep(h.sent, h.limit.window)
	end
	for _, v in ipairs({h.used, h.over, h.tooMany, h.wait, h.reset, h.detected}) do answer[#answer + 1] = v end
end
return answer
