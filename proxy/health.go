package proxy

import "github.com/chatshipper/gateway/internal/upstream"

// NotReady lists why the gateway should get no traffic; empty means ready.
func (g *Gateway) NotReady() []string {
	var why []string
	if g.withdrawn.Load() {
		why = append(why, "draining")
	}
	if g.upstream.Checked() && !g.upstream.Up() {
		why = append(why, "upstream")
	}
	if g.stores.Shared != nil && !g.stores.Shared.Ready() {
		why = append(why, "store")
	}
	return why
}

// Upstream is what operators may know of the upstream.
type Upstream struct {
	Servers        []upstream.Server `json:"servers"`
	Retries        int64             `json:"retries"`
	RetriesRefused int64             `json:"retries_refused"` // for want of budget
}

// Upstream tells how each server of the upstream stands.
func (g *Gateway) Upstream() Upstream {
	return Upstream{g.upstream.Servers(), g.upstream.Retries(), g.upstream.RetriesRefused()}
}
