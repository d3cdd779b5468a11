package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Clients post in rounds; between two rounds the upstream closes every idle
// connection, without saying so before. Each POST but the first few finds only
// dead connections.
func TestFaultIdleClosesOfTheUpstream(t *testing.T) {
	t.Parallel()
	const clients = 8
	up := startFaulty(t, func(a *ask) bool { a.say(echo(a)); return true })
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	rounds := counts(25, 125)
	visitors := make([]visitor, clients)
	var failed atomic.Int64
	for n := range rounds {
		var wg sync.WaitGroup
		for i := range visitors {
			wg.Go(func() {
				v, id := &visitors[i], fmt.Sprintf("%d-%d", n, i)
				v.address = g.address
				a, err := v.send("POST", "/v2/users", id, `{"name":"x"}`)
				if err := wantEcho(a, err, id); err != nil {
					failed.Add(1)
					t.Error(err)
				}
			})
		}
		wg.Wait()
		up.closeAll(t)
	}
	if n := up.duplicates(); n > 0 {
		t.Errorf("%d POSTs arrived twice", n)
	}
	figure(t, "%d POSTs, each behind an idle close of the upstream: %d spurious errors, %d duplicates (%d upstream connections)",
		clients*rounds, failed.Load(), up.duplicates(), up.dialed())
}
