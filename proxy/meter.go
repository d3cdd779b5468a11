package proxy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/chatshipper/gateway/internal/upstream"
)

// Point is what happened in about one second. Times are estimated from the
// buckets of the histograms, and nil when nothing was answered.
type Point struct {
	At            time.Time `json:"at"`
	Requests      float64   `json:"requests_per_s"`
	Refused       float64   `json:"refused_per_s"` // by a limit
	Failed        float64   `json:"failed_per_s"`  // no answer of the upstream, its 5xx, and our own faults
	P50           *float64  `json:"p50_ms"`        // of whole requests
	P99           *float64  `json:"p99_ms"`
	OverheadP50   *float64  `json:"overhead_p50_ms"` // of the gateway's own share
	OverheadP99   *float64  `json:"overhead_p99_ms"`
	InFlight      int       `json:"in_flight"`
	Connections   int       `json:"connections"`
	RequestsTotal uint64    `json:"requests_total"` // since the start
	RefusedTotal  uint64    `json:"refused_total"`
}

// Meter makes points of the counters that the metrics have anyway: a request
// costs nothing more for it, and a point about 15 µs (BenchmarkPoint). Its calls
// must not overlap.
type Meter struct {
	g      *Gateway
	before totals
}

// totals are counters at one instant.
type totals struct {
	at                        time.Time
	requests, refused, failed float64
	duration, overhead        buckets
}

// buckets are those of a histogram, cumulative.
type buckets struct {
	bounds []float64 // seconds
	counts []uint64  // up to each bound
	total  uint64
}

// NewMeter begins to measure.
func (g *Gateway) NewMeter(now time.Time) *Meter { return &Meter{g: g, before: g.totals(now)} }

// Point tells what happened since the last one.
func (m *Meter) Point(now time.Time) Point {
	next := m.g.totals(now)
	d, seconds := &m.before, next.at.Sub(m.before.at).Seconds()
	p := Point{
		At: now.UTC(), Connections: m.g.server.Open(), InFlight: int(m.g.metrics.inFlight.Load()),
		RequestsTotal: uint64(next.requests), RefusedTotal: uint64(next.refused),
	}
	if seconds > 0 {
		p.Requests, p.Refused, p.Failed = (next.requests-d.requests)/seconds, (next.refused-d.refused)/seconds, (next.failed-d.failed)/seconds
	}
	p.P50, p.P99 = next.duration.quantile(&d.duration, .5), next.duration.quantile(&d.duration, .99)
	p.OverheadP50, p.OverheadP99 = next.overhead.quantile(&d.overhead, .5), next.overhead.quantile(&d.overhead, .99)
	m.before = next
	return p
}

func (g *Gateway) totals(now time.Time) totals {
	m, t := g.metrics, totals{at: now}
	for r := range m.duration {
		t.duration.add(m.duration[r])
	}
	t.overhead.add(m.overhead)
	t.requests = float64(t.duration.total)
	for r := range m.limits {
		t.refused += valueOf(m.limits[r][refused]) + valueOf(m.messages[r][refused])
	}
	for reason := range m.upstreamFails {
		if upstream.Reason(reason) != upstream.ReasonSource { // the client's fault
			t.failed += valueOf(m.upstreamFails[reason])
		}
	}
	for status := 500; status < len(m.byUpstream); status++ {
		if c := m.byUpstream[status].Load(); c != nil {
			t.failed += valueOf(*c)
		}
	}
	t.failed += valueOf(m.panics)
	return t
}

// valueOf reads a counter or a gauge.
func valueOf(m prometheus.Metric) float64 {
	var out dto.Metric
	if m.Write(&out) != nil {
		return 0
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

// add adds a histogram with the same bounds as those before.
func (b *buckets) add(o prometheus.Observer) {
	var out dto.Metric
	if h, ok := o.(prometheus.Metric); !ok || h.Write(&out) != nil {
		return
	}
	list := out.GetHistogram().GetBucket()
	if b.counts == nil {
		b.counts = make([]uint64, len(list))
		for _, bucket := range list {
			b.bounds = append(b.bounds, bucket.GetUpperBound())
		}
	}
	for i, bucket := range list {
		b.counts[i] += bucket.GetCumulativeCount()
	}
	b.total += out.GetHistogram().GetSampleCount()
}

// quantile estimates a quantile of what came since before, in milliseconds, as
// Prometheus does: evenly spread within a bucket, and at most the last bound. Nil
// when nothing came.
func (b *buckets) quantile(before *buckets, q float64) *float64 {
	since := func(i int) float64 { return float64(b.counts[i] - before.counts[i]) }
	total := float64(b.total - before.total)
	if total <= 0 || len(b.counts) == 0 {
		return nil
	}
	rank, low, below := q*total, 0.0, 0.0
	for i, bound := range b.bounds {
		upTo := since(i)
		if upTo >= rank {
			ms := 1000 * (low + (bound-low)*(rank-below)/(upTo-below))
			return &ms
		}
		low, below = bound, upTo
	}
	ms := 1000 * low
	return &ms
}
