package proxy

import (
	"slices"
	"testing"
)

func TestAReloadKeepsCountsAndAppliesAtOnce(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	for range 5 {
		g.post(t, nested, botToken, chat("same")).is(t, 201, "")
	}
	cfg := testConfig(r)
	unlimited(&cfg)
	cfg.LoopGuard.Identical.Messages = 5
	if restart, err := g.Reload(cfg); err != nil || len(restart) != 0 {
		t.Fatalf("got %v, %v", restart, err)
	}
	g.post(t, nested, botToken, chat("same")).is(t, 429, "identical_messages")
	cfg.LoopGuard.Identical.Messages = 6
	if _, err := g.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	g.post(t, nested, botToken, chat("same")).is(t, 201, "")
	g.post(t, nested, botToken, chat("same")).is(t, 429, "identical_messages")
}

func TestABadConfigurationChangesNothing(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	before := g.rules.Load()
	cfg := testConfig(r)
	cfg.Listen.TrustedProxies = []string{"nonsense"}
	if _, err := g.Reload(cfg); err == nil || g.rules.Load() != before {
		t.Errorf("got %v", err)
	}
}

func TestAReloadNamesWhatNeedsARestart(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	cfg := testConfig(r)
	cfg.Listen.Address, cfg.Upstream.URL = ":1", "http://127.0.0.1:1"
	cfg.Listen.TrustedProxies = []string{"10.0.0.0/8"} // this does not
	cfg.Identity.Required = true
	restart, err := g.Reload(cfg)
	if want := []string{"listen", "upstream"}; err != nil || !slices.Equal(restart, want) {
		t.Errorf("got %v, %v, want %v", restart, err, want)
	}
	g.do(t, request{method: "GET", path: "/"}).is(t, 401, "unauthenticated")
}
