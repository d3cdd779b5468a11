-- Every script begins with this: the present, in µs since 1970, by the server's
-- clock. A test gives the time instead.
local now, grace = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
	local t = redis.call('TIME')
	now = t[1] * 1000000 + t[2]
end

-- numeral writes a time in full; Lua's own would round it.
local function numeral(n) return string.format('%.0f', n) end

-- keep lets a key live for a window, in µs, from now on.
local function keep(key, window)
	redis.call('PEXPIRE', key, numeral(math.ceil(window / 1000) + grace))
end
