package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// reloaded waits until the gateway says whether it took the configuration.
func (g *gateway) reloaded(t *testing.T, want float64) {
	t.Helper()
	eventually(t, "the configuration was looked at", func() error {
		if got := g.metrics(t).value(t, "gateway_config_last_reload_successful"); got != want {
			return fmt.Errorf("config_last_reload_successful is %v, want %v", got, want)
		}
		return nil
	})
}

func TestReloadKeepsCountsAndTheLastGoodConfiguration(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	token := mint("65aa001122334455667700d1", "viewer guest agent bot")
	post := func() answer {
		return g.do(t, call{path: "/v2/messages", token: token, body: `{"conversation":"65aa0e00aabbccddeeff00d1","text":"same"}`})
	}
	for range 3 {
		wantStatus(t, post(), 201)
	}

	// A file with mistakes changes nothing, and every mistake is in the log.
	if err := os.WriteFile(g.config, []byte("limitz: {}\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.signal(t, syscall.SIGHUP)
	g.reloaded(t, 0)
	wantStatus(t, post(), 201)

	// A good one applies at once to what is counted. It is noticed by its content.
	g.writeConfig(t, setup{rest: noRequestLimits + "loopguard: {identical: {messages: 4}}\n"})
	g.reloaded(t, 1)
	a := post()
	wantOurError(t, a, 429, "identical_messages")
	if !strings.Contains(string(a.body), `"limit":4`) {
		t.Errorf("the new limit is not the one that refuses: %s", a)
	}
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, part := range []string{"limitz", "log.level", "last good"} {
		if !strings.Contains(g.logs(), part) {
			t.Errorf("the log lacks %q:\n%s", part, g.logs())
		}
	}
}
