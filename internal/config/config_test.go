package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/proxy"
)

// smallest is the smallest file that is complete.
const smallest = "upstream: {url: https://api.chatshipper.com}\n"

// environment returns a getenv that knows the variables in pairs only.
func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// parse reads a configuration that must be right.
func parse(t *testing.T, text string, getenv func(string) (string, bool)) *Config {
	t.Helper()
	c, err := Parse("gateway.yaml", []byte(text), getenv)
	if err != nil {
		t.Fatalf("unexpected mistakes:\n%s", err)
	}
	return c
}

// mistakesOf returns the mistakes of a configuration that must be wrong.
func mistakesOf(t *testing.T, text string, getenv func(string) (string, bool)) []Mistake {
	t.Helper()
	c, err := Parse("gateway.yaml", []byte(text), getenv)
	if err == nil {
		t.Fatalf("no mistake was found in:\n%s", text)
	}
	if c != nil {
		t.Errorf("a wrong configuration was returned all the same")
	}
	var m *Mistakes
	if !errors.As(err, &m) {
		t.Fatalf("unexpected error of type %T: %s", err, err)
	}
	return m.List
}

func TestParseFillsInWhatTheFileSays(t *testing.T) {
	f := func(text string, change func(*Config)) {
		t.Helper()
		got, want := parse(t, smallest+text, environment()), Default()
		want.Upstream.URL = "https://api.chatshipper.com"
		change(&want)
		want.file, want.origins, want.secretFiles = got.file, got.origins, got.secretFiles
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("unexpected configuration of %q:\n got %+v\nwant %+v", text, *got, want)
		}
	}

	// The defaults
	f("", func(*Config) {})
	f("limits:\nloopguard: {}\n", func(*Config) {})
	f("limits:\n  overrides:\n  per_ip: ~\n", func(*Config) {})
	f("# only a comment\n", func(*Config) {})

	f("log:\r\n  level: warn\r\n", func(c *Config) { c.Log.Level = "warn" })

	// Every kind of value
	f("listen: {address: ':80', max_connections: 7}", func(c *Config) { c.Listen.Address, c.Listen.MaxConnections = ":80", 7 })
	f("admin: {pprof: true}", func(c *Config) { c.Admin.Pprof = true })
	f("log: {access: False}", func(c *Config) { c.Log.Access = false })
	f("tracing: {sample_ratio: .5}", func(c *Config) { c.Tracing.SampleRatio = 0.5 })
	f("tracing: {sample_ratio: 1}", func(c *Config) { c.Tracing.SampleRatio = 1 })
	f("store: {memory: {max_bytes: 1.5GiB}}", func(c *Config) { c.Store.Memory.MaxBytes = 3 << 29 })
	f("store: {memory: {max_bytes: 2000000}}", func(c *Config) { c.Store.Memory.MaxBytes = 2e6 })
	f("loopguard: {identical: {window: 1m30s}}", func(c *Config) { c.LoopGuard.Identical.Window = 90 * time.Second })
	f(`loopguard: {identical: {window: "2m"}}`, func(c *Config) { c.LoopGuard.Identical.Window = 2 * time.Minute })
	f("limits: {per_ip: {mode: off}, per_key: {mode: shadow}}", func(c *Config) {
		c.Limits.PerIP.Mode, c.Limits.PerKey.Mode = unit.Off, unit.Shadow
	})
	f("webhook: {secret: s3cret}", func(c *Config) { c.Webhook.Secret = "s3cret" })

	// Text stays what was written, whatever YAML might take it for
	f("store: {redis: {username: 0123, password: yes}}", func(c *Config) {
		c.Store.Redis.Username, c.Store.Redis.Password = "0123", "yes"
	})
	f("store: {redis: {username: 5e7, password: 1_000}}", func(c *Config) {
		c.Store.Redis.Username, c.Store.Redis.Password = "5e7", "1_000"
	})

	// Lists replace their defaults; an empty one too
	f("methods: {allow: [GET]}", func(c *Config) { c.Methods.Allow = []string{"GET"} })
	f("loopguard: {identical: {ignore_fields: []}}", func(c *Config) { c.LoopGuard.Identical.IgnoreFields = nil })
	f("methods: {exceptions: [{method: PUT, path: '/v2/messages/{id}'}]}", func(c *Config) {
		c.Methods.Exceptions = []proxy.MethodException{{Method: "PUT", Path: "/v2/messages/{id}"}}
	})
	f("limits:\n  overrides:\n    - cidr: 10.0.0.0/8\n      requests: 200\n      window: 1s\n", func(c *Config) {
		c.Limits.Overrides = []limiter.Override{{CIDR: "10.0.0.0/8", Requests: 200, Window: time.Second}}
	})

	// Aliases
	f("limits:\n  per_ip: {window: &w 2s}\n  per_key: {window: *w}\n", func(c *Config) {
		c.Limits.PerIP.Window, c.Limits.PerKey.Window = 2*time.Second, 2*time.Second
	})
	f("loopguard: {identical: &same {messages: 5}, consecutive: *same}", func(c *Config) {
		c.LoopGuard.Identical.Messages, c.LoopGuard.Consecutive.Messages = 5, 5
	})
}

func TestDefaultLacksOnlyTheURL(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "{}", "~"} {
		list := mistakesOf(t, text, environment())
		if len(list) != 1 || list[0].Path != "upstream.url" {
			t.Errorf("unexpected mistakes of %q: %v", text, list)
		}
	}
}

func TestAByteOrderMarkIsNoText(t *testing.T) {
	if c := parse(t, "\ufeff"+smallest, environment()); c.Upstream.URL != "https://api.chatshipper.com" {
		t.Errorf("unexpected upstream.url %q", c.Upstream.URL)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte("upstream: {url: '${URL}'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, environment("URL", "https://api.example.com"))
	if err != nil {
		t.Fatalf("unexpected mistakes:\n%s", err)
	}
	if c.Upstream.URL != "https://api.example.com" {
		t.Errorf("unexpected upstream.url %q", c.Upstream.URL)
	}

	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.yaml"): "cannot read the configuration: no such file or directory",
		t.TempDir():                             "cannot read the configuration: is a directory",
	} {
		_, err := Load(path, environment())
		var m *Mistakes
		if !errors.As(err, &m) || err.Error() != path+": "+want {
			t.Errorf("unexpected error %v", err)
		}
	}
}

func TestAFileThatIsTooLargeIsRefused(t *testing.T) {
	list := mistakesOf(t, strings.Repeat("#", maxFileBytes+1), environment())
	if got, want := list[0].String(), "gateway.yaml: is larger than 8 MiB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAliasesCannotMultiplyWork(t *testing.T) {
	item := "&a {" + strings.Repeat("x: 1, ", 500) + "path: /}"
	text := "limits: {exempt: [" + item + strings.Repeat(", *a", 1000) + "]}\n" + smallest
	list := mistakesOf(t, text, environment())
	tooMany := 0
	for _, m := range list {
		if strings.Contains(m.Problem, "aliases stand for more than 10000 values") {
			tooMany++
		}
	}
	if tooMany != 1 || len(list) > 10_000 {
		t.Errorf("%d mistakes in all, of them %d about aliases", len(list), tooMany)
	}
}

func TestAnAliasOfItselfIsRefused(t *testing.T) {
	for _, text := range []string{
		"limits: &a {per_ip: *a}",
		"limits: {overrides: &a [*a]}",
		"&a {upstream: *a}",
	} {
		mistakesOf(t, text, environment())
	}
}

func TestRoomsReportThroughTheFile(t *testing.T) {
	f := func(text, path string) {
		t.Helper()
		for _, m := range mistakesOf(t, "\n"+text, environment()) {
			if m.Path == path && m.Line == 2 {
				return
			}
		}
		t.Errorf("no mistake of %q was reported in %q", path, text)
	}
	f("listen: {max_body_bytes: 1}", "listen.max_body_bytes")
	f("admin: {address: '9900'}", "admin.address")
	f("methods: {allow: []}", "methods.allow")
	f("webhook: {path: x}", "webhook.path")
	f("errors: {timeout_status: 200}", "errors.timeout_status")
	f("store: {redis: {replicas: 0}}", "store.redis.replicas")
	f("log: {level: loud}", "log.level")
	f("tracing: {sample_ratio: 2}", "tracing.sample_ratio")
	f("identity: {opaque_tokens: cat}", "identity.opaque_tokens")
	f("upstream: {timeout: -1s}", "upstream.timeout")
	f("limits: {per_ip: {requests: 0}}", "limits.per_ip.requests")
	f("loopguard: {identical: {messages: 0}}", "loopguard.identical.messages")
}
