package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// measureStores makes the metrics that are asked for their value at a scrape.
func (g *Gateway) measureStores(f factory) {
	g.measureConnections(f)
	f.gaugeFunc("upstream_up", "1 when the upstream can be reached.", nil, func() float64 { return oneIf(!g.health.down.Load()) })
	f.gaugeFunc("draining", "1 while the gateway tells clients to go elsewhere.", nil, func() float64 { return oneIf(g.withdrawn.Load()) })
	f.gaugeFunc("store_bytes", "Memory that the counts take.", nil, func() float64 {
		return float64(g.limiter.Bytes() + g.guard.Bytes())
	})
	f.gaugeFunc("store_capacity_bytes", "Memory that the counts may take.", nil, func() float64 { return float64(g.cfg.MemoryBytes) })
	g.measureUpstream(f)
	f.gaugeFunc("store_degraded", "1 while a shared store can't be used.", nil, func() float64 { return 0 })
	f.closed("store_errors_total", "Failed calls to a shared store, by operation.", "op", []string{"limit", "reserve", "settle", "reply"})
	for r := range 2 {
		requests, messages := limiter.Rule(r), loopguard.Rule(r)
		storeOf(f, requests.String(), func() int64 { return g.limiter.Entries(requests) },
			func() int64 { return g.limiter.Capacity(requests) }, func() uint64 { return g.limiter.EvictedLive(requests) })
		storeOf(f, messages.String(), func() int64 { return g.guard.Entries(messages) },
			func() int64 { return g.guard.Capacity(messages) }, func() uint64 { return g.guard.EvictedLive(messages) })
	}
}

func storeOf(f factory, rule string, entries, capacity func() int64, evicted func() uint64) {
	label := prometheus.Labels{"rule": rule}
	f.gaugeFunc("store_entries", "Keys that a rule keeps count of.", label, func() float64 { return float64(entries()) })
	f.gaugeFunc("store_capacity", "Keys that a rule has room for.", label, func() float64 { return float64(capacity()) })
	f.counterFunc("store_evicted_live_total", "Keys forgotten for want of room while still inside their window: limits not enforced.", label,
		func() float64 { return float64(evicted()) })
}

func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
