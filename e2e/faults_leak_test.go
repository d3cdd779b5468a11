package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mixedUpstream answers well on most paths and badly on the others.
func mixedUpstream(t *testing.T) *faultyUpstream {
	cuts := cutShapes()
	return startFaulty(t, func(a *ask) bool {
		path := a.URL.Path
		switch {
		case strings.HasPrefix(path, "/v2/cut/"):
			var shape int
			_, _ = fmt.Sscanf(path, "/v2/cut/%d", &shape)
			a.say(cuts[shape].says)
			return false
		case path == "/v2/large":
			a.say("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65536))
			return true
		case path == "/v2/poison":
			a.say(echo(a) + poisonAnswer)
			return true
		case path == "/v2/slow":
			time.Sleep(700 * time.Millisecond) // beyond the gateway's timeout
			return false
		case path == "/v2/live":
			a.say(switched)
			_, _ = io.Copy(a.conn, a.in)
			return false
		}
		a.say(echo(a))
		return true
	})
}

// badClients are clients that the gateway must survive without keeping anything.
var badClients = []string{
	"GET /v2/users HTTP/1.1\r\nHost: g\r\n\r\n",                                               // leaves before its answer
	"GET /v2/large HTTP/1.1\r\nHost: g\r\n\r\n",                                               // leaves inside its answer
	"POST /v2/users HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\nshort",                  // leaves inside its body
	"POST /v2/users HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",        // likewise
	"POST /v2/users HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",     // malformed
	"GET /v2/users HTTP/1.1\r\nHost: g\nX: bare\r\n\r\n",                                      // likewise
	"GET /v2/users HTTP/1.1\r\nHost: g\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n",     // too large
	"PUT /v2/users HTTP/1.1\r\nHost: g\r\n\r\n",                                               // refused
	"POST /v2/messages HTTP/1.1\r\nHost: g\r\nContent-Length: 8\r\n\r\nno json!",              // refused by the guard
	"POST /v2/users HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", // leaves before the body
	handshake + "frames", // leaves a tunnel
	"GET /v2/us",         // leaves inside the head
}

// mix sends one request of the mixture, and reports whether it was one of those
// that must be answered and was not.
func mix(v *visitor, n int) (failed bool) {
	id, kind := fmt.Sprint(n), n%100
	switch {
	case kind < len(badClients):
		conn, err := net.Dial("tcp", v.address)
		if err != nil {
			return true
		}
		_, _ = io.WriteString(conn, badClients[kind])
		if rand.IntN(2) == 0 {
			_ = conn.SetDeadline(time.Now().Add(20 * time.Millisecond))
			_, _ = conn.Read(make([]byte, 100))
		}
		_ = conn.Close()
		return false
	case kind < 20:
		_, _ = v.send("GET", fmt.Sprintf("/v2/cut/%d", kind-12), id, "")
		return false
	case kind == 20:
		_, _ = v.send("GET", "/v2/poison", id, "")
		return false
	case n%2000 == 21:
		a, err := v.send("GET", "/v2/slow", id, "")
		return err != nil || !isOurs(a, 503)
	}
	method, body := "GET", ""
	if kind%2 == 0 {
		method, body = "POST", strings.Repeat("b", kind*40)
	}
	a, err := v.send(method, "/v2/users", id, body)
	return wantEcho(a, err, id) != nil
}

// reading is what a process holds.
type reading struct{ goroutines, descriptors, resident float64 }

func (g *gateway) reading(t *testing.T) reading {
	m := g.metrics(t)
	return reading{m.value(t, "go_goroutines"), m.value(t, "process_open_fds"), m.value(t, "process_resident_memory_bytes")}
}

func (r reading) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f descriptors, %.0f MiB", r.goroutines, r.descriptors, r.resident/(1<<20))
}

// settled waits until nothing is open any more, and reads.
func (g *gateway) settled(t *testing.T) (r reading) {
	t.Helper()
	eventually(t, "all connections are closed", func() error {
		if n := g.metrics(t).value(t, "gateway_open_connections"); n > 0 {
			return fmt.Errorf("%v are open", n)
		}
		return nil
	})
	eventually(t, "idle upstream connections are closed", func() error {
		before := r
		if r = g.reading(t); r.goroutines != before.goroutines || r.descriptors != before.descriptors || r.descriptors > 16 {
			time.Sleep(500 * time.Millisecond)
			return fmt.Errorf("still changing: %s, then %s", before, r)
		}
		return nil
	})
	return r
}

// mixture sends n requests from 32 clients.
func mixture(g *gateway, n int) (failed int64) {
	var next, bad atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			v := &visitor{address: g.address}
			defer v.leave()
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if mix(v, int(i)) {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return bad.Load()
}

// One in five requests meets a fault of the upstream, of the client, or of the
// request. Afterwards nothing of it may be left.
func TestFaultsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	up := mixedUpstream(t)
	g := startGateway(t, up.URL, setup{upstream: "stream_above: 1KiB, timeout: 500ms", rest: noRequestLimits + "log: {access: false}\n"})
	total := counts(10_000, 1_000_000)
	if failed := mixture(g, 5000); failed > 0 {
		t.Errorf("%d requests failed that should not", failed)
	}
	before := g.settled(t)
	started := time.Now()
	failed := mixture(g, total)
	took := time.Since(started).Round(time.Second)
	after := g.settled(t)
	if after.goroutines > before.goroutines+2 || after.descriptors > before.descriptors+2 || after.resident > before.resident+(64<<20) {
		t.Errorf("before: %s; after: %s", before, after)
	}
	if failed > 0 {
		t.Errorf("%d requests failed that should not", failed)
	}
	wantValue(t, g.metrics(t), "gateway_panics_total", 0)
	wantValue(t, g.metrics(t), "gateway_requests_in_flight", 0)
	figure(t, "%d mixed requests, one in five with a fault, in %v: before %s; after %s; %d good ones failed", total, took, before, after, failed)
}
