package rehearse

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
	"github.com/chatshipper/gateway/proxy"
)

// house is one of the default rules, changed.
func house(t testing.TB, change func(*proxy.Config)) *House {
	t.Helper()
	cfg := proxy.Config{
		Identity: identity.DefaultConfig(), Methods: proxy.DefaultMethods(), Limits: limiter.DefaultConfig(),
		LoopGuard: loopguard.DefaultConfig(), Errors: proxy.DefaultErrors(), MemoryBytes: 32 << 20,
	}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func TestWhatTheConfigurationSaysOfAKeyDecides(t *testing.T) {
	sum := sha256.Sum256([]byte("agents-token"))
	h := house(t, func(c *proxy.Config) {
		c.Identity.Keys = []identity.Key{{SHA256: hex.EncodeToString(sum[:]), Role: "human"}}
		c.Limits.Overrides = []limiter.Override{
			{KeySHA256: hex.EncodeToString(sum[:]), Requests: 2, Window: time.Second},
			{User: "vip", Requests: 3, Window: time.Second},
			{CIDR: "198.51.100.0/24", Requests: 1, Window: time.Second},
		}
	})
	message := Asked{Key: "agents-token", Method: "POST", Path: "/v2/messages", Body: `{"conversation":"c","text":"a"}`}
	play := func(asked Asked, every time.Duration, want int) {
		t.Helper()
		o := h.Play(&Case{Timeline: []Step{{Repeat: 40, Every: every, Asked: asked, Expect: Expect{Decision: Admitted}}}})
		got := 41
		if len(o.Failures) > 0 {
			got = o.Failures[0].Number
		}
		if got != want {
			t.Errorf("the first refused request of %+v is number %d, want %d: %+v", asked, got, want, o.Failures)
		}
	}
	play(message, time.Second, 41) // a person's
	play(message, 0, 3)            // the key's own limit
	message.Key = "unexplained"
	play(message, time.Second, 9) // a bot's: identical
	message.Role = "human"
	play(message, time.Second, 41)
	play(Asked{Key: "any", User: "vip"}, 0, 4)
	play(Asked{IP: "198.51.100.7"}, 0, 2)
	play(Asked{}, 0, 21)
}

func TestAKeyThatIsRequired(t *testing.T) {
	h := house(t, func(c *proxy.Config) { c.Identity.Required = true })
	f := func(asked Asked, want int) {
		t.Helper()
		r := asked.over(Default).request(1)
		if got := h.Ask(epoch, &r); got.Status != want {
			t.Errorf("%+v: got %+v, want %d", asked, got, want)
		}
	}
	f(Asked{}, 401)
	f(Asked{Key: "token"}, 200)
	f(Asked{Method: "POST", Path: "/v2/auth/token"}, 201)
}

func TestWhatTheUpstreamMakesOfARequest(t *testing.T) {
	h := house(t, func(c *proxy.Config) { c.Errors.TimeoutStatus = 504; c.LoopGuard.MaxBodyBytes = 100 })
	f := func(asked Asked, status int, code string) {
		t.Helper()
		r := asked.over(Default).request(1)
		if got := h.Ask(epoch, &r); got.Status != status || got.Code != code {
			t.Errorf("%+v: got %+v, want %d %s", asked, got, status, code)
		}
	}
	f(Asked{Upstream: "404"}, 404, "")
	f(Asked{Upstream: "timeout"}, 504, "upstream_timeout")
	f(Asked{Upstream: "unreachable"}, 502, "upstream_unreachable")
	f(Asked{Path: "/a b"}, 400, "invalid_request")
	f(Asked{Method: "POST", Path: "/v2/messages", Body: strings.Repeat(" ", 101)}, 413, "payload_too_large")
	f(Asked{Method: "POST", Path: "/v2/messages", Body: "{"}, 400, "invalid_request")
}

func TestANumberMakesRequestsDiffer(t *testing.T) {
	asked := Asked{IP: "192.0.2.{n}", Key: "key-{n}", User: "user-{n}", Path: "/{n}", Body: "[{n}]", Answer: "<{n}>"}
	r := asked.over(Default).request(7)
	if r.Client.String() != "192.0.2.7" || r.Key != "key-7" || r.User != "user-7" || r.Target != "/7" || string(r.Body) != "[7]" || string(r.Answer) != "<7>" {
		t.Errorf("got %+v", r)
	}
}

func TestAStepFailsOnceHoweverOftenItRepeats(t *testing.T) {
	h := house(t, nil)
	o := h.Play(&Case{Timeline: []Step{
		{Repeat: 50, Every: time.Millisecond, Expect: Expect{Status: 200}},
		{At: time.Second, Expect: Expect{Rule: "identical"}},
	}})
	if o.Requests != 51 || len(o.Failures) != 2 || o.Spans != time.Second {
		t.Fatalf("got %+v", o)
	}
	first := o.Failures[0]
	if first.Number != 21 || first.At != 20*time.Millisecond || first.Expected != "200" || len(first.Counters) != 1 ||
		first.Counters[0].String() != "per_ip 20 of 20 in 1s, free in 980ms" {
		t.Errorf("got %+v", first)
	}
}

func TestAConfigurationThatCannotBeUsed(t *testing.T) {
	f := func(want string, change func(*proxy.Config)) {
		t.Helper()
		cfg := proxy.Config{Identity: identity.DefaultConfig(), Limits: limiter.DefaultConfig(), LoopGuard: loopguard.DefaultConfig()}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f("cannot use limits", func(c *proxy.Config) { c.Limits.Overrides = []limiter.Override{{CIDR: "x"}} })
	f("cannot use identity", func(c *proxy.Config) { c.Identity.JWT.PublicKeyFile = "none" })
}
