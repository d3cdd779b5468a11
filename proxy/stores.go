package proxy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Stores is where counts are kept. What it holds outlives reloads, and its owner
// closes it after the last request.
type Stores struct {
	Hasher   *digest.Hasher // names what is counted
	Requests limiter.Store
	Messages loopguard.Store

	// The counts of this process: all of them, or with a Shared store those that
	// are made while it can't be used.
	OwnRequests *limiter.Memory
	OwnMessages *loopguard.Memory
	Shared      Shared // nil: there is none
}

// Shared is what the gateway has to know of a store that others use too.
type Shared interface {
	Degraded() bool // it can't be used now
	Ready() bool    // requests can be served all the same, or it can be used
	Failed(op string) uint64
	// LastFailure is why the last call that failed did; empty for none.
	LastFailure() (at time.Time, cause string)
	// What the stores of this process tell by Look, of the counts of all gateways.
	// An error says why they can't be told; what is told then is what this gateway
	// counts alone.
	LookRequests(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing, err error)
	LookMessages(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) ([]loopguard.Standing, error)
}

// MemoryStores keeps all counts in this process: half of the bytes are for the
// request limits, half for the message limits.
func MemoryStores(maxBytes int64, h *digest.Hasher) Stores {
	requests, messages := limiter.NewMemory(maxBytes/2), loopguard.NewMemory(maxBytes/2)
	return Stores{Hasher: h, Requests: requests, Messages: messages, OwnRequests: requests, OwnMessages: messages}
}

// withoutStore answers where nobody can decide and the configuration denies.
var withoutStore = apierror.Error{Code: apierror.Overloaded, Message: "The limits can't be checked right now. Please try again."}

// measureStores makes the metrics that are asked for their value at a scrape.
func (g *Gateway) measureStores(f factory) {
	g.measureConnections(f)
	f.gaugeFunc("upstream_up", "1 when the upstream can be reached.", nil, func() float64 { return oneIf(g.upstream.Up()) })
	f.gaugeFunc("draining", "1 while the gateway tells clients to go elsewhere.", nil, func() float64 { return oneIf(g.withdrawn.Load()) })
	f.gaugeFunc("store_bytes", "Memory that the counts take.", nil, func() float64 {
		return float64(g.stores.OwnRequests.Bytes() + g.stores.OwnMessages.Bytes())
	})
	f.gaugeFunc("store_capacity_bytes", "Memory that the counts may take.", nil, func() float64 { return float64(g.cfg.MemoryBytes) })
	g.measureUpstream(f)
	g.measureShedding(f)
	g.measureShared(f)
	for r := range 2 {
		requests, messages := limiter.Rule(r), loopguard.Rule(r)
		storeOf(f, requests.String(), func() int64 { return g.stores.OwnRequests.Entries(requests) },
			func() int64 { return g.stores.OwnRequests.Capacity(requests) }, func() uint64 { return g.stores.OwnRequests.EvictedLive(requests) })
		storeOf(f, messages.String(), func() int64 { return g.stores.OwnMessages.Entries(messages) },
			func() int64 { return g.stores.OwnMessages.Capacity(messages) }, func() uint64 { return g.stores.OwnMessages.EvictedLive(messages) })
	}
}

func (g *Gateway) measureShared(f factory) {
	shared := g.stores.Shared
	f.gaugeFunc("store_degraded", "1 while a shared store can't be used.", nil, func() float64 {
		return oneIf(shared != nil && shared.Degraded())
	})
	for _, op := range storeOps {
		f.counterFunc("store_errors_total", "Failed calls to a shared store, by operation.", prometheus.Labels{"op": op}, func() float64 {
			if shared == nil {
				return 0
			}
			return float64(shared.Failed(op))
		})
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
