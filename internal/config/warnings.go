package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/redisstore"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/unit"
)

// Warnings says what is allowed but odd: a rule that refuses nothing, a setting
// without effect, a door wider open than it looks. Each is one sentence.
func (c *Config) Warnings() []string {
	var w []string
	warn := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	c.warnOfRules(warn)
	c.warnOfUsers(warn)
	c.warnOfNetworks(warn)
	c.warnOfUpstream(warn)
	if c.Webhook.Secret == "" && c.LoopGuard.Consecutive.Mode != unit.Off {
		warn("webhook.secret is not set: events are refused, so that only replies that pass through the gateway reset the count of consecutive messages")
	}
	if strings.HasPrefix(c.Webhook.Path, "/v2/") {
		warn("webhook.path is %s: requests to this path of the API never reach the upstream", c.Webhook.Path)
	}
	if r := &c.Store.Redis; c.Store.Kind == "memory" && (len(r.Addresses) > 0 || r.TLS.Enabled || r.Password != "") {
		warn("store.redis is set but not used, because store.kind is memory")
	}
	c.warnOfSharing(warn)
	c.warnOfTracing(warn)
	return w
}

// warnOfSharing says what is odd about a shared store.
func (c *Config) warnOfSharing(warn warn) {
	r := &c.Store.Redis
	if c.Store.Kind != "redis" {
		return
	}
	if c.Store.Memory.SnapshotFile != "" {
		warn("store.memory.snapshot_file is set but not used, because store.kind is redis")
	}
	if r.OnFailure == redisstore.Local && r.Replicas == 1 {
		warn("store.redis.replicas is 1: while Redis is down every gateway admits all of each limit; set it to the number of gateways")
	}
	if r.Password != "" && !r.TLS.Enabled && slices.ContainsFunc(r.Addresses, isElsewhere) {
		warn("store.redis.tls is off: the password travels to Redis in clear")
	}
}

// warnOfTracing says what is odd about the export of spans.
func (c *Config) warnOfTracing(warn warn) {
	t := &c.Tracing
	if t.OTLPEndpoint == "" && (t.Headers != "" || t.TLS != trace.TLS{}) {
		warn("tracing.headers and tracing.tls are not used, because tracing.otlp_endpoint is not set")
	}
	if u, err := url.Parse(t.OTLPEndpoint); err == nil && u.Scheme == "http" && t.Headers != "" && !isLocal(u.Hostname()) {
		warn("tracing.otlp_endpoint is http://: tracing.headers travel to the collector in clear")
	}
}

// isElsewhere reports whether an address is of another machine.
func isElsewhere(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && !isLocal(host)
}

type warn func(format string, args ...any)

func (c *Config) warnOfRules(warn warn) {
	ip, key, same, streak := &c.Limits.PerIP, &c.Limits.PerKey, &c.LoopGuard.Identical, &c.LoopGuard.Consecutive
	for _, rule := range []struct {
		path      string
		mode      unit.Mode
		most      int
		window    time.Duration
		candidate int
		its       time.Duration
	}{
		{"limits.per_ip", ip.Mode, ip.Requests, ip.Window, ip.Shadow.Requests, ip.Shadow.Window},
		{"limits.per_key", key.Mode, key.Requests, key.Window, key.Shadow.Requests, key.Shadow.Window},
		{"loopguard.identical", same.Mode, same.Messages, same.Window, same.Shadow.Messages, same.Shadow.Window},
		{"loopguard.consecutive", streak.Mode, streak.Messages, streak.Window, streak.Shadow.Messages, streak.Shadow.Window},
	} {
		switch {
		case rule.candidate == 0:
		case rule.mode == unit.Off:
			warn("%s.shadow has no effect while %s.mode is off: to try a limit alone, set the limit itself and mode: shadow", rule.path, rule.path)
		case rule.mode == unit.Enforce && rule.candidate >= rule.most && (rule.its == 0 || rule.its <= rule.window):
			warn("%s.shadow would refuse nothing that %s admits: a wider limit is tried with gateway simulate", rule.path, rule.path)
		}
		switch rule.mode {
		case unit.Off:
			warn("%s.mode is off: nothing is counted or refused by this rule", rule.path)
		case unit.Shadow:
			warn("%s.mode is shadow: this rule counts and logs, but refuses nothing", rule.path)
		}
	}
}

// warnOfUsers says that a limit of one user is no secret: a key of one's own is
// counted by itself, whatever user it claims, but with that user's limit.
func (c *Config) warnOfUsers(warn warn) {
	for i := range c.Limits.Overrides {
		if c.Limits.Overrides[i].User != "" && !verifies(&c.Identity.JWT) {
			warn("limits.overrides[%d] names a user, but without identity.jwt every token that claims to be this user's has its limit", i)
		}
	}
}

func (c *Config) warnOfNetworks(warn warn) {
	if slices.ContainsFunc(c.Listen.TrustedProxies, isEverybody) {
		warn("listen.trusted_proxies holds every address: anyone may choose the client address that limits and logs see")
	}
	for i := range c.Limits.Exempt {
		if isEverybody(c.Limits.Exempt[i].CIDR) {
			warn("limits.exempt[%d] holds every address: nobody is limited", i)
		}
	}
}

func (c *Config) warnOfUpstream(warn warn) {
	u, err := url.Parse(c.Upstream.URL)
	if err != nil {
		return
	}
	_, own, _ := net.SplitHostPort(c.Listen.Address)
	for i, target := range c.Upstream.Targets() {
		key := "upstream.url"
		if len(c.Upstream.Addresses) > 0 {
			key = fmt.Sprintf("upstream.addresses[%d]", i)
		}
		host, port, _ := net.SplitHostPort(target)
		if u.Scheme == "http" && !isLocal(host) {
			warn("upstream.url is http, not https: API keys travel to %s in clear", host)
		}
		if isLocal(host) && own != "0" && port == own {
			warn("%s looks like the gateway's own address: requests would go round in a circle", key)
		}
	}
}

// isEverybody reports whether a network holds every IPv4 or every IPv6 address.
func isEverybody(cidr string) bool {
	p, err := netip.ParsePrefix(cidr)
	return err == nil && p.Bits() == 0
}

// isLocal reports whether host is this machine.
func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
