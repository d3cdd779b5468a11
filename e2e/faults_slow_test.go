package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// steady is the traffic of four honest clients, about 600 requests a second, and
// how long each of them took.
type steady struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	mu     sync.Mutex
	took   []time.Duration
	failed int
	wrong  error // the last failure
}

func startSteady(g *gateway) *steady {
	s := &steady{stop: make(chan struct{})}
	for i := range 4 {
		s.wg.Go(func() {
			v := &visitor{address: g.address}
			defer v.leave()
			last := time.Now()
			for n := 0; ; n++ {
				select {
				case <-s.stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if time.Since(last) > 2*time.Second { // the machine had no time for this client: its connection may be closed
					v.leave()
				}
				id := fmt.Sprintf("steady-%d-%d", i, n)
				a, err := v.send("GET", "/v2/users", id, "")
				last = time.Now()
				s.note(a.received.Sub(a.sent), wantEcho(a, err, id))
			}
		})
	}
	return s
}

func (s *steady) note(took time.Duration, wrong error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrong != nil {
		s.failed++
		s.wrong = wrong
		return
	}
	s.took = append(s.took, took)
}

// end returns the 99th percentile, and how many requests there were and failed.
func (s *steady) end() (p99 time.Duration, sent, failed int) {
	close(s.stop)
	s.wg.Wait()
	if len(s.took) == 0 {
		return 0, s.failed, s.failed
	}
	slices.Sort(s.took)
	return s.took[len(s.took)*99/100].Round(10 * time.Microsecond), len(s.took) + s.failed, s.failed
}

// peaks are the largest readings while something goes on.
type peaks struct {
	resident, open float64
	reaped         time.Duration // from the start until the connections were closed again
}

// watch reads until done is closed.
func watch(t *testing.T, g *gateway, done <-chan struct{}) (p peaks) {
	started := time.Now()
	for {
		m := g.metrics(t)
		open := m.value(t, "gateway_open_connections")
		p.resident = max(p.resident, m.value(t, "process_resident_memory_bytes"))
		if p.open = max(p.open, open); open > 8 {
			p.reaped = time.Since(started).Round(100 * time.Millisecond)
		}
		select {
		case <-done:
			return p
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// attack is something greedy that goes on for a while.
type attack struct {
	name  string
	run   func(g *gateway)
	bound float64       // of the gateway's memory meanwhile, MiB
	reap  time.Duration // until every connection of it must be closed; 0 when it closes them itself
}

// endure measures the steady traffic without the attack and during it.
//
// Where the machine was busy with something else, the others' times say nothing of
// the gateway: they are measured again, once.
func endure(t *testing.T, g *gateway, a attack) {
	t.Helper()
	if p99 := suffer(t, g, a); p99 > mostP99 {
		if p99 = suffer(t, g, a); p99 > mostP99 {
			t.Errorf("%s: p99 of others %v, twice", a.name, p99)
		}
	}
}

// mostP99 is what others may have to wait while an attack goes on.
const mostP99 = 2 * time.Second

func suffer(t *testing.T, g *gateway, a attack) (p99 time.Duration) {
	t.Helper()
	alone := startSteady(g)
	time.Sleep(time.Duration(counts(500, 5000)) * time.Millisecond)
	quiet, _, _ := alone.end()
	beside, done := startSteady(g), make(chan struct{})
	go func() {
		defer close(done)
		a.run(g)
	}()
	p := watch(t, g, done)
	p99, sent, failed := beside.end()
	if failed > 0 {
		t.Errorf("%s: %d of %d requests of others failed, p99 %v, the last with: %v", a.name, failed, sent, p99, beside.wrong)
	}
	if p.resident/(1<<20) > a.bound {
		t.Errorf("%s: %.0f MiB, at most %.0f are allowed", a.name, p.resident/(1<<20), a.bound)
	}
	if a.reap > 0 && p.reaped > a.reap {
		t.Errorf("%s: connections were open for %v, at most %v are allowed", a.name, p.reaped, a.reap)
	}
	figure(t, "%s: p99 of others %v without, %v with it, %d of %d failed; at most %.0f MiB and %.0f connections, all of them closed within %v",
		a.name, quiet, p99, failed, sent, p.resident/(1<<20), p.open, p.reaped)
	return p99
}

// startGreedy is a gateway with short patience and no request limits, which would
// keep most of an attack away; its upstream has one large answer.
func startGreedy(t *testing.T, idle time.Duration) *gateway {
	large := "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + strings.Repeat("x", 8<<20)
	up := startFaulty(t, func(a *ask) bool {
		if a.URL.Path == "/v2/large" {
			a.say(large)
			return true
		}
		a.say(echo(a))
		return true
	})
	return startGateway(t, up.URL, setup{
		listen:   fmt.Sprintf("read_header_timeout: %ds, read_timeout: %ds, idle_timeout: %s", patienceForHeads, patienceForBodies, idle),
		upstream: "max_connections: 2048",
		rest:     noRequestLimits + "log: {access: false}\n",
	})
}

const (
	patienceForHeads  = 3 // seconds
	patienceForBodies = 4
)

// slowhttptest runs Debian's tool of that name for at most as many seconds.
func slowhttptest(t *testing.T, connections, seconds int, args ...string) func(*gateway) {
	return func(g *gateway) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds+20)*time.Second)
		defer cancel()
		target := g.url() + "/v2/users"
		if args[0] == "-X" {
			target = g.url() + "/v2/large"
		}
		args := append(args, "-c", fmt.Sprint(connections), "-r", "1000", "-l", fmt.Sprint(seconds), "-v", "0", "-u", target)
		if out, err := exec.CommandContext(ctx, "slowhttptest", args...).CombinedOutput(); err != nil {
			t.Errorf("slowhttptest %v: %v\n%s", args, err, lastBytes(string(out), 500))
		}
	}
}

func TestFaultSlowHTTPTest(t *testing.T) {
	t.Parallel()
	g := startGreedy(t, time.Minute) // the connection of a client that the machine has no time for stays open
	n, seconds := counts(200, 1000), counts(6, 20)
	slack := 3 * time.Second // for the connections to be made, and for the tool to start
	endure(t, g, attack{
		fmt.Sprintf("slowhttptest -H, %d connections with slow headers", n),
		slowhttptest(t, n, seconds, "-H", "-i", "1"), 200, patienceForHeads*time.Second + slack,
	})
	endure(t, g, attack{
		fmt.Sprintf("slowhttptest -B, %d connections with slow bodies", n),
		slowhttptest(t, n, seconds, "-B", "-i", "1", "-s", "8192"), 200, patienceForBodies*time.Second + slack,
	})
	// A client has a minute to take the next piece of an answer: only the full
	// figure waits for that.
	endure(t, g, attack{
		fmt.Sprintf("slowhttptest -X, %d connections that read an answer of 8 MiB slowly", n),
		slowhttptest(t, n, counts(6, 95), "-X", "-n", "1", "-z", "5"), 300, time.Minute + 20*time.Second,
	})
}

// hold opens connections, says something on each, and keeps them until they are
// closed or for a time.
func hold(n int, during time.Duration, say func(i int, conn net.Conn)) func(*gateway) {
	return func(g *gateway) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				conn, err := net.Dial("tcp", g.address)
				if err != nil {
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(during))
				go say(i, conn)
				_, _ = io.Copy(io.Discard, conn)
			})
			if i%10 == 9 {
				time.Sleep(time.Millisecond) // within the listener's backlog
			}
		}
		wg.Wait()
	}
}

// again does the same over and over: each connection that is closed is opened
// again until the time is over.
func again(n int, during time.Duration, say func(i int, conn net.Conn)) func(*gateway) {
	return func(g *gateway) {
		until := time.Now().Add(during)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				for time.Now().Before(until) {
					hold(1, time.Until(until), say)(g)
					time.Sleep(200 * time.Millisecond) // it is not about who has more CPU
				}
			})
		}
		wg.Wait()
	}
}

func TestFaultGreedyConnections(t *testing.T) {
	t.Parallel()
	g := startGreedy(t, 5*time.Second)
	during := time.Duration(counts(6, 12)) * time.Second
	many, thousand := counts(500, 5000), counts(100, 1000)
	endure(t, g, attack{
		fmt.Sprintf("%d idle connections, one request each", many),
		hold(many, during, func(_ int, conn net.Conn) { _, _ = io.WriteString(conn, "GET /v2/users HTTP/1.1\r\nHost: g\r\n\r\n") }),
		200, 0,
	})
	endure(t, g, attack{
		fmt.Sprintf("%d connections with 16 KiB of unfinished header each", thousand),
		hold(thousand, during, func(_ int, conn net.Conn) {
			_, _ = io.WriteString(conn, "GET /v2/users HTTP/1.1\r\nHost: g\r\nX: "+strings.Repeat("x", 16000))
		}), 250, 0,
	})
	line := "GET /v2/users HTTP/1.1\r\nHost: g\r\n" + strings.Repeat("X-Many: 1\r\n", 100) + "\r\n"
	endure(t, g, attack{
		fmt.Sprintf("%d connections with 101 header lines each, opened anew 0.2 s after they are closed", thousand/10),
		again(thousand/10, during/2, func(_ int, conn net.Conn) { _, _ = io.WriteString(conn, line) }), 250, 0,
	})
	extension := strings.Repeat("x", 64<<10)
	endure(t, g, attack{
		fmt.Sprintf("%d connections with 10 MB of chunk extension for one byte each, opened anew 0.2 s after they are closed", thousand/10),
		again(thousand/10, during/2, func(_ int, conn net.Conn) {
			_, err := io.WriteString(conn, "POST /v2/users HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1;")
			for sent := 0; err == nil && sent < 10<<20; sent += len(extension) {
				_, err = io.WriteString(conn, extension)
			}
		}), 250, 0,
	})
	piece := strings.Repeat("b", 50<<10)
	endure(t, g, attack{
		fmt.Sprintf("%d bodies of 10 MB at once, 100 kB a second each until the time for a request is over", thousand),
		hold(thousand, during, func(_ int, conn net.Conn) {
			_, err := io.WriteString(conn, "POST /v2/users HTTP/1.1\r\nHost: g\r\nContent-Length: 10485760\r\n\r\n")
			for err == nil {
				_, err = io.WriteString(conn, piece)
				time.Sleep(500 * time.Millisecond)
			}
		}), 1024, 0,
	})
}
