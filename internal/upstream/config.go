package upstream

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `upstream:` block of the configuration.
type Config struct {
	URL string `yaml:"url"` // http:// or https://, host and optional port, no path
	// Addresses are where to connect to, host:port, instead of the host of URL,
	// which stays the name of the API: for the Host header, TLS and references.
	Addresses []string `yaml:"addresses"`
	// ResolveInterval is how often the names among the addresses are looked up.
	ResolveInterval time.Duration `yaml:"resolve_interval"`
	PreserveHost    bool          `yaml:"preserve_host"`   // send the client's Host instead of the upstream's own
	ConnectTimeout  time.Duration `yaml:"connect_timeout"` // for the TCP and TLS handshakes together
	// FirstByteTimeout is from the first byte sent to the head of the answer; 0:
	// only Timeout bounds it.
	FirstByteTimeout time.Duration  `yaml:"first_byte_timeout"`
	Timeout          time.Duration  `yaml:"timeout"` // from the first byte sent to the whole answer; for a streamed answer, between two reads
	MaxConnections   int            `yaml:"max_connections"`
	StreamAbove      unit.Bytes     `yaml:"stream_above"` // answers larger than this pass through without being buffered
	TLS              TLS            `yaml:"tls"`
	HealthCheck      HealthCheck    `yaml:"health_check"`
	CircuitBreaker   CircuitBreaker `yaml:"circuit_breaker"`
	RetryBudget      RetryBudget    `yaml:"retry_budget"`
}

// TLS sets how the upstream's certificate is verified, which it always is, and
// with which certificate of ours, if any, the gateway shows who it is.
type TLS struct {
	CAFile     string `yaml:"ca_file"`     // PEM; empty means the system's authorities
	ServerName string `yaml:"server_name"` // empty means the host of the URL
	CertFile   string `yaml:"cert_file"`   // PEM chain of the client certificate; both files are set, or none
	KeyFile    string `yaml:"key_file"`    // PEM private key
}

// HealthCheck asks the upstream for a path at intervals.
type HealthCheck struct {
	Path     string        `yaml:"path"` // empty turns it off
	Interval time.Duration `yaml:"interval"`
}

// DefaultConfig has everything but the URL.
func DefaultConfig() Config {
	return Config{
		ResolveInterval: 30 * time.Second,
		ConnectTimeout:  5 * time.Second,
		Timeout:         30 * time.Second,
		MaxConnections:  1024,
		StreamAbove:     256 << 10,
		HealthCheck:     HealthCheck{Interval: 5 * time.Second},
		CircuitBreaker:  CircuitBreaker{Failures: 5, Open: 5 * time.Second, MaxOpen: time.Minute},
		RetryBudget:     RetryBudget{Percent: 20, PerSecond: 10},
	}
}

const (
	minStreamAbove = 1 << 10
	minInterval    = 100 * time.Millisecond
)

// Validate reports every mistake in the block, with its path inside the block.
func (c *Config) Validate(report func(path, problem string)) {
	if problem := checkURL(c.URL); problem != "" {
		report("url", problem)
	}
	positive := func(path string, d time.Duration) {
		if d <= 0 {
			report(path, fmt.Sprintf("must be greater than 0, got %s", d))
		}
	}
	positive("connect_timeout", c.ConnectTimeout)
	positive("timeout", c.Timeout)
	if c.FirstByteTimeout < 0 || c.FirstByteTimeout > c.Timeout && c.Timeout > 0 {
		report("first_byte_timeout", fmt.Sprintf("must be from 0s (no limit of its own) to timeout (%s), got %s", c.Timeout, c.FirstByteTimeout))
	}
	if c.MaxConnections < 1 {
		report("max_connections", fmt.Sprintf("must be at least 1, got %d", c.MaxConnections))
	}
	if c.StreamAbove < minStreamAbove {
		report("stream_above", fmt.Sprintf("must be at least 1KiB, got %s", c.StreamAbove))
	}
	c.validateTLS(report)
	c.HealthCheck.validate(report)
	c.validateAddresses(report)
}

func (c *Config) validateTLS(report func(path, problem string)) {
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		report("tls.cert_file", "must be set when tls.key_file is, and only then")
	}
	if !strings.HasPrefix(strings.ToLower(c.URL), "http:") {
		return
	}
	const useless = "is of no use with an http:// url"
	for path, value := range map[string]string{
		"tls.ca_file": c.TLS.CAFile, "tls.server_name": c.TLS.ServerName, "tls.cert_file": c.TLS.CertFile, "tls.key_file": c.TLS.KeyFile,
	} {
		if value != "" {
			report(path, useless)
		}
	}
}

func (h *HealthCheck) validate(report func(path, problem string)) {
	switch {
	case h.Path == "":
	case h.Path[0] != '/':
		report("health_check.path", fmt.Sprintf("must start with /, got %q", h.Path))
	case strings.ContainsFunc(h.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }):
		report("health_check.path", fmt.Sprintf("must have no spaces, # or characters outside ASCII, got %q", h.Path))
	}
	if h.Interval < minInterval {
		report("health_check.interval", fmt.Sprintf("must be at least 100ms, got %s", h.Interval))
	}
}

// checkURL says what is wrong with the upstream's URL, without repeating a
// password that may stand in it; or nothing.
func checkURL(text string) string {
	const expected = "expected a URL such as https://api.chatshipper.com"
	if text == "" {
		return "is required: " + expected
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Opaque != "", !isHost(u.Hostname()):
		return expected
	case u.User != nil:
		return "must have no user or password: callers bring their own API keys"
	case u.Path != "" && u.Path != "/":
		return fmt.Sprintf("must have no path, got %q: paths go upstream as the client wrote them", u.Path)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "must have no query or fragment"
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Sprintf("expected a port from 1 to 65535, got %q", port)
		}
	}
	return ""
}

// isHost reports whether a name or address can stand in a Host header as it is.
func isHost(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		digit := r >= '0' && r <= '9'
		return !letter && !digit && !strings.ContainsRune("-._:", r)
	})
}
