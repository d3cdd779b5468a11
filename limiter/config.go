package limiter

import (
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `limits:` block of the configuration.
type Config struct {
	PerIP     IPLimit    `yaml:"per_ip"`
	PerKey    KeyLimit   `yaml:"per_key"`
	Overrides []Override `yaml:"overrides"`
	Exempt    []Exempt   `yaml:"exempt"`
}

// IPLimit limits each client address: every IPv4 address, every IPv6 prefix.
type IPLimit struct {
	Requests   int           `yaml:"requests"`    // admitted in any window; at least 1
	Window     time.Duration `yaml:"window"`      // sliding; 1ms to 24h
	Mode       unit.Mode     `yaml:"mode"`        // enforce, shadow or off
	IPv6Prefix int           `yaml:"ipv6_prefix"` // bits of an IPv6 address that name one client; 1 to 128
	Shadow     Candidate     `yaml:"shadow"`
}

// KeyLimit limits each API key, or each user.
type KeyLimit struct {
	Requests int           `yaml:"requests"` // admitted in any window; at least 1
	Window   time.Duration `yaml:"window"`   // sliding; 1ms to 24h
	Mode     unit.Mode     `yaml:"mode"`     // enforce, shadow or off
	By       string        `yaml:"by"`       // token, or user (which needs a verified JWT)
	Shadow   Candidate     `yaml:"shadow"`
}

// Candidate is a limit to try beside the one in force: it is counted, measured
// and logged, and refuses nothing. It does not concern overrides.
type Candidate struct {
	Requests int           `yaml:"requests"` // 0: no candidate
	Window   time.Duration `yaml:"window"`   // 0: that of the limit in force
}

// limit is the candidate beside a limit, or nil.
func (c Candidate) limit(window time.Duration) *Limit {
	if c.Requests == 0 {
		return nil
	}
	if c.Window != 0 {
		window = c.Window
	}
	return &Limit{Requests: c.Requests, Window: window, Shadow: true}
}

// Override gives one key, one user or one network a limit of its own. Exactly
// one of KeySHA256, User and CIDR is set.
type Override struct {
	KeySHA256 string        `yaml:"key_sha256"` // hex SHA-256 of the bearer token
	User      string        `yaml:"user"`       // user id, the claim _id
	CIDR      string        `yaml:"cidr"`       // network of client addresses
	Requests  int           `yaml:"requests"`
	Window    time.Duration `yaml:"window"`
}

// Exempt names what is never limited: a path (exact, or a prefix that ends in
// /*) or a network of client addresses. Exactly one is set.
type Exempt struct {
	Path string `yaml:"path"`
	CIDR string `yaml:"cidr"`
}

// DefaultConfig is ChatShipper's documented rule: 20 requests per second for
// each IP and each API key.
func DefaultConfig() Config {
	return Config{
		PerIP:  IPLimit{Requests: 20, Window: time.Second, IPv6Prefix: 64},
		PerKey: KeyLimit{Requests: 20, Window: time.Second, By: "token"},
	}
}
