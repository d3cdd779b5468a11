package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// source is the i-th of many client addresses, all of them this machine's.
func source(i int) string { return fmt.Sprintf("127.0.%d.%d", 1+i/250, 1+i%250) }

func TestTheTwentyFirstRequestOfAKeyWithinASecondIsRefused(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		up := startStub(t, nil)
		g := startGateway(t, up.URL, setup{})
		token := mint(agentUser, agentScope)
		started := time.Now()
		for i := range 20 {
			wantStatus(t, g.do(t, call{path: "/v2/users", token: token, from: source(i)}), 200)
		}
		refused := g.do(t, call{path: "/v2/users", token: token, from: source(20)})
		o := wantLimited(t, started, refused, "rate_limited_key")
		if at(o, "error", "limit") != 20.0 || at(o, "error", "window") != "1s" || at(o, "error", "retryAfter") != 1.0 {
			t.Errorf("the refusal says limit %v, window %v, retryAfter %v; want 20, 1s, 1",
				at(o, "error", "limit"), at(o, "error", "window"), at(o, "error", "retryAfter"))
		}
		if got := len(up.seen()); got != 20 {
			t.Errorf("%d requests reached the upstream, want 20", got)
		}
		other := g.do(t, call{path: "/v2/users", token: mint(botUser, botScope), from: source(21)})
		wantStatus(t, other, 200)
	})
}

func TestTheTwentyFirstRequestOfAnAddressWithinASecondIsRefused(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		up := startStub(t, nil)
		g := startGateway(t, up.URL, setup{})
		started := time.Now()
		for i := range 20 {
			token := mint(fmt.Sprintf("65aa0011223344556677%04x", i), agentScope)
			wantStatus(t, g.do(t, call{path: "/v2/users", token: token}), 200)
		}
		refused := g.do(t, call{path: "/v2/users", token: mint(agentUser, agentScope)})
		wantLimited(t, started, refused, "rate_limited_ip")
		if got := len(up.seen()); got != 20 {
			t.Errorf("%d requests reached the upstream, want 20", got)
		}
		wantStatus(t, g.do(t, call{path: "/v2/users", from: source(0)}), 200)
	})
}

func TestARequestThatOneLimitRefusesCostsTheOtherNothing(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{})
		token := mint(agentUser, agentScope)
		started := time.Now()
		for range 20 {
			wantStatus(t, g.do(t, call{path: "/v2/users", token: mint(botUser, botScope)}), 200)
		}
		for range 10 {
			wantLimited(t, started, g.do(t, call{path: "/v2/users", token: token}), "rate_limited_ip")
		}
		for i := range 20 {
			wantStatus(t, g.do(t, call{path: "/v2/users", token: token, from: source(i)}), 200)
		}
		mustBeWithinASecond(started)
	})
}

func TestRefusedRequestsDoNotCountButAllOthersDo(t *testing.T) {
	t.Parallel()
	up := startStub(t, reply(401, "application/json", `{"message":"No authorization token was found"}`))
	inTime(t, func() {
		g := startGateway(t, up.URL, setup{})
		started := time.Now()
		for range 10 {
			wantStatus(t, g.do(t, call{path: "/v2/users"}), 401)
			wantStatus(t, g.do(t, call{method: "PUT", path: "/v2/users"}), 405)
		}
		wantLimited(t, started, g.do(t, call{path: "/v2/users"}), "rate_limited_ip")

		// A client that keeps knocking is let in as soon as one that waited.
		for time.Since(started) < 1300*time.Millisecond {
			if a := g.do(t, call{path: "/v2/users"}); a.status == 401 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error("refused requests seem to count: none was admitted 1.3 s after the first")
	})
}

// admission is one request as the client knows it: it was decided upon at some
// instant between sent and received.
type admission struct {
	sent, received time.Time
	admitted       bool
}

func TestTheWindowIsExact(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	token := mint(agentUser, agentScope)
	var history []admission
	for i := 0; i < 1500 && (len(history) == 0 || time.Since(history[0].sent) < 3200*time.Millisecond); i++ {
		a := g.do(t, call{path: "/v2/users", token: token, from: source(i % 200)})
		history = append(history, admission{a.sent, a.received, a.status == 200})
		time.Sleep(time.Duration(3+i%7) * time.Millisecond)
	}
	checkWindow(t, history, 20, time.Second)
}

// checkWindow holds a client's history against the promise: no window of that
// length with more admitted than the limit, no refusal while it holds fewer.
// What the client can't know for sure speaks for the gateway.
func checkWindow(t *testing.T, history []admission, limit int, window time.Duration) {
	t.Helper()
	admitted, refused := 0, 0
	for j, now := range history {
		surely, possibly := 0, 0
		for i, before := range history {
			if i == j || !before.admitted || before.sent.After(now.received) {
				continue
			}
			if now.received.Sub(before.sent) < window && before.received.Before(now.sent) {
				surely++
			}
			if now.sent.Sub(before.received) < window {
				possibly++
			}
		}
		if now.admitted {
			admitted++
			if surely >= limit {
				t.Fatalf("request %d was admitted although %d were in the window before it", j, surely)
			}
			continue
		}
		refused++
		if possibly < limit {
			t.Fatalf("request %d was refused although at most %d were in the window before it", j, possibly)
		}
	}
	if admitted < limit || refused == 0 {
		t.Fatalf("%d admitted, %d refused: the test has not reached the limit", admitted, refused)
	}
}

func TestTheNextRequestPassesWhenTheOldestIsASecondOld(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{})
		first := g.do(t, call{path: "/v2/users"})
		time.Sleep(300 * time.Millisecond)
		for range 19 {
			wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
		}
		refused := g.do(t, call{path: "/v2/users"})
		wantLimited(t, first.sent, refused, "rate_limited_ip")

		time.Sleep(time.Until(first.received.Add(time.Second)))
		// One has left the window, so one passes, and no second one.
		wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
		again := g.do(t, call{path: "/v2/users"})
		wantLimited(t, first.sent.Add(300*time.Millisecond), again, "rate_limited_ip")
	})
}

func TestAHundredConcurrentRequestsAdmitExactlyTwenty(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		up := startStub(t, nil)
		g := startGateway(t, up.URL, setup{})
		token := mint(agentUser, agentScope)
		started := time.Now()
		answers := g.together(t, 100, func(i int) call {
			return call{path: "/v2/users", token: token, from: source(i % 25)}
		})
		mustBeWithinASecond(started)
		if passed, refused := count(answers, 200), count(answers, 429); passed != 20 || refused != 80 {
			t.Errorf("%d passed and %d were refused, want 20 and 80", passed, refused)
		}
		if got := len(up.seen()); got != 20 {
			t.Errorf("%d requests reached the upstream, want 20", got)
		}
	})
}

func TestClientsBehindATrustedProxyAreLimitedApart(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{listen: "trusted_proxies: [127.0.0.0/8]"})
		behind := func(chain string) call {
			return call{path: "/v2/users", header: map[string]string{"X-Forwarded-For": chain}}
		}
		started := time.Now()
		for i := range 40 { // two clients, 20 requests each
			wantStatus(t, g.do(t, behind(fmt.Sprintf("203.0.113.%d", 1+i%2))), 200)
		}
		wantLimited(t, started, g.do(t, behind("203.0.113.1")), "rate_limited_ip")
		// What stands left of the right-most untrusted address is the client's word.
		wantLimited(t, started, g.do(t, behind("198.51.100.7, 203.0.113.1")), "rate_limited_ip")
		wantStatus(t, g.do(t, behind("203.0.113.1, 203.0.113.3")), 200)
		mustBeWithinASecond(started)
	})
}

func TestAnUntrustedClientCannotChooseItsAddress(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{})
		started := time.Now()
		var last answer
		for i := range 21 {
			last = g.do(t, call{path: "/v2/users", header: map[string]string{
				"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", i), "Forwarded": fmt.Sprintf("for=198.51.100.%d", i),
				"X-Real-IP": fmt.Sprintf("192.0.2.%d", i),
			}})
		}
		wantLimited(t, started, last, "rate_limited_ip")
	})
}

func TestIPv6ClientsAreLimitedPerNetwork(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{listen: "trusted_proxies: [127.0.0.0/8]"})
		behind := func(address string) call {
			return call{path: "/v2/users", header: map[string]string{"X-Forwarded-For": address}}
		}
		started := time.Now()
		for i := range 20 {
			wantStatus(t, g.do(t, behind(fmt.Sprintf("2001:db8:0:1::%x", i+1))), 200)
		}
		wantLimited(t, started, g.do(t, behind("2001:db8:0:1:ffff::1")), "rate_limited_ip")
		wantStatus(t, g.do(t, behind("2001:db8:0:2::1")), 200)
		mustBeWithinASecond(started)
	})
}

func TestTheSpellingOfAKeyMakesNoOtherKey(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{})
		token := mint(agentUser, agentScope)
		spellings := []string{"Bearer " + token, "bearer " + token, "BEARER   " + token, "  Bearer " + token + "  "}
		started := time.Now()
		var last answer
		for i := range 21 {
			last = g.do(t, call{path: "/v2/users", from: source(i), header: map[string]string{"Authorization": spellings[i%len(spellings)]}})
		}
		wantLimited(t, started, last, "rate_limited_key")
	})
}

func TestOverridesRaiseALimit(t *testing.T) {
	t.Parallel()
	token := mint(agentUser, agentScope)
	sum := sha256.Sum256([]byte(token))
	up := startStub(t, nil)
	inTime(t, func() {
		g := startGateway(t, up.URL, setup{rest: `limits:
  overrides:
    - {key_sha256: "` + hex.EncodeToString(sum[:]) + `", requests: 30, window: 1s}
    - {cidr: 127.0.0.0/8, requests: 25, window: 1s}
    - {cidr: 127.9.9.9/32, requests: 3, window: 1s}
`})
		f := func(n int, code string, c func(i int) call) {
			t.Helper()
			started := time.Now()
			for i := range n {
				wantStatus(t, g.do(t, c(i)), 200)
			}
			wantLimited(t, started, g.do(t, c(n)), code)
		}
		f(30, "rate_limited_key", func(i int) call { return call{path: "/v2/users", token: token, from: source(i)} })
		f(25, "rate_limited_ip", func(int) call { return call{path: "/v2/users"} })
		f(3, "rate_limited_ip", func(int) call { return call{path: "/v2/users", from: "127.9.9.9"} })
	})
}

func TestExemptPathsAndNetworksAreNeverLimited(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: "limits: {exempt: [{path: /v2/ping}, {cidr: 127.7.0.0/16}]}\n"})
	for range 30 {
		wantStatus(t, g.do(t, call{path: "/v2/ping"}), 200)
		wantStatus(t, g.do(t, call{path: "/v2/users", from: "127.7.1.2"}), 200)
	}
}

func TestShadowModeMeasuresAndRefusesNothing(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: "limits: {per_ip: {mode: shadow, window: 1m}, per_key: {mode: shadow, window: 1m}}\n" +
		"loopguard: {identical: {mode: shadow}, consecutive: {mode: shadow}}\n"})
	body := fmt.Sprintf(`{"conversation":%q,"text":"the same"}`, conversation(1))
	for range 30 {
		wantStatus(t, g.do(t, call{path: "/v2/messages", token: mint(botUser, botScope), body: body}), 201)
	}
	m := g.metrics(t)
	for _, rule := range []string{"per_ip", "per_key", "identical", "consecutive"} {
		if got := m.value(t, `gateway_limit_decisions_total{decision="would_refuse",rule="`+rule+`"}`); got < 1 {
			t.Errorf("the rule %s would have refused %v times, want at least once", rule, got)
		}
		if got := m.value(t, `gateway_limit_decisions_total{decision="refused",rule="`+rule+`"}`); got != 0 {
			t.Errorf("the rule %s refused %v times in shadow mode", rule, got)
		}
	}
}

func TestLimitedAnswersCarryTheNearestLimit(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{})
		started := time.Now()
		var answers []answer
		for range 21 {
			answers = append(answers, g.do(t, call{path: "/v2/users", token: mint(agentUser, agentScope)}))
		}
		mustBeWithinASecond(started)
		for i, a := range answers[:20] {
			wantStatus(t, a, 200)
			wantLimitHeaders(t, a, 20, 19-i)
		}
		wantStatus(t, answers[20], 429)
		wantLimitHeaders(t, answers[20], 20, 0)
		if got := wantRetryAfter(t, answers[20]); got != 1 {
			t.Errorf("Retry-After %d, want 1", got)
		}
	})
}

// wantLimitHeaders checks both families of headers against each other.
func wantLimitHeaders(t *testing.T, a answer, limit, remaining int) {
	t.Helper()
	want := map[string]string{"X-RateLimit-Limit": fmt.Sprint(limit), "X-RateLimit-Remaining": fmt.Sprint(remaining)}
	for name, value := range want {
		if got := a.header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if a.header.Get("X-RateLimit-Reset") == "" {
		t.Error("no X-RateLimit-Reset")
	}
	if policy := a.header.Get("RateLimit-Policy"); !strings.Contains(policy, fmt.Sprintf(";q=%d", limit)) || !strings.HasPrefix(policy, `"`) {
		t.Errorf(`RateLimit-Policy: %q, want a quoted name and ";q=%d"`, policy, limit)
	}
	if state := a.header.Get("RateLimit"); !strings.Contains(state, fmt.Sprintf(";r=%d", remaining)) {
		t.Errorf(`RateLimit: %q, want ";r=%d"`, state, remaining)
	}
}
