package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// nodeUpstream is a real HTTP server in processes of its own, which can be killed
// and started anew at the same address.
type nodeUpstream struct {
	address, ledger string        // where it listens; the ids that it was sent, one a line
	delay           time.Duration // that an answer takes at most
	workers         int           // processes that share the address
	cmd             *exec.Cmd
}

func newNodeUpstream(t *testing.T, delay time.Duration, workers int) *nodeUpstream {
	n := &nodeUpstream{address: freeAddress(t), ledger: filepath.Join(t.TempDir(), "ids"), delay: delay, workers: workers}
	t.Cleanup(n.stop)
	return n
}

func (n *nodeUpstream) start(t *testing.T) {
	t.Helper()
	_, port, _ := net.SplitHostPort(n.address)
	n.cmd = exec.Command("node", "testdata/ids.mjs", port, n.ledger, fmt.Sprint(n.delay.Milliseconds()), fmt.Sprint(n.workers))
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("cannot start node: %v", err)
	}
	eventually(t, "the upstream listens", n.complete)
}

// complete reports whether all workers are there.
func (n *nodeUpstream) complete() error {
	alive := 0
	for _, pid := range n.pids() {
		if syscall.Kill(pid, 0) == nil {
			alive++
		}
	}
	if alive < n.workers {
		return fmt.Errorf("%d of %d workers are there", alive, n.workers)
	}
	return listening(n.address)
}

// pids are all workers so far, the newest last.
func (n *nodeUpstream) pids() (pids []int) {
	text, _ := os.ReadFile(n.ledger + ".pids") // not there before the first
	for word := range strings.FieldsSeq(string(text)) {
		pid, _ := strconv.Atoi(word)
		pids = append(pids, pid)
	}
	return pids
}

// killWorker is kill -9 of the newest worker.
func (n *nodeUpstream) killWorker() {
	pids := n.pids()
	_ = syscall.Kill(pids[len(pids)-1], syscall.SIGKILL)
}

// stop ends all of it.
func (n *nodeUpstream) stop() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// received counts the ids in the ledger, and those that are in it more than once.
func (n *nodeUpstream) received() (ids map[string]int, duplicates int) {
	text, _ := os.ReadFile(n.ledger) // not there before the first request
	ids = map[string]int{}
	for id := range strings.FieldsSeq(string(text)) {
		if ids[id]++; ids[id] == 2 {
			duplicates++
		}
	}
	return ids, duplicates
}

// outcomes of POSTs, by what the client was told.
type outcomes struct {
	done, failed, unclear atomic.Int64 // success; one of the gateway's errors; anything else
	confirmed             sync.Map     // ids that were answered with success
}

// post sends one POST and judges its answer.
func (o *outcomes) post(v *visitor, id string) {
	a, err := v.send("POST", "/v2/users", id, `{"name":"x"}`)
	switch {
	case wantEcho(a, err, id) == nil:
		o.done.Add(1)
		o.confirmed.Store(id, true)
	case err == nil && (isOurs(a, 502) || isOurs(a, 503)):
		o.failed.Add(1)
	default:
		o.unclear.Add(1)
	}
}

// missing is how many confirmed POSTs the upstream has not seen.
func (o *outcomes) missing(ids map[string]int) (n int) {
	o.confirmed.Range(func(id, _ any) bool {
		if ids[id.(string)] == 0 {
			n++
		}
		return true
	})
	return n
}

// In each round 100 clients post at once, and the only process of the upstream is
// killed once it has some of the POSTs.
func TestFaultUpstreamIsKilled(t *testing.T) {
	t.Parallel()
	killAmongPosts(t, "the upstream", 1)
}

// Likewise one process of two: a POST that the gateway sent again would find the
// other one.
func TestFaultHalfOfTheUpstreamIsKilled(t *testing.T) {
	t.Parallel()
	killAmongPosts(t, "one of two upstream processes", 2)
}

// Every client keeps its connection, so that a second answer to a POST would be
// found in the next round. Node's parent process keeps a connection that it was
// about to give to a worker that died: those few requests run into the timeout.
func killAmongPosts(t *testing.T, what string, workers int) {
	const clients = 100
	up := newNodeUpstream(t, 40*time.Millisecond, workers)
	up.start(t)
	g := startGateway(t, "http://"+up.address, setup{upstream: "timeout: 2s", rest: noRequestLimits})
	visitors := make([]visitor, clients)
	var told outcomes
	rounds := counts(2, 10)
	for n := range rounds {
		eventually(t, "the upstream is complete", up.complete)
		before, _ := up.received()
		var wg sync.WaitGroup
		for i := range visitors {
			wg.Go(func() {
				visitors[i].address = g.address
				told.post(&visitors[i], fmt.Sprintf("%d-%d", n, i))
			})
		}
		eventually(t, "POSTs are in flight", func() error {
			if ids, _ := up.received(); len(ids) < len(before)+clients/4 {
				return fmt.Errorf("only %d have arrived", len(ids)-len(before))
			}
			return nil
		})
		up.killWorker()
		wg.Wait()
	}
	told.report(t, fmt.Sprintf("%d POSTs, %s killed with SIGKILL %d times among them", rounds*clients, what, rounds), up)
}

func (o *outcomes) report(t *testing.T, what string, up *nodeUpstream) {
	t.Helper()
	ids, duplicates := up.received()
	inFlight := len(ids) - int(o.done.Load())
	if inFlight == 0 {
		t.Error("nothing was in flight: no upstream was killed in time")
	}
	if duplicates > 0 || o.unclear.Load() > 0 || o.missing(ids) > 0 {
		t.Errorf("%d duplicates, %d clients without a clear answer, %d confirmed POSTs not received", duplicates, o.unclear.Load(), o.missing(ids))
	}
	figure(t, "%s: %d duplicates, %d clients without exactly one answer (%d answered, %d told 502 or 503, of which %d had been received)",
		what, duplicates, o.unclear.Load(), o.done.Load(), o.failed.Load(), inFlight)
}

// Node closes connections that were idle for 5 s. The pauses lie around that, and
// around the time after which the gateway itself stops using a connection.
func TestFaultIdleClosesOfNode(t *testing.T) {
	t.Parallel()
	up := newNodeUpstream(t, 0, 1)
	up.start(t)
	g := startGateway(t, "http://"+up.address, setup{rest: noRequestLimits})
	var told outcomes
	var wg sync.WaitGroup
	clients, rounds := counts(20, 100), counts(2, 10)
	for i := range clients {
		wg.Go(func() {
			v := &visitor{address: g.address}
			defer v.leave()
			for n := range rounds {
				told.post(v, fmt.Sprintf("%d-%d", i, n))
				if n+1 < rounds {
					time.Sleep(3500*time.Millisecond + rand.N(1700*time.Millisecond))
				}
			}
		})
	}
	wg.Wait()
	_, duplicates := up.received()
	spurious := told.failed.Load() + told.unclear.Load()
	if duplicates > 0 || spurious > 0 {
		t.Errorf("%d duplicates, %d spurious errors", duplicates, spurious)
	}
	figure(t, "%d POSTs with pauses of 3.5 to 5.2 s to Node, which closes after 5 s: %d spurious errors, %d duplicates", clients*rounds, spurious, duplicates)
}
