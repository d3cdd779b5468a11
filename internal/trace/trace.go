// Package trace takes part in distributed traces: it reads and writes the W3C
// header traceparent, decides which traces are sampled, and exports spans by
// OTLP/HTTP in protobuf.
//
// Spans are queued and sent by one goroutine. Whoever ends a span never waits:
// when the queue is full, or the collector is down for long, spans are dropped
// and counted.
//
// It is not the OpenTelemetry SDK, which would double the program; CONTRIBUTING.md
// has the figures. It knows nothing of HTTP requests, of what a span is about, and
// of who may be believed: that is for its caller to say.
package trace

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync/atomic"
)

// Tracer samples and exports. A nil Tracer is one that is turned off: it counts
// nothing and has no goroutine.
type Tracer struct {
	bound    atomic.Uint64 // numbers below it are sampled; of 63 bits
	exporter *exporter
}

// New makes a tracer and starts its export; without an endpoint it returns nil.
// Errors mean that a file or a value that the configuration names can't be used.
func New(cfg Config, d Deps) (*Tracer, error) {
	if cfg.OTLPEndpoint == "" {
		return nil, nil //nolint:nilnil // off
	}
	client, err := newCollector(cfg, d.Version)
	if err != nil {
		return nil, err
	}
	t := &Tracer{exporter: newExporter(client.send, cfg.resource(d), d.Logger)}
	t.SetRatio(cfg.SampleRatio)
	go t.exporter.run()
	return t, nil
}

// SetRatio changes the share of traces that is sampled, from 0 to 1.
func (t *Tracer) SetRatio(ratio float64) {
	if t != nil {
		t.bound.Store(uint64(ratio * math.MaxInt64))
	}
}

// Samples decides on a trace by a number that belongs to it and is spread evenly:
// the same number is always decided alike.
func (t *Tracer) Samples(number uint64) bool { return number>>1 < t.bound.Load() }

// NewTraceID makes the id of a trace that begins here.
func NewTraceID() (id [16]byte) {
	for id == [16]byte{} {
		binary.BigEndian.PutUint64(id[:8], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

// NewSpanID makes the id of a span.
func NewSpanID() (id [8]byte) {
	for id == [8]byte{} {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// NumberOf is the number by which a trace is sampled whose id is random. It is
// the one that OpenTelemetry's TraceIDRatioBased goes by, so that services with
// the same ratio sample the same traces.
func NumberOf(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[8:]) }

// End takes a span that has ended. It never waits.
func (t *Tracer) End(s *Span) { t.exporter.take(s) }

// Close sends what is queued, until ctx ends; what is left then is dropped and
// counted. Spans that end afterwards are dropped.
func (t *Tracer) Close(ctx context.Context) {
	if t != nil {
		t.exporter.close(ctx)
	}
}

// Exported is how many spans the collector took.
func (t *Tracer) Exported() uint64 {
	if t == nil {
		return 0
	}
	return t.exporter.exported.Load()
}

// Dropped is how many spans were lost for a reason.
func (t *Tracer) Dropped(why Loss) uint64 {
	if t == nil {
		return 0
	}
	return t.exporter.dropped[why].Load()
}

// Loss is why a span was not exported.
type Loss uint8

// The reasons.
const (
	QueueFull   Loss = iota // spans came faster than they could be sent, or while the collector was down
	Refused                 // the collector answered that it does not want them
	Unreachable             // the collector did not answer, or asked to wait, for too long
	Losses
)

// String is the reason's name in metrics.
func (l Loss) String() string { return [Losses]string{"queue_full", "refused", "unreachable"}[l] }
