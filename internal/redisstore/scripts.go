package redisstore

import (
	_ "embed"

	"github.com/redis/rueidis"
)

var (
	//go:embed scripts/clock.lua
	clockSource string
	//go:embed scripts/take.lua
	takeSource string
	//go:embed scripts/reserve.lua
	reserveSource string
	//go:embed scripts/settle.lua
	settleSource string
	//go:embed scripts/reset.lua
	resetSource string
	//go:embed scripts/reply.lua
	replySource string
	//go:embed scripts/look_requests.lua
	lookRequestsSource string
	//go:embed scripts/look_messages.lua
	lookMessagesSource string
)

// The server knows a script by its SHA-1, and is sent the whole of it when it
// does not: after a restart, or on a node that has not seen it yet.
var (
	takeScript    = rueidis.NewLuaScript(clockSource + takeSource)
	reserveScript = rueidis.NewLuaScript(clockSource + reserveSource)
	settleScript  = rueidis.NewLuaScript(clockSource + settleSource)
	resetScript   = rueidis.NewLuaScript(clockSource + resetSource)
	replyScript   = rueidis.NewLuaScript(clockSource + replySource)
	// They only read, but are no EVALSHA_RO: that needs Redis 7, and a right more.
	lookRequestsScript = rueidis.NewLuaScript(clockSource + lookRequestsSource)
	lookMessagesScript = rueidis.NewLuaScript(clockSource + lookMessagesSource)
	unblockScript      = rueidis.NewLuaScript("for _, key in ipairs(KEYS) do redis.call('DEL', key) end return {}")
	// probeScript changes nothing, but a replica or a full server refuses it.
	probeScript = rueidis.NewLuaScript("return redis.call('PEXPIRE', KEYS[1], redis.call('PTTL', KEYS[1]) > 0 and redis.call('PTTL', KEYS[1]) or 1)")
)
