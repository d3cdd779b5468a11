// Package proxy is the corridor that every request walks down: understand,
// identify, limit, permit, authenticate, guard, forward, normalise, settle,
// observe. Bytes come and go by its two halves, internal/downstream and
// internal/upstream; the rules live in limiter and loopguard, which know nothing
// of HTTP.
package proxy

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/downstream"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Config is everything that the corridor obeys, composed of the rooms' own
// configurations.
type Config struct {
	Listen    Listen
	Upstream  upstream.Config
	Identity  identity.Config
	Methods   Methods
	Limits    limiter.Config
	LoopGuard loopguard.Config
	Webhook   Webhook
	Errors    Errors
	// MemoryBytes bounds all counts of this process together; half is for the
	// request limits, half for the message limits.
	MemoryBytes int64
}

// Deps are the things that the gateway reports to.
type Deps struct {
	Registry prometheus.Registerer
	Logger   *slog.Logger
	Access   *accesslog.Log // nil: no access log
	TLS      *tls.Config    // of the listener; nil: plain text
	Stores   Stores         // the zero value: in this process
	Tracer   *trace.Tracer  // nil: no spans are made, and no trace is started

	// ClockOffset sets the clock by which everything is counted wrong, as that of
	// a badly kept machine is. For tests.
	ClockOffset time.Duration
}

// Gateway enforces ChatShipper's rules in front of an upstream.
type Gateway struct {
	cfg            Config // as it was at the start
	listen         Listen
	clock          clock
	hasher         *digest.Hasher
	ids            *requestIDs
	rules          atomic.Pointer[rules]
	limiter        limiter.Store
	guard          loopguard.Store
	stores         Stores
	upstream       *upstream.Fleet
	introspections introspections
	metrics        *metrics
	offenders      *offenders
	ledger         ledger
	talks          talks
	observer       observer
	access         *accesslog.Log
	tracer         *trace.Tracer // nil: off
	logger         *slog.Logger
	date           date
	server         *downstream.Server
	secure         *tls.Config  // nil: the listener speaks plain text
	places         atomic.Int64 // taken by requests, where their number is limited
	withdrawn      atomic.Bool  // not ready, but serving
	draining       atomic.Bool  // every answer closes its connection
}

// New builds a gateway. It opens no listener and asks nothing of the upstream.
// Errors mean that a file or key that the configuration names can't be used.
func New(cfg Config, d Deps) (*Gateway, error) {
	if d.Stores.Hasher == nil {
		d.Stores = MemoryStores(cfg.MemoryBytes, digest.NewHasher(""))
	}
	g := &Gateway{
		cfg: cfg, listen: cfg.Listen, clock: newClock(d.ClockOffset), hasher: d.Stores.Hasher, ids: newRequestIDs(),
		limiter: d.Stores.Requests, guard: d.Stores.Messages, stores: d.Stores,
		metrics: newMetrics(d.Registry, cfg.Errors.TimeoutStatus), access: d.Access, tracer: d.Tracer, logger: d.Logger, secure: d.TLS,
	}
	g.offenders = newOffenders(g.clock.now())
	g.ledger.init()
	var err error
	g.upstream, err = upstream.NewFleet(cfg.Upstream, upstream.Deps{Clock: g.clock.now, Log: g.logger, Failed: g.metrics.upstreamError})
	if err != nil {
		return nil, fmt.Errorf("cannot use upstream: %w", err)
	}
	r, err := compile(cfg, g.hasher, g.upstream.Names(), nil)
	if err != nil {
		g.upstream.Close()
		return nil, err
	}
	g.rules.Store(r)
	g.server = g.newServer()
	g.measureStores(factory{d.Registry})
	return g, nil
}

// Understand begins a request's life with the strict reading of its head. Its
// body may still be on the way.
func (g *Gateway) Understand(c *downstream.Conn) downstream.Exchange {
	x := g.begin(c)
	defer x.caught()
	x.understood = x.understand()
	return x
}

// Handle is the rest of a request's life: what comes before the upstream may
// refuse it, what comes after always happens.
func (x *exchange) Handle() {
	if x.g.stores.Shared != nil {
		x.conn.Task().Leave() // every decision may wait for it
	}
	x.walk()
	x.send()
	x.release()
}

func (x *exchange) walk() {
	defer x.observe()

	if x.understood && !x.webhook() &&
		x.identify() && x.limit() && x.shed() && x.permit() && x.authenticate() && x.guard() {
		x.forward()
	}
	x.normalise()
	x.settle()
}
