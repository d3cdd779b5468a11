package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/upstream"
)

// health knows whether the upstream can be reached: by asking it at intervals
// where the configuration names a path, and from every call otherwise.
type health struct {
	down   atomic.Bool
	active bool // asked at intervals
	cancel context.CancelFunc
	done   chan struct{}
}

func (h *health) watch(cfg upstream.HealthCheck, client *upstream.Client) {
	if cfg.Path == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.active, h.cancel, h.done = true, cancel, make(chan struct{})
	go func() {
		defer close(h.done)
		ticker := time.NewTicker(cfg.Interval)
		defer ticker.Stop()
		for {
			h.down.Store(client.Check(ctx) != nil)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (h *health) stop() {
	if h.cancel != nil {
		h.cancel()
		<-h.done
	}
}

// saw learns from a call, where nobody asks at intervals.
func (h *health) saw(reachable bool) {
	if !h.active && h.down.Load() == reachable {
		h.down.Store(!reachable)
	}
}

// NotReady lists why the gateway should get no traffic; empty means ready.
func (g *Gateway) NotReady() []string {
	var why []string
	if g.withdrawn.Load() {
		why = append(why, "draining")
	}
	if g.health.active && g.health.down.Load() {
		why = append(why, "upstream")
	}
	if g.stores.Shared != nil && !g.stores.Shared.Ready() {
		why = append(why, "store")
	}
	return why
}
