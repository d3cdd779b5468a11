package trace

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config), want ...string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		got := map[string]string{}
		c.Validate(func(path, problem string) { got[path] = problem })
		if paths := slices.Sorted(maps.Keys(got)); !slices.Equal(paths, want) || strings.Contains(strings.Join(slices.Collect(maps.Values(got)), ""), "hunter2") {
			t.Errorf("got %v, want mistakes at %v", got, want)
		}
	}
	f(func(*Config) {})
	f(func(c *Config) { *c = configured("https://collector:4318"); c.TLS = TLS{"ca", "name", "cert", "key"} })
	f(func(c *Config) { c.SampleRatio, c.Timeout = 1, 100*time.Millisecond })
	f(func(c *Config) { c.SampleRatio, c.Timeout = 0, time.Minute })
	f(func(c *Config) { c.SampleRatio = 1.001 }, "sample_ratio")
	f(func(c *Config) { c.SampleRatio = -0.001 }, "sample_ratio")
	f(func(c *Config) { c.Timeout = time.Minute + 1 }, "timeout")
	f(func(c *Config) { c.Timeout = 0 }, "timeout")
	f(func(c *Config) { c.ServiceName = "" }, "service_name")
	f(func(c *Config) { c.Headers = "hunter2" }, "headers")
	f(func(c *Config) { c.OTLPEndpoint = "http://hunter2@collector" }, "otlp_endpoint")
	f(func(c *Config) { c.OTLPEndpoint, c.TLS.CAFile = "http://collector:4318", "ca" }, "tls.ca_file")
	f(func(c *Config) { c.TLS.KeyFile = "key" }, "tls.cert_file")
}

func TestEveryLossHasAName(t *testing.T) {
	seen := map[string]bool{}
	for why := range Losses {
		seen[why.String()] = true
	}
	if len(seen) != int(Losses) || seen[""] {
		t.Errorf("the names are %v", seen)
	}
}
