-- What wrk sends, for one scenario: wrk … -s load.lua URL -- SCENARIO RUN CALLERS PAUSE
-- RUN is a number that no other run of this benchmark has. CALLERS is a file with
-- a bearer token and a text of 80 characters a line. PAUSE is what every connection
-- waits before a request, in ms. One thread: a counter decides
-- everything.
local scenario, run
local ready = {}
local n = 0

-- 4,096 conversations at a time, each its bot's: after 16 messages each there are
-- new ones, so the documented 8 identical and 20 consecutive stay in force.
local CONVERSATIONS, EACH = 4096, 16

local function head(method, path, token, extra)
	return method .. " " .. path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
		"\r\nAccept: application/json\r\nAuthorization: Bearer " .. token ..
		"\r\nUser-Agent: got (https://github.com/sindresorhus/got)\r\nAccept-Encoding: gzip, deflate, br\r\n" .. (extra or "") .. "\r\n"
end

local function json(length)
	return "Content-Type: application/json\r\nContent-Length: " .. length .. "\r\n"
end

local function get() n = n + 1 return ready[n % #ready + 1] end

-- A message's body: its end changes fastest, the texts differ everywhere, and the
-- middle of the request is inside the token's signature, because LuaJIT (here and
-- in nginx) hashes only 16 bytes of a string, four of them at its end and four in
-- its middle: were they equal, LuaJIT's collisions would be measured.
local before, after = '{"type":"chat","role":"agent","touchpoint":"whatsapp","conversation":"', '"}'
local function text(words) return '","delay":1500,"text":"' .. words .. " " end
local length = #before + 24 + #text(("x"):rep(80)) + 12 + #after

local function message()
	local k = n % CONVERSATIONS
	local turn = (n - k) / CONVERSATIONS
	n = n + 1
	local r = ready[k + 1]
	return r[1] .. string.format("%08x%08x%08x", run, turn / EACH, k) .. r[2] .. string.format("%05x%07x", k, turn) .. after
end

-- scenario: what is made ready for a caller, and the request of each call
local scenarios = {
	get = { function(t) return head("GET", "/v2/contacts/65aa0e00aabbccddeeff0001", t) end, get },
	large = { function(t) return head("GET", "/v2/large", t) end, get },
	message = { function(t, words) return { head("POST", "/v2/messages", t, json(length)) .. before, text(words) } end, message },
	upload = { function(t) return head("POST", "/v2/files", t, json(1048576)) .. ("x"):rep(1048576) end, get, 128 },
}

function init(args)
	scenario, run = scenarios[args[1]], tonumber(args[2])
	for line in io.lines(args[3]) do
		if #ready >= (scenario[3] or 10000) then break end
		ready[#ready + 1] = scenario[1](line:match("^(%S+) (.*)$"))
	end
	request = scenario[2]
	local pause = tonumber(args[4] or 0)
	if pause > 0 then function delay() return pause end end
end

function request() error("init has not run") end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format('\nresult {"requests":%d,"micros":%d,"bytes":%d,"p50":%d,"p99":%d,"p999":%d,"max":%d,' ..
		'"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}\n',
		summary.requests, summary.duration, summary.bytes,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
		e.connect, e.read, e.write, e.timeout, e.status))
end
