package upstream

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// mistakes returns every mistake as "path: problem", sorted.
func mistakes(c *Config) []string {
	var list []string
	c.Validate(func(path, problem string) { list = append(list, path+": "+problem) })
	slices.Sort(list)
	return list
}

func TestTheDefaultsLackOnlyTheURL(t *testing.T) {
	c := DefaultConfig()
	if got := mistakes(&c); len(got) != 1 || !strings.HasPrefix(got[0], "url: is required") {
		t.Errorf("got %q", got)
	}
	if _, err := New(c); err == nil {
		t.Error("a client without a URL was made")
	}
}

func TestURLs(t *testing.T) {
	good := func(url, scheme, host, address string) {
		t.Helper()
		c := DefaultConfig()
		c.URL = url
		if got := mistakes(&c); len(got) != 0 {
			t.Errorf("%q: %q", url, got)
		}
		client, err := New(c)
		if err != nil {
			t.Errorf("%q: unexpected error: %v", url, err)
			return
		}
		if client.Scheme() != scheme || client.Host() != host || client.origin.address != address {
			t.Errorf("%q: got %s, %s and %s, want %s, %s and %s", url, client.Scheme(), client.Host(), client.origin.address, scheme, host, address)
		}
	}
	good("https://api.example.com", "https", "api.example.com", "api.example.com:443")
	good("https://api.example.com/", "https", "api.example.com", "api.example.com:443")
	good("https://api.example.com:443", "https", "api.example.com", "api.example.com:443")
	good("https://api.example.com:80", "https", "api.example.com:80", "api.example.com:80")
	good("http://api_1:80", "http", "api_1", "api_1:80")
	good("HTTP://LOCALHOST:8081", "http", "LOCALHOST:8081", "LOCALHOST:8081")
	good("http://[::1]", "http", "[::1]", "[::1]:80")
	good("http://[::1]:8081", "http", "[::1]:8081", "[::1]:8081")
	good("http://127.0.0.1:8081", "http", "127.0.0.1:8081", "127.0.0.1:8081")

	bad := func(url, problem string) {
		t.Helper()
		c := DefaultConfig()
		c.URL = url
		if got := mistakes(&c); len(got) != 1 || !strings.HasPrefix(got[0], "url: "+problem) {
			t.Errorf("%q: got %q, want %q", url, got, problem)
		}
		if strings.Contains(strings.Join(mistakes(&c), ""), "passw0rd") {
			t.Errorf("%q: the password is repeated", url)
		}
		if _, err := New(c); err == nil || strings.Contains(err.Error(), "passw0rd") {
			t.Errorf("%q: got the error %v", url, err)
		}
	}
	bad("", "is required")
	bad("api.example.com", "expected a URL")
	bad("api.example.com:443", "expected a URL")
	bad("//api.example.com", "expected a URL")
	bad("ftp://api.example.com", "expected a URL")
	bad("http:api.example.com", "expected a URL")
	bad("http://", "expected a URL")
	bad("http://:80", "expected a URL")
	bad("http:///v2", "expected a URL")
	bad("http://a b", "expected a URL")
	bad("http://bücher.example", "expected a URL")
	bad("http://a\r\nX: 1", "expected a URL")
	bad("http://[fe80::1%25eth0]", "expected a URL")
	bad("http://u:passw0rd@ a", "expected a URL")
	bad("http://u:passw0rd@a", "must have no user")
	bad("http://passw0rd@a", "must have no user")
	bad("http://a/v2", `must have no path, got "/v2"`)
	bad("http://a//", "must have no path")
	bad("http://a?x=1", "must have no query")
	bad("http://a?", "must have no query")
	bad("http://a#x", "must have no query")
	bad("http://a#", "must have no query")
	bad("http://a:0", "expected a port")
	bad("http://a:65536", "expected a port")
	bad("http://a:", "expected a port")
}

func TestEveryMistakeIsReported(t *testing.T) {
	c := Config{
		URL: "http://a", Timeout: -time.Second, FirstByteTimeout: -1, StreamAbove: 100,
		TLS:         TLS{CAFile: "ca.pem", ServerName: "a"},
		HealthCheck: HealthCheck{Path: "ping", Interval: time.Millisecond},
		Addresses:   []string{"a:1", "a", "a:0", ":1", "http://a:1", "a:1"}, ResolveInterval: time.Millisecond,
		CircuitBreaker: CircuitBreaker{Failures: -1, Open: time.Millisecond, MaxOpen: time.Microsecond},
		RetryBudget:    RetryBudget{Percent: 101, PerSecond: -1},
	}
	want := []string{
		`addresses[1]: expected an address such as api-1.internal:443 or 10.0.0.1:8080, got "a"`,
		`addresses[2]: expected an address such as api-1.internal:443 or 10.0.0.1:8080, got "a:0"`,
		`addresses[3]: expected an address such as api-1.internal:443 or 10.0.0.1:8080, got ":1"`,
		`addresses[4]: expected an address such as api-1.internal:443 or 10.0.0.1:8080, got "http://a:1"`,
		"addresses[5]: a:1 is listed twice",
		"circuit_breaker.failures: must be at least 0 (0 turns it off), got -1",
		"circuit_breaker.max_open_time: must be at least open_time (1ms), got 1µs",
		"circuit_breaker.open_time: must be at least 100ms, got 1ms",
		"connect_timeout: must be greater than 0, got 0s",
		"first_byte_timeout: must be from 0s (no limit of its own) to timeout (-1s), got -1ns",
		"health_check.interval: must be at least 100ms, got 1ms",
		`health_check.path: must start with /, got "ping"`,
		"max_connections: must be at least 1, got 0",
		"resolve_interval: must be at least 1s, got 1ms",
		"retry_budget.min_per_second: must be at least 0, got -1",
		"retry_budget.percent: must be from 0 to 100, got 101",
		"stream_above: must be at least 1KiB, got 100",
		"timeout: must be greater than 0, got -1s",
		"tls.ca_file: is of no use with an http:// url",
		"tls.server_name: is of no use with an http:// url",
	}
	if got := mistakes(&c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, path := range []string{"/a b", "/a\r\nX: 1", "/é", "/#x"} {
		c = DefaultConfig()
		c.URL, c.HealthCheck.Path = "https://a", path
		if got := mistakes(&c); len(got) != 1 || !strings.HasPrefix(got[0], "health_check.path: must have no") {
			t.Errorf("%q: got %q", path, got)
		}
	}
}

func TestEveryReasonHasAName(t *testing.T) {
	seen := map[string]bool{}
	for r := range ReasonCount {
		if r.String() == "" || reasons[r].sentence == "" || seen[r.String()] {
			t.Errorf("reason %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
}
