package proxy

import (
	"strings"
	"sync"
	"testing"
)

func TestOneRequestTooManyInFlightIsRefusedBeforeItsBody(t *testing.T) {
	release := make(chan bool)
	up := newRecorder(t, func(head, body string) string {
		if strings.HasPrefix(head, "GET /v2/slow") {
			<-release
		}
		return ok(head, body)
	})
	g := start(t, up, func(c *Config) {
		unlimited(c)
		c.Listen.MaxRequestsInFlight = 2
		c.Webhook.Secret = "s"
	})
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() { g.do(t, request{method: "GET", path: "/v2/slow"}) })
	}
	eventually(t, "two are in flight", func() bool { return up.requests() == 2 })

	got := g.raw(t, "POST /v2/users HTTP/1.1\r\nHost: e\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") || !strings.Contains(got, `"code":"overloaded"`) {
		t.Errorf("one too many got %s", got)
	}
	if hook := g.raw(t, "POST /_gateway/webhook HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"); !strings.HasPrefix(hook, "HTTP/1.1 401 ") {
		t.Errorf("a webhook event, which is exempt, got %s", hook)
	}
	if shed := g.metric(t, "gateway_requests_shed_total"); shed != 1 {
		t.Errorf("%v were counted", shed)
	}
	if most := g.metric(t, "gateway_requests_in_flight_capacity"); most != 2 {
		t.Errorf("the capacity is %v", most)
	}
	close(release)
	waiting.Wait()
	eventually(t, "there is room again", func() bool {
		return g.do(t, request{method: "GET", path: "/v2/users"}).StatusCode == 200
	})
	if places := g.places.Load(); places != 0 {
		t.Errorf("%d places are taken in the end", places)
	}
}

// A flood of one client meets its own limit, and leaves the others their places.
func TestALimitRefusesBeforeTheNumberInFlightDoes(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) {
		c.Limits.PerIP.Requests, c.Limits.PerIP.Window = 1, 1<<40
		c.Listen.MaxRequestsInFlight = 1
	})
	g.places.Add(1)
	defer g.places.Add(-1)
	for _, want := range []int{503, 429, 429} { // the first counts: it was understood
		if got := g.do(t, request{method: "GET", path: "/v2/users"}).StatusCode; got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestTheNumberInFlightIsReloaded(t *testing.T) {
	up := newRecorder(t, ok)
	g := start(t, up, unlimited)
	g.places.Add(1)
	defer g.places.Add(-1)
	cfg := testConfig(up)
	for _, step := range []struct{ most, want int }{{1, 503}, {2, 200}, {0, 200}} {
		cfg.Listen.MaxRequestsInFlight = step.most
		restart, err := g.Reload(cfg)
		if err != nil || len(restart) > 0 {
			t.Fatalf("got %q, %v", restart, err)
		}
		if got := g.do(t, request{method: "GET", path: "/v2/users"}).StatusCode; got != step.want {
			t.Errorf("with %d: got %d, want %d", step.most, got, step.want)
		}
	}
}
