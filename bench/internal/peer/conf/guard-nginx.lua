-- The message limits for nginx: counters in shared dictionaries that expire a
-- window after the first message, counted before the request goes upstream.
local cjson = require "cjson"
local identical, consecutive = ngx.shared.identical, ngx.shared.consecutive

local IDENTICAL, IDENTICAL_WINDOW = 8, 180
local CONSECUTIVE, CONSECUTIVE_WINDOW = 20, 3600

-- Tokens repeat: what one says is read once for each worker.
local callers, known = {}, 0

local function caller(header)
	local who = callers[header]
	if who then return who end
	who = { id = header, bot = true } -- opaque tokens are bots'
	local payload = header:match("^[Bb]earer [^.]+%.([^.]+)%.")
	local text = payload and ngx.decode_base64((payload:gsub("-", "+"):gsub("_", "/")) .. ("="):rep(-#payload % 4))
	local ok, claims = pcall(cjson.decode, text)
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

local function refuse(rule)
	ngx.status = 429
	ngx.header["Content-Type"] = "application/json; charset=utf-8"
	ngx.header["Retry-After"] = 60
	ngx.print('{"message":"Your bot sends too many ', rule, ' messages to this conversation.","status":429,"error":{"code":"', rule, '_messages","retryAfter":60}}')
	return ngx.exit(429)
end

local M = {}

function M.check()
	if ngx.req.get_method() ~= "POST" then return end
	ngx.req.read_body()
	local ok, message = pcall(cjson.decode, ngx.req.get_body_data())
	if not ok then return end -- the upstream says what is wrong with it
	local who = caller(ngx.var.http_authorization or "")
	local conversation = message.conversation or ngx.var.uri:match("^/v2/conversations/([^/]+)/messages$") or ""
	if not who.bot then
		ngx.ctx.human = conversation
		return
	end
	-- A reply begins a new count: its number is part of the key.
	local pair = who.id .. conversation .. ":" .. (consecutive:get("reply:" .. conversation) or 0)
	local out = { who.id, conversation }
	canonical(message, out, true)
	local content = ngx.md5_bin(table.concat(out))
	if (identical:incr(content, 1, 0, IDENTICAL_WINDOW) or 0) > IDENTICAL then
		identical:incr(content, -1)
		return refuse("identical")
	end
	if (consecutive:incr(pair, 1, 0, CONSECUTIVE_WINDOW) or 0) > CONSECUTIVE then
		consecutive:incr(pair, -1)
		identical:incr(content, -1)
		return refuse("consecutive")
	end
	ngx.ctx.pair, ngx.ctx.content = pair, content
end

-- settle gives back what the upstream did not create, and lets a human's message reset.
function M.settle()
	local created = ngx.status >= 200 and ngx.status < 300
	if created and ngx.ctx.human then
		consecutive:incr("reply:" .. ngx.ctx.human, 1, 0, CONSECUTIVE_WINDOW)
	elseif not created and ngx.ctx.pair then
		consecutive:incr(ngx.ctx.pair, -1)
		identical:incr(ngx.ctx.content, -1)
	end
end

return M
