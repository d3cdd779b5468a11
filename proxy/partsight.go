package proxy

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// LastError is the last thing that went wrong with what the gateway depends on.
type LastError struct {
	At    time.Time `json:"at"`
	Cause string    `json:"cause"` // a sentence; nothing that a client or the upstream sent
}

// lastError remembers one. Only a failure costs anything.
type lastError struct{ atomic.Pointer[LastError] }

func (l *lastError) note(err error) {
	l.Store(&LastError{At: time.Now().UTC().Truncate(time.Millisecond), Cause: err.Error()})
}

// Upstream is what operators may know of the upstream.
type Upstream struct {
	Name           string            `json:"name"`                 // its host
	State          string            `json:"state"`                // up or down
	Checked        string            `json:"checked"`              // how that is known
	Capacity       int               `json:"connections_capacity"` // to all servers together
	Errors         map[string]uint64 `json:"errors"`               // calls without an answer, by reason, those that there were
	LastError      *LastError        `json:"last_error,omitempty"`
	Servers        []upstream.Server `json:"servers"`
	Retries        int64             `json:"retries"`
	RetriesRefused int64             `json:"retries_refused"` // for want of budget
}

// Upstream tells how the upstream and each of its servers stand.
func (g *Gateway) Upstream() Upstream {
	u := Upstream{
		Name: string(g.rules.Load().upstreamHost), State: "up", Checked: "by the requests that go there",
		Capacity: g.upstream.Capacity(), Errors: make(map[string]uint64), LastError: g.metrics.lastFailure.Load(),
		Servers: g.upstream.Servers(), Retries: g.upstream.Retries(), RetriesRefused: g.upstream.RetriesRefused(),
	}
	if !g.upstream.Up() {
		u.State = "down"
	}
	if check := g.cfg.Upstream.HealthCheck; g.upstream.Checked() {
		u.Checked = "every " + check.Interval.String() + " at " + check.Path
	}
	for reason := range upstream.ReasonCount {
		if n := valueOf(g.metrics.upstreamFails[reason]); n > 0 {
			u.Errors[reason.String()] = uint64(n)
		}
	}
	return u
}

// StoreSight is where counts are kept.
type StoreSight struct {
	Name          string            `json:"name"`  // memory or shared
	State         string            `json:"state"` // ok, or degraded
	Explained     string            `json:"explained"`
	Bytes         int64             `json:"bytes"` // of this process
	CapacityBytes int64             `json:"capacity_bytes"`
	Entries       map[string]int64  `json:"entries"` // by rule
	EvictedLive   uint64            `json:"evicted_live"`
	Errors        map[string]uint64 `json:"errors"` // failed calls by operation, those that there were
	LastError     *LastError        `json:"last_error,omitempty"`
}

// storeOps are the calls to a shared store.
var storeOps = []string{"limit", "reserve", "settle", "reply"}

// StoresNow tells how the counts are kept.
func (g *Gateway) StoresNow() []StoreSight {
	requests, messages := g.stores.OwnRequests, g.stores.OwnMessages
	own := StoreSight{
		Name: "memory", State: "ok", Explained: "Counts are kept in this process.",
		Bytes: requests.Bytes() + messages.Bytes(), CapacityBytes: g.cfg.MemoryBytes,
		Entries: make(map[string]int64), Errors: map[string]uint64{},
	}
	for rule := range limiter.Rule(2) {
		own.Entries[rule.String()] = requests.Entries(rule)
		own.EvictedLive += requests.EvictedLive(rule)
	}
	for rule := range loopguard.Rule(loopguard.RuleCount) {
		own.Entries[rule.String()] = messages.Entries(rule)
		own.EvictedLive += messages.EvictedLive(rule)
	}
	shared := g.stores.Shared
	if shared == nil {
		return []StoreSight{own}
	}
	own.Explained = "What is counted here while the shared store can't be used."
	s := StoreSight{Name: "shared", State: "ok", Explained: "Counts are shared by all gateways.", Entries: map[string]int64{}, Errors: make(map[string]uint64)}
	if shared.Degraded() {
		s.State, s.Explained = "degraded", "The shared store does not answer; it is asked again until it does."
	}
	if at, cause := shared.LastFailure(); cause != "" {
		s.LastError = &LastError{at.UTC().Truncate(time.Millisecond), cause}
	}
	for _, op := range storeOps {
		if n := shared.Failed(op); n > 0 {
			s.Errors[op] = n
		}
	}
	return []StoreSight{s, own}
}

// State is the gateway's state in a word: ready, degraded, not ready or draining;
// and why, in a sentence each.
func (g *Gateway) State() (word string, why []string) {
	word = "ready"
	degraded := func(sentence string) {
		word, why = "degraded", append(why, sentence)
	}
	if !g.upstream.Up() {
		degraded("The upstream can't be reached.")
	} else if away, all := g.passedOver(); away > 0 {
		degraded(fmt.Sprintf("Servers of the upstream that are passed over, because they failed: %d of %d.", away, all))
	}
	if shared := g.stores.Shared; shared != nil && shared.Degraded() {
		degraded("The shared store does not answer: store.redis.on_failure decides until it does.")
	}
	if len(g.NotReady()) > 0 {
		word = "not ready"
	}
	if g.withdrawn.Load() {
		word, why = "draining", append(why, "New connections should go elsewhere; what is under way is finished.")
	}
	return word, why
}

// passedOver counts the servers of the upstream whose circuit or health check keeps
// requests from them, and all.
func (g *Gateway) passedOver() (away, all int) {
	servers := g.upstream.Servers()
	for i := range servers {
		if servers[i].Unwell || servers[i].Circuit != balance.Closed.String() {
			away++
		}
	}
	return away, len(servers)
}
