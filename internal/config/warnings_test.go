package config

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const hook = "webhook: {secret: s}\n" // without it, every configuration is warned about
	f := func(text string, want ...string) {
		t.Helper()
		got := parse(t, text, environment()).Warnings()
		if len(got) != len(want) {
			t.Errorf("unexpected warnings of %s: %q", text, got)
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("unexpected warning of %s: %q does not begin with %q", text, got[i], want[i])
			}
		}
	}

	// Nothing odd
	f(smallest + hook)
	f(smallest + hook + "listen: {address: ':80'}")
	f("upstream: {url: http://127.0.0.1:9000}\n" + hook)
	f(smallest+"loopguard: {consecutive: {mode: off}}", "loopguard.consecutive.mode is off")

	f(smallest + hook + "limits: {overrides: [{user: 5ee7, requests: 50, window: 1s}]}\nidentity: {jwt: {secret: s}}")

	// Odd
	f(smallest, "webhook.secret is not set")
	f(smallest+hook+"limits: {per_ip: {mode: off}, per_key: {mode: shadow}}", "limits.per_ip.mode is off", "limits.per_key.mode is shadow")
	f(smallest+hook+"loopguard: {identical: {mode: off}}", "loopguard.identical.mode is off")
	f(smallest + hook + "limits: {per_ip: {shadow: {requests: 15}}, per_key: {shadow: {requests: 20, window: 2s}}}")
	f(smallest+hook+"limits: {per_ip: {mode: shadow, shadow: {requests: 30}}}", "limits.per_ip.mode is shadow")
	f(smallest+hook+"limits: {per_ip: {shadow: {requests: 20}}}", "limits.per_ip.shadow would refuse nothing that limits.per_ip admits")
	f(smallest+hook+"loopguard: {identical: {shadow: {messages: 9, window: 1m}}}", "loopguard.identical.shadow would refuse nothing")
	f(smallest+hook+"limits: {per_key: {mode: off, shadow: {requests: 2}}}", "limits.per_key.shadow has no effect", "limits.per_key.mode is off")
	f(smallest+hook+"listen: {trusted_proxies: [0.0.0.0/0]}", "listen.trusted_proxies holds every address")
	f(smallest+hook+"limits: {exempt: [{path: /x}, {cidr: '::/0'}]}", "limits.exempt[1] holds every address")
	f(smallest+hook+"limits: {overrides: [{user: 5ee7, requests: 50, window: 1s}]}", "limits.overrides[0] names a user")
	f(smallest+"webhook: {secret: s, path: /v2/webhook}", "webhook.path is /v2/webhook")
	f(smallest+hook+"store: {redis: {addresses: ['redis:6379']}}", "store.redis is set but not used")
	f("upstream: {url: http://api.chatshipper.com}\n"+hook, "upstream.url is http, not https")
	f("upstream: {url: http://localhost:8080}\n"+hook, "upstream.url looks like the gateway's own address")
	f("upstream: {url: 'http://localhost', addresses: ['localhost:8081', 'api-1.internal:80', '127.0.0.1:8080']}\n"+hook,
		"upstream.url is http, not https: API keys travel to api-1.internal in clear", "upstream.addresses[2] looks like the gateway's own address")
}
