package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/redisstore"
)

// room is the Config of a room, which knows its own mistakes.
type room interface {
	Validate(report func(path, problem string))
}

// validate reports every mistake of every room, and those that only two rooms
// together can make.
func (c *Config) validate(report func(path, problem string)) {
	for _, part := range []struct {
		key   string
		block room
	}{
		{"listen", &c.Listen},
		{"admin", &c.Admin},
		{"upstream", &c.Upstream},
		{"identity", &c.Identity},
		{"methods", &c.Methods},
		{"limits", &c.Limits},
		{"loopguard", &c.LoopGuard},
		{"webhook", &c.Webhook},
		{"errors", &c.Errors},
		{"store", &c.Store},
		{"log", &c.Log},
		{"tracing", &c.Tracing},
	} {
		part.block.Validate(func(path, problem string) { report(join(part.key, path), problem) })
	}
	c.validateTogether(report)
}

// validateTogether reports the mistakes that concern two rooms.
func (c *Config) validateTogether(report func(path, problem string)) {
	if c.Limits.PerKey.By == "user" && !verifies(&c.Identity.JWT) {
		report("limits.per_key.by", "user needs a verified token, else anyone could spend another's allowance: set identity.jwt, or count by token")
	}
	if sameAddress(c.Listen.Address, c.Admin.Address) {
		report(c.origins.set("admin.address", "listen.address"),
			fmt.Sprintf("listen.address (%q) and admin.address (%q) must differ", c.Listen.Address, c.Admin.Address))
	}
	if c.LoopGuard.MaxBodyBytes > c.Listen.MaxBodyBytes {
		report(c.origins.set("loopguard.max_body_bytes", "listen.max_body_bytes"),
			fmt.Sprintf("loopguard.max_body_bytes (%s) must be at most listen.max_body_bytes (%s)", c.LoopGuard.MaxBodyBytes, c.Listen.MaxBodyBytes))
	}
}

// verifies reports whether tokens are verified.
func verifies(jwt *identity.JWT) bool {
	return jwt.Secret != "" || jwt.SecretFile != "" || jwt.PublicKeyFile != "" || jwt.JWKSURL != ""
}

// sameAddress reports whether two listeners can't both have their address. Port
// 0 is a free port, a new one each time.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || isEvery(hostA) || isEvery(hostB)
}

// isEvery reports whether host stands for every address of the machine.
func isEvery(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// Validate reports every mistake in the block, with its path inside the block.
func (s *Store) Validate(report func(path, problem string)) {
	oneOf(report, "kind", s.Kind, "memory", "redis")
	if s.Memory.MaxBytes < 1<<20 {
		report("memory.max_bytes", fmt.Sprintf("must be at least 1MiB, got %s", s.Memory.MaxBytes))
	}
	if i := s.Memory.SnapshotInterval; i < 100*time.Millisecond || i > time.Hour {
		report("memory.snapshot_interval", "must be between 100ms and 1h, got "+duration(i))
	}
	oneOf(report, "redis.on_failure", s.Redis.OnFailure, redisstore.Local, redisstore.Allow, redisstore.Deny)
	s.Redis.Validate(s.Kind == "redis", func(path, problem string) { report(join("redis", path), problem) })
}

// Validate reports every mistake in the block, with its path inside the block.
func (l *Log) Validate(report func(path, problem string)) {
	oneOf(report, "level", l.Level, "debug", "info", "warn", "error")
	oneOf(report, "format", l.Format, "json", "text")
	if l.Sample.OneIn < 1 {
		report("sample.one_in", fmt.Sprintf("must be at least 1, got %d", l.Sample.OneIn))
	}
	if l.Sample.Refusals < 0 {
		report("sample.refusals_per_minute", fmt.Sprintf("must be at least 0 (0 means all), got %d", l.Sample.Refusals))
	}
}

// oneOf reports a word that is none of the known ones.
func oneOf(report func(path, problem string), path, word string, known ...string) {
	for _, k := range known {
		if word == k {
			return
		}
	}
	report(path, fmt.Sprintf("expected %s, got %q%s", choice(known), word, Meant(word, known)))
}

// choice joins words as a sentence does: "a, b or c".
func choice(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
