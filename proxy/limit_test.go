package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// code is error.code of an answer of ours.
func (a answer) code(t *testing.T) string {
	t.Helper()
	var body struct {
		Message string
		Error   struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%d %q is no JSON: %v", a.StatusCode, a.body, err)
	}
	if body.Message == "" || body.Error.Message != body.Message {
		t.Errorf("%q: message and error.message must be there and equal", a.body)
	}
	return body.Error.Code
}

func (a answer) is(t *testing.T, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("got %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	if status >= 400 {
		if got := a.code(t); got != code {
			t.Fatalf("got code %q, want %q", got, code)
		}
	}
}

func TestTwentyRequestsPerSecondAndAddress(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, nil)
	for range 20 {
		g.do(t, request{method: "GET", path: "/v2/users"}).is(t, 200, "")
	}
	a := g.do(t, request{method: "GET", path: "/v2/users"})
	a.is(t, 429, "rate_limited_ip")
	for name, want := range map[string]string{
		"Retry-After": "1", "Ratelimit-Policy": `"per_ip";q=20;w=1`, "Ratelimit": `"per_ip";r=0;t=1`,
		"X-Ratelimit-Limit": "20", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1", "Content-Type": "application/json",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if n := r.requests(); n != 20 {
		t.Errorf("the upstream saw %d requests, want 20", n)
	}
	if n := g.metric(t, "gateway_limit_decisions_total decision=refused rule=per_ip"); n != 1 {
		t.Errorf("%v refusals counted for per_ip, want 1", n)
	}
	if n := g.metric(t, "gateway_limit_decisions_total decision=refused rule=per_key"); n != 0 {
		t.Errorf("%v refusals counted for per_key, want none", n)
	}
}

func TestTwentyRequestsPerSecondAndKeyFromManyAddresses(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) { c.Listen.TrustedProxies = []string{"127.0.0.0/8"} })
	get := func(i int, bearer string) answer {
		return g.do(t, request{method: "GET", path: "/v2/users", header: map[string]string{
			"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", i), "Authorization": bearer,
		}})
	}
	spellings := []string{"Bearer t", "bearer t", "BEARER  t", "Bearer t ", "Bearer\tt"}
	for i := range 20 {
		get(i, spellings[i%len(spellings)]).is(t, 200, "")
	}
	a := get(20, "Bearer t")
	a.is(t, 429, "rate_limited_key")
	if got := a.Header.Get("Ratelimit-Policy"); got != `"per_key";q=20;w=1` {
		t.Errorf("RateLimit-Policy %q", got)
	}
	get(20, "Bearer another").is(t, 200, "")
}

func TestEveryUnderstoodRequestCountsWhateverItsAnswer(t *testing.T) {
	r := newRecorder(t, func(_, _ string) string {
		return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 25\r\nContent-Type: application/json\r\n\r\n" + `{"message":"no such key"}`
	})
	g := start(t, r, nil)
	for i := range 20 {
		if i%2 == 0 {
			g.do(t, request{method: "PUT", path: "/v2/users/1"}).is(t, 405, "method_not_allowed")
		} else if a := g.do(t, request{method: "GET", path: "/v2/users"}); a.StatusCode != 401 {
			t.Fatalf("got %d, want 401", a.StatusCode)
		}
	}
	g.do(t, request{method: "GET", path: "/v2/users"}).is(t, 429, "rate_limited_ip")
}

func TestRemainingCountsDown(t *testing.T) {
	g := start(t, newRecorder(t, ok), nil)
	for i := range 3 {
		a := g.do(t, request{method: "GET", path: "/v2/users", token: "t"})
		if got, want := a.Header.Get("X-RateLimit-Remaining"), fmt.Sprint(19-i); got != want {
			t.Errorf("request %d: remaining %q, want %q", i, got, want)
		}
	}
}

func TestShadowRefusesNothingAndSaysWhatItWouldHave(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Mode, c.Limits.PerKey.Mode = 1, 2 })
	for range 25 {
		g.do(t, request{method: "GET", path: "/v2/users", token: "t"}).is(t, 200, "")
	}
	if n := g.metric(t, "gateway_limit_decisions_total decision=would_refuse rule=per_ip"); n != 5 {
		t.Errorf("would have refused %v, want 5", n)
	}
}

func TestOverridesAndExemptions(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) {
		c.Limits.Overrides = append(c.Limits.Overrides, testOverride("127.0.0.0/8", 3))
		c.Limits.Exempt = append(c.Limits.Exempt, testExempt("/v2/ping"))
	})
	for range 10 {
		a := g.do(t, request{method: "GET", path: "/v2/ping"})
		a.is(t, 200, "")
		if a.Header.Get("X-RateLimit-Limit") != "" {
			t.Error("an exempt answer speaks of a limit")
		}
	}
	for range 3 {
		g.do(t, request{method: "GET", path: "/v2/users"}).is(t, 200, "")
	}
	g.do(t, request{method: "GET", path: "/v2/users"}).is(t, 429, "rate_limited_ip")
}

func TestMethodNotAllowedSaysWhatToUse(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) {
		c.Methods.Exceptions = []MethodException{{Method: "PUT", Path: "/v2/messages/{id}"}}
	})
	a := g.do(t, request{method: "PUT", path: "/v2/users/1", body: "{}"})
	a.is(t, 405, "method_not_allowed")
	if !strings.Contains(a.body, "PATCH") || a.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST, PATCH, DELETE" {
		t.Errorf("Allow %q, %s", a.Header.Get("Allow"), a.body)
	}
	g.do(t, request{method: "PUT", path: "/v2/messages/65aa"}).is(t, 200, "")
	g.do(t, request{method: "TRACE", path: "/v2/users"}).is(t, 405, "method_not_allowed")
	if n := r.requests(); n != 1 {
		t.Errorf("the upstream saw %d requests, want 1", n)
	}
}

func TestRequiredKey(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Identity.Required = true })
	a := g.do(t, request{method: "GET", path: "/v2/users"})
	a.is(t, 401, "unauthenticated")
	if a.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
	}
	g.do(t, request{method: "GET", path: "/v2/users", token: "t"}).is(t, 200, "")
	g.do(t, request{method: "POST", path: "/v2/auth/token", body: "{}"}).is(t, 201, "")
}

func TestPipelinedRequestsAreEachCharged(t *testing.T) {
	g := start(t, newRecorder(t, ok), nil)
	got := g.raw(t, strings.Repeat("GET /v2/users HTTP/1.1\r\nHost: a\r\n\r\n", 25))
	if n := strings.Count(got, "HTTP/1.1 200 "); n != 20 {
		t.Errorf("%d passed, want 20", n)
	}
	if n := strings.Count(got, "HTTP/1.1 429 "); n != 5 || strings.LastIndex(got, "HTTP/1.1 200 ") > strings.Index(got, "HTTP/1.1 429 ") {
		t.Errorf("%d refused, want 5, after the 20", n)
	}
}

func TestAdmittedAgainOnceTheOldestIsASecondOld(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) {
		c.Limits.PerIP.Requests, c.Limits.PerIP.Window = 2, 50*time.Millisecond
	})
	deadline := time.Now().Add(5 * time.Second)
	passed, refused := 0, 0
	for (passed < 6 || refused < 2) && time.Now().Before(deadline) {
		if a := g.do(t, request{method: "GET", path: "/"}); a.StatusCode == 200 {
			passed++
		} else {
			refused++
		}
	}
	if passed < 6 || refused < 2 {
		t.Errorf("%d passed and %d refused: the window does not move on", passed, refused)
	}
}
