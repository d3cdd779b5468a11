package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

// names is a name service that tests write.
type names struct{ answer atomic.Pointer[string] }

// say makes it answer with addresses; with none it fails.
func (n *names) say(addresses ...string) {
	text := strings.Join(addresses, " ")
	n.answer.Store(&text)
}

func (n *names) lookup(context.Context, string) (found []netip.Addr, err error) {
	for word := range strings.FieldsSeq(*n.answer.Load()) {
		found = append(found, netip.MustParseAddr(word))
	}
	if len(found) == 0 {
		err = errors.New("the name service is down")
	}
	return found, err
}

// named makes a fleet of a name, and waits for its first answer.
func named(t *testing.T, address string, n *names) (*Fleet, *lines) {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	f, log := fleetOf(t, []string{"localhost:" + port}, func(c *Config, d *Deps) {
		c.ResolveInterval, d.Lookup = 10*time.Millisecond, n.lookup
	})
	return f, log
}

func (f *Fleet) keys() (keys []string) {
	for _, m := range f.set.Load().members {
		keys = append(keys, m.key)
	}
	return keys
}

// twin listens on another address with the port of b.
func twin(t *testing.T, b *backend, host string, script func(p *peer)) *backend {
	t.Helper()
	_, port, _ := net.SplitHostPort(b.address())
	ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	other := &backend{t: t, ln: ln, wrap: b.wrap, open: map[net.Conn]bool{}}
	go other.accept(script)
	t.Cleanup(other.stop)
	return other
}

func (b *backend) connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

func TestANameIsFollowed(t *testing.T) {
	n := &names{}
	n.say("127.0.0.1", "127.0.0.2")
	a := play(t, always(okAnswer))
	b := twin(t, a, "127.0.0.2", always(okAnswer))
	f, _ := named(t, a.address(), n)
	eventually(t, "the name stands for two servers", func() bool { return len(f.keys()) == 2 })
	load := func() {
		t.Helper()
		for range 64 {
			if body, err := do(f, post("x")); err != nil || body != "ok" {
				t.Fatalf("got %q, %v", body, err)
			}
		}
	}
	load()
	if a.served() < 31 || b.served() < 31 || f.Circuits(0)[balance.Closed] != 2 || f.Capacity() != 2*1024 {
		t.Fatalf("%d and %d of 64 requests, circuits %v", a.served(), b.served(), f.Circuits(0))
	}
	kept, had := f.set.Load().members[0], b.served()
	n.say("127.0.0.1")
	eventually(t, "an address is gone", func() bool { return len(f.keys()) == 1 })
	eventually(t, "its idle connections are closed", func() bool { return b.connections() == 0 })
	load()
	if a.served()+b.served() != 128 || b.served() != had || f.set.Load().members[0] != kept || f.requests() != 128 {
		t.Errorf("%d and %d of 128 requests; counted %d", a.served(), b.served(), f.requests())
	}
	n.say("127.0.0.2", "127.0.0.1")
	eventually(t, "it is back", func() bool { return len(f.keys()) == 2 })
	n.say("127.0.0.1", "127.0.0.2") // turned round by the name server: nothing changes
	before := f.set.Load()
	time.Sleep(30 * time.Millisecond)
	if f.set.Load() != before {
		t.Error("another order made other members")
	}
}

func TestAFailedLookupKeepsTheLastAnswer(t *testing.T) {
	n := &names{}
	n.say("127.0.0.1", "127.0.0.2")
	b := play(t, always(okAnswer))
	f, log := named(t, b.address(), n)
	eventually(t, "the name stands for two servers", func() bool { return len(f.keys()) == 2 })
	n.say()
	eventually(t, "lookups fail", func() bool { return f.LookupErrors() > 3 })
	if len(f.keys()) != 2 {
		t.Errorf("members: %q", f.keys())
	}
	if strings.Count(log.String(), "cannot look up") != 1 {
		t.Errorf("the log says %s", log)
	}
	n.say("127.0.0.1")
	eventually(t, "it works again", func() bool { return len(f.keys()) == 1 })
}

func TestANameThatWasNeverFoundIsDialledAllTheSame(t *testing.T) {
	n := &names{}
	n.say()
	b := play(t, always(okAnswer))
	f, _ := named(t, b.address(), n)
	if body, err := do(f, post("x")); err != nil || body != "ok" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestTheServersBehindAName(t *testing.T) {
	f := func(answer string, want ...string) {
		t.Helper()
		target := target{name: "api:443", host: "api", port: "443"}
		for word := range strings.FieldsSeq(answer) {
			target.answer = append(target.answer, netip.MustParseAddr(word))
		}
		var got []string
		for _, server := range target.servers() {
			got = append(got, strings.Join(server, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", answer, got, want)
		}
	}
	f("", "api:443")
	f("10.0.0.1", "10.0.0.1:443")
	f("10.0.0.2 10.0.0.1", "10.0.0.1:443", "10.0.0.2:443")
	f("fd00::1 10.0.0.1", "[fd00::1]:443 10.0.0.1:443") // one server, two ways to it
	f("10.0.0.1 fd00::1 fd00::2", "10.0.0.1:443 [fd00::1]:443 [fd00::2]:443")
	f("fd00::1 fd00::2 10.0.0.1", "[fd00::1]:443", "[fd00::2]:443") // the family that the system prefers
}

func TestAddressesThatNamesShareAreOneMember(t *testing.T) {
	f, _ := fleetOf(t, []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"})
	if got := f.keys(); !slices.Equal(got, []string{"127.0.0.1:1", "127.0.0.1:2"}) {
		t.Errorf("members: %q", got)
	}
}

func checked(c *Config, _ *Deps) {
	c.HealthCheck = HealthCheck{Path: "/ping", Interval: 10 * time.Millisecond}
	c.CircuitBreaker.Open = minOpen
}

func TestAnAddressThatFailsItsHealthCheckGetsNoRequests(t *testing.T) {
	var ill atomic.Bool
	answer := func(p *peer) {
		for {
			if text := p.request(); ill.Load() && strings.HasPrefix(text, "GET /ping ") {
				p.say("HTTP/1.1 500 Internal Server Error\r\nDate: x\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			p.say(okAnswer)
		}
	}
	a, b := play(t, answer), play(t, always(okAnswer))
	f, log := fleetOf(t, []string{a.address(), b.address()}, checked)
	posts := func(b *backend) (n int) {
		requests, _ := b.seen()
		for _, text := range requests {
			if strings.HasPrefix(text, "POST") {
				n++
			}
		}
		return n
	}
	ill.Store(true)
	eventually(t, "it is passed over", func() bool { return f.Circuits(0)[balance.Open] == 1 })
	for range 10 {
		if _, err := do(f, post("x")); err != nil {
			t.Fatal(err)
		}
	}
	if posts(a) != 0 || posts(b) != 10 || !f.Up() {
		t.Errorf("%d and %d of 10 POSTs", posts(a), posts(b))
	}
	ill.Store(false)
	eventually(t, "it is back", func() bool { return f.Circuits(0)[balance.Closed] == 1 })
	for range 64 {
		if _, err := do(f, post("x")); err != nil {
			t.Fatal(err)
		}
	}
	if posts(a) < 31 {
		t.Errorf("afterwards it got %d of 64 POSTs", posts(a))
	}
	if text := log.String(); !strings.Contains(text, "fails its health check") || !strings.Contains(text, "passes its health check again") {
		t.Errorf("the log says %s", text)
	}
}

func TestHealthChecksAloneOpenAndCloseACircuit(t *testing.T) {
	gone := nobody(t)
	f, _ := fleetOf(t, []string{gone}, checked)
	eventually(t, "the circuit is open", func() bool {
		_, err := do(f, post("x"))
		return err != nil && err.Reason == ReasonCircuitOpen
	})
	if f.Up() || !f.Checked() {
		t.Error("the upstream is up")
	}
	ln, err := net.Listen("tcp", gone)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{t: t, ln: ln, wrap: func(nc net.Conn) net.Conn { return nc }, open: map[net.Conn]bool{}}
	go b.accept(always(okAnswer))
	t.Cleanup(b.stop)
	eventually(t, "a check has closed it", func() bool { return f.Circuits(0)[balance.Closed] == 1 && f.Up() })
	if requests, _ := b.seen(); slices.ContainsFunc(requests, func(r string) bool { return strings.HasPrefix(r, "POST") }) {
		t.Error("it took a request to close it")
	}
}

// While addresses come and go, every request is answered, once.
func TestNothingIsLostWhileAddressesComeAndGo(t *testing.T) {
	n := &names{}
	n.say("127.0.0.1", "127.0.0.2")
	a := play(t, always(okAnswer))
	b := twin(t, a, "127.0.0.2", always(okAnswer))
	f, _ := named(t, a.address(), n)
	var clients sync.WaitGroup
	var sent atomic.Int64
	stop := make(chan bool)
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if body, err := do(f, post("x")); err != nil || body != "ok" {
					t.Errorf("got %q, %v", body, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range 30 {
		n.say([][]string{{"127.0.0.1"}, {"127.0.0.2", "127.0.0.1"}, {"127.0.0.2"}}[i%3]...)
		before := f.set.Load()
		eventually(t, "the addresses have changed", func() bool { return f.set.Load() != before })
	}
	close(stop)
	clients.Wait()
	if got := int64(a.served() + b.served()); got != sent.Load() || a.served() == 0 || b.served() == 0 {
		t.Errorf("%d requests were answered, %d and %d received", sent.Load(), a.served(), b.served())
	}
}

// An upstream that takes connections and never answers: only a question of our
// own proves that it is dead, and not one of its routes.
func TestAHealthCheckThatIsNotAnsweredOpensTheCircuit(t *testing.T) {
	b := play(t, (*peer).gone)
	f, log := fleetOf(t, []string{b.address()}, checked, func(c *Config, _ *Deps) {
		c.CircuitBreaker.Failures, c.CircuitBreaker.Open, c.CircuitBreaker.MaxOpen = 1, time.Minute, time.Minute
	})
	eventually(t, "the circuit is open", func() bool { return f.Circuits(0)[balance.Open] == 1 })
	eventually(t, "nothing is tried", func() bool {
		req := post("x")
		req.Deadline = time.Now().Add(10 * time.Millisecond)
		_, err := do(f, req)
		return err != nil && err.Reason == ReasonCircuitOpen
	})
	if !strings.Contains(log.String(), `cause="health check: timeout"`) {
		t.Errorf("the log says %s", log)
	}
}
