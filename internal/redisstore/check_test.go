package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A check says in one sentence what stands between the gateway and its server.
func TestTheCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	secure := "127.0.0.1:" + freePort(t)
	s := startServer(t, "--tls-port", strings.TrimPrefix(secure, "127.0.0.1:"),
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	s.do("ACL", "SETUSER", "reader", "on", ">its password", "~gw*", "+@read", "+@connection")
	s.do("CONFIG", "SET", "requirepass", "the password")
	f := func(want string, change func(*Config)) {
		t.Helper()
		cfg := testConfig(s.addr)
		cfg.Timeout, cfg.Password = 5*time.Second, "the password"
		change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := Check(ctx, cfg)
		if want == "" && err == nil {
			return
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), " password\"") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("", func(*Config) {})
	f("", func(c *Config) {
		c.Addresses[0], c.TLS = secure, TLS{Enabled: true, CAFile: cert, ServerName: "redis.test"}
	})
	f("WRONGPASS", func(c *Config) { c.Password = "another password" })
	f("WRONGPASS", func(c *Config) { c.Username = "nobody" })
	f("wants a password", func(c *Config) { c.Password = "" })
	f("cannot run a script: NOPERM", func(c *Config) { c.Username, c.Password = "reader", "its password" })
	f("connection refused", func(c *Config) { c.Addresses[0] = "127.0.0.1:" + freePort(t) })
	f("speaks no TLS", func(c *Config) { c.TLS = TLS{Enabled: true, CAFile: cert, ServerName: "redis.test"} })
	f("speaks TLS", func(c *Config) { c.Addresses[0] = secure })
	f("another.test", func(c *Config) {
		c.Addresses[0], c.TLS = secure, TLS{Enabled: true, CAFile: cert, ServerName: "another.test"}
	})
	f("cannot read store.redis.tls.ca_file", func(c *Config) { c.TLS = TLS{Enabled: true, CAFile: "missing"} })
	f("store.redis.timeout is 1ns", func(c *Config) { c.Timeout = 1 })
}
