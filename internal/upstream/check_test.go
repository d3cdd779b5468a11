package upstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	f := func(answer string, healthy bool) {
		t.Helper()
		b := play(t, always(answer))
		c := b.client(func(cfg *Config) { cfg.HealthCheck.Path = "/v2/ping?deep=1" })
		if err := c.Check(t.Context()); (err == nil) != healthy {
			t.Errorf("%.30q: got %v, want healthy: %v", answer, err, healthy)
		}
		requests, _ := b.seen()
		if len(requests) != 1 || !strings.HasPrefix(requests[0], "GET /v2/ping?deep=1 HTTP/1.1\r\nHost: "+c.Host()+"\r\n") {
			t.Errorf("the upstream saw %q", requests)
		}
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("%+v is left, want nothing", s)
		}
	}
	f(okAnswer, true)
	f("HTTP/1.1 204 No Content\r\n\r\n", true)
	f("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", true)
	f("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx", true) // it speaks, and that is enough
	f("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false)
	f("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", false)
	f("SSH-2.0-OpenSSH_9.2\r\n", false)
}

func TestABusyUpstreamIsHealthy(t *testing.T) {
	b := play(t, func(p *peer) {
		if strings.HasPrefix(p.request(), "GET / ") {
			p.say(okAnswer)
		}
		p.gone()
	})
	c := b.client(func(cfg *Config) { cfg.MaxConnections = 1 })
	busy := make(chan error)
	req := post("x")
	req.Deadline = time.Now().Add(200 * time.Millisecond)
	go func() { busy <- c.Do(req, &Response{}) }()
	eventually(t, "the connection is busy", func() bool { requests, _ := b.seen(); return len(requests) == 1 })
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	if err := <-busy; err == nil {
		t.Error("a request that nobody answered succeeded")
	}
}

func TestACheckEndsWithItsContext(t *testing.T) {
	asked := make(chan bool, 1)
	b := play(t, func(p *peer) {
		p.request()
		asked <- true
		p.gone()
	})
	c := b.client()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	began := time.Now()
	if err := c.Check(ctx); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("a check that was called off ended after %s with error %v", time.Since(began), err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Check(ctx)
	var failure *Error
	if !errors.As(err, &failure) {
		t.Errorf("got %v, want an *Error", err)
	}
	silent := newAuthority(t)
	handshake := play(t, (*peer).gone).secureClient(silent)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err = handshake.Check(ctx); !errors.As(err, &failure) || failure.Reason != ReasonTLS {
		t.Errorf("got %v, want a failed handshake", err)
	}
}
