// Package sandbox is a ChatShipper-compatible API in memory: what the demo
// shows, what the end-to-end tests run against, and what a bot builder can
// develop against without an account.
//
// It speaks real HTTP with the routes, statuses and texts that ChatShipper
// documents, and it can misbehave on request (faults, late and doubled
// webhooks). It imports nothing else of this project and enforces no rate or
// loop rule, so that it cannot share a mistake with the gateway it tests.
package sandbox

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// DefaultSecret signs the sandbox's tokens (HS256) unless Options says
// otherwise. It is public: nothing but a sandbox may trust it.
const DefaultSecret = "chatshipper-sandbox-secret-not-for-production"

// Options are all optional.
type Options struct {
	Logger *slog.Logger     // nil: silent
	Secret string           // HS256 secret of the tokens; "": DefaultSecret
	Now    func() time.Time // what the API believes the time is; nil: time.Now

	// WebhookRetry is the pause before the first retry of a failed delivery;
	// each further one is twice as long. 0: one second.
	WebhookRetry time.Duration

	// TrustForwarded builds Link URLs from X-Forwarded-Host and -Proto
	// instead of the Host header.
	TrustForwarded bool
}

// Sandbox is one independent API with its own data.
type Sandbox struct {
	opts   Options
	stats  stats
	faults faults
	hooks  *hooks

	mu    sync.RWMutex
	store *store // guarded by mu
}

// New makes a sandbox that holds the documented first data.
func New(o Options) *Sandbox {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Secret == "" {
		o.Secret = DefaultSecret
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.WebhookRetry <= 0 {
		o.WebhookRetry = time.Second
	}
	s := &Sandbox{opts: o}
	s.hooks = newHooks(s)
	s.store = s.seeded()
	return s
}

// Handler answers the whole API. It may run under any net/http server; the
// faults that cut a connection need one of HTTP/1.
func (s *Sandbox) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Close stops the webhook deliveries and waits for those under way. The
// handler still answers afterwards, but delivers nothing.
func (s *Sandbox) Close() { s.hooks.close() }

// Reset brings back the first data, forgets the counters and the faults, and
// drops what the webhooks still had to deliver.
func (s *Sandbox) Reset() {
	s.hooks.reset()
	s.faults.set(nil)
	s.stats.reset()
	fresh := s.seeded()
	s.mu.Lock()
	s.store = fresh
	s.mu.Unlock()
}

func (s *Sandbox) now() time.Time { return s.opts.Now().UTC() }
