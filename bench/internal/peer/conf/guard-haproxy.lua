-- The message limits for HAProxy: exact sliding windows in Lua tables, shared by
-- all threads (lua-load), counted before the request goes upstream.
local cjson = require "cjson"

local IDENTICAL, IDENTICAL_WINDOW = 8, 180
local CONSECUTIVE, CONSECUTIVE_WINDOW = 20, 3600

-- store: two generations of logs, so that what nobody asks for any more goes
-- without a sweep. A log is a list of times, the oldest first.
local function store(window)
	return { window = window, young = {}, old = {}, turned = 0 }
end

local identical, consecutive = store(IDENTICAL_WINDOW), store(CONSECUTIVE_WINDOW)

local function times(s, key, now)
	if now - s.turned > s.window then
		s.old, s.young, s.turned = s.young, {}, now
	end
	local log = s.young[key]
	if not log then
		log = s.old[key] or {}
		s.young[key] = log
	end
	while log[1] and log[1] <= now - s.window do
		table.remove(log, 1)
	end
	return log
end

-- HAProxy 2.6 gives Lua no base64 decoder of its own.
local digits = {}
for i = 1, 64 do
	digits[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):byte(i)] = i - 1
end

local function base64(text)
	local out, value, bits = {}, 0, 0
	for i = 1, #text do
		value, bits = (value << 6 | digits[text:byte(i)]) & 0xffffff, bits + 6
		if bits >= 8 then
			bits = bits - 8
			out[#out + 1] = string.char(value >> bits & 255)
		end
	end
	return table.concat(out)
end

-- Tokens repeat: what one says is read once.
local callers, known = {}, 0

local function caller(header)
	local who = callers[header]
	if who then return who end
	who = { id = header, bot = true } -- opaque tokens are bots'
	local payload = header:match("^[Bb]earer [^.]+%.([^.]+)%.")
	local ok, claims = pcall(function() return cjson.decode(base64(payload)) end)
	if ok and claims._id then
		local scope = " " .. (claims.scope or "") .. " "
		who = { id = claims._id, bot = scope:find(" bot ", 1, true) ~= nil and scope:find(" admin ", 1, true) == nil }
	end
	if known >= 100000 then callers, known = {}, 0 end
	callers[header], known = who, known + 1
	return who
end

-- canonical writes a value so that the order of keys does not matter.
local function canonical(value, out, top)
	if type(value) ~= "table" then
		out[#out + 1] = type(value) == "string" and "s" .. #value .. ":" .. value or tostring(value)
		return
	end
	local keys = {}
	for k in pairs(value) do
		if not (top and (k == "conversation" or k == "delay")) then keys[#keys + 1] = k end
	end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	out[#out + 1] = "{"
	for _, k in ipairs(keys) do
		out[#out + 1] = tostring(k) .. "="
		canonical(value[k], out)
	end
	out[#out + 1] = "}"
end

local function admit(s, key, limit, now, since)
	local log = times(s, key, now)
	while since and log[1] and log[1] <= since do
		table.remove(log, 1)
	end
	if #log >= limit then return false end
	log[#log + 1] = now
	return true
end

local function back(s, key, now)
	local log = times(s, key, now)
	log[#log] = nil
end

local replies = store(CONSECUTIVE_WINDOW) -- of a conversation: the latest, as a log of one

core.register_action("guard", { "http-req" }, function(txn)
	local ok, message = pcall(cjson.decode, txn.sf:req_body())
	if not ok then return end -- the upstream says what is wrong with it
	local who = caller(txn.sf:req_fhdr("authorization"))
	local conversation = message.conversation or txn.sf:path():match("^/v2/conversations/([^/]+)/messages$") or ""
	if not who.bot then
		txn:set_var("txn.human", conversation)
		return
	end
	local now = core.now()
	now = now.sec + now.usec / 1e6
	local pair = who.id .. conversation
	local out = { pair }
	canonical(message, out, true)
	local content = txn.c:xxh64(table.concat(out), 0)
	if not admit(identical, content, IDENTICAL, now) then
		txn:set_var("txn.refused", "identical")
	elseif not admit(consecutive, pair, CONSECUTIVE, now, times(replies, conversation, now)[1]) then
		back(identical, content, now)
		txn:set_var("txn.refused", "consecutive")
	else
		txn:set_var("txn.bot", pair)
		txn:set_var("txn.content", content)
	end
end)

-- settle gives back what the upstream did not create.
core.register_action("settle", { "http-res" }, function(txn)
	local now = core.now().sec
	back(identical, txn:get_var("txn.content"), now)
	back(consecutive, txn:get_var("txn.bot"), now)
end)

-- reset: a human's message was created.
core.register_action("reset", { "http-res" }, function(txn)
	local now = core.now()
	now = now.sec + now.usec / 1e6
	times(replies, txn:get_var("txn.human"), now)[1] = now
end)
