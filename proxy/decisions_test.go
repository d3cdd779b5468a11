package proxy

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// messageOf is a bot's message to the test's conversation.
func messageOf(text string) request {
	return request{"POST", "/v2/messages", botToken, `{"conversation":"` + conversation + `","text":"` + text + `"}`, nil}
}

func TestRefusalsAndErrorsAreAlwaysRemembered(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Requests, c.Limits.PerIP.Window = 3, time.Hour })
	g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	g.do(t, request{"PUT", "/v2/users", "", "", nil})
	g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	list, last := g.Decisions(0)
	if len(list) != 2 || last != list[0].Serial {
		t.Fatalf("got %+v, want the 429 and the 405", list)
	}
	refusal, fault := list[0], list[1]
	if refusal.Kind != "refused" || refusal.Rule != "per_ip" || refusal.Code != "rate_limited_ip" || refusal.Status != 429 || refusal.Source != "gateway" ||
		len(refusal.IP) != 12 || len(refusal.Key) != 12 || refusal.RetryAfter < 3590 || refusal.RequestID == "" || refusal.Method != "GET" || refusal.Route == "" {
		t.Errorf("the refusal is told as %+v", refusal)
	}
	if fault.Kind != "error" || fault.Status != 405 || fault.Rule != "" || fault.Code != "method_not_allowed" || fault.Key != "" {
		t.Errorf("the error is told as %+v", fault)
	}
	if list, _ := g.Decisions(refusal.Serial); list != nil {
		t.Errorf("nothing came since, but %+v is told", list)
	}
}

func TestAdmittedRequestsAreSampledWhileSomebodyWatches(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	hello := request{"GET", "/v2/users", botToken, "", nil}
	g.do(t, hello)
	if list, _ := g.Decisions(0); len(list) != 0 {
		t.Fatalf("nobody watches, but %+v is remembered", list)
	}
	g.Watch(true)
	g.do(t, hello)
	if list, _ := g.Decisions(0); len(list) != 1 || list[0].Kind != "admitted" || list[0].Source != "upstream" {
		t.Fatalf("got %+v, want the admitted request", list)
	}
	now := g.clock.now() + int64(time.Hour)
	if g.ledger.takes(now); g.ledger.takes(now+admittedEvery-1) || !g.ledger.takes(now+admittedEvery) {
		t.Error("not one sample every 50 ms")
	}
	g.Watch(false)
	if g.ledger.takes(now + 2*admittedEvery) {
		t.Error("samples are taken though nobody watches any more")
	}
}

func TestWhatAShadowWouldRefuseIsRemembered(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerKey.Shadow.Requests, c.Limits.PerKey.Window = 1, time.Hour })
	for range 2 {
		g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	}
	if list, _ := g.Decisions(0); len(list) != 1 || list[0].Kind != "would_refuse" || list[0].Rule != "per_key_shadow" || list[0].Status != 200 {
		t.Errorf("got %+v", list)
	}
}

// Each kind has places of its own, and the latest come first.
func TestAFloodOfOneKindPushesOutNoOther(t *testing.T) {
	var l ledger
	l.init()
	note := func(kind string) { l.of(kind).put(&decision{serial: l.serial.Add(1), kind: kind}) }
	note(kindRefused)
	for range 1000 {
		note(kindError)
		note(kindAdmitted)
	}
	note(kindWouldRefuse)
	list := l.latest()
	if len(list) != keptErrors+keptAdmitted+2 || list[0].kind != kindWouldRefuse || list[len(list)-1].kind != kindRefused {
		t.Errorf("%d are remembered: first %+v, last %+v", len(list), list[0], list[len(list)-1])
	}
	for i := range list[1:] {
		if list[i].serial <= list[i+1].serial {
			t.Fatalf("%d comes before %d", list[i].serial, list[i+1].serial)
		}
	}
}

// Writers wait for nobody, and nobody sees half a decision.
func TestManyMayNoteWhileSomebodyReads(t *testing.T) {
	var l ledger
	l.init()
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for range 5000 {
				n := l.serial.Add(1)
				l.refusals.put(&decision{serial: n, at: int64(n), kind: kindRefused})
			}
		})
	}
	for range 50 {
		for _, d := range l.latest() {
			if d.at != int64(d.serial) {
				t.Fatalf("half of %d, half of %d", d.serial, d.at)
			}
		}
	}
	working.Wait()
	if list := l.latest(); len(list) != keptRefusals {
		t.Errorf("%d are remembered", len(list))
	}
}

// What is told holds nothing that a stranger sent in clear.
func TestDecisionsHoldNothingInClear(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.LoopGuard.Identical.Messages = 1; unlimited(c) })
	g.Watch(true)
	for range 2 {
		g.do(t, messageOf("canary text"))
	}
	g.do(t, request{"GET", "/v2/canary?canary=1", "canary-token", "", map[string]string{"X-Canary": "canary"}})
	decisions, _ := g.Decisions(0)
	limits, blocked := g.Limits()
	for _, told := range []any{decisions, limits, blocked, g.Upstream(), g.StoresNow()} {
		text := jsonOf(t, told)
		for _, secret := range []string{"canary", botToken, conversation, "127.0.0.1\""} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is told in %s", secret, text)
			}
		}
	}
	if len(decisions) < 2 || len(blocked) != 1 {
		t.Errorf("%d decisions and %d blocks were looked at", len(decisions), len(blocked))
	}
}
