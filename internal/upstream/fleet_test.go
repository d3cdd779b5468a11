package upstream

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

func TestRequestsGoToEveryAddressAlike(t *testing.T) {
	a, b := play(t, always(okAnswer)), play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{a.address(), b.address()})
	for range 320 {
		if body, err := do(f, post("x")); err != nil || body != "ok" {
			t.Fatalf("got %q, %v", body, err)
		}
	}
	if a.served() < 159 || b.served() < 159 || a.served()+b.served() != 320 {
		t.Errorf("%d and %d of 320 requests", a.served(), b.served())
	}
}

// The slow one of two has a request in flight most of the time.
func TestTheBusyAddressGetsFewerRequests(t *testing.T) {
	release := make(chan bool)
	slow := play(t, func(p *peer) {
		p.request()
		<-release
		p.say(okAnswer)
		p.gone()
	})
	quick := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{slow.address(), quick.address()})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	for slow.served() == 0 { // one at a time, until one of them went to the slow one
		answered := make(chan bool)
		wg.Go(func() { _, _ = do(f, post("x")); close(answered) })
		eventually(t, "a request is answered, or waits at the slow one", func() bool {
			select {
			case <-answered:
				return true
			default:
				return slow.served() == 1
			}
		})
	}
	for range 50 {
		if _, err := do(f, post("x")); err != nil {
			t.Fatal(err)
		}
	}
	if slow.served() != 1 || f.InFlight(0) != 1 {
		t.Errorf("the slow one got %d requests, %d in flight", slow.served(), f.InFlight(0))
	}
}

func TestWhatOneAddressDidNotGetTheOtherGets(t *testing.T) {
	b := play(t, always(okAnswer))
	failed := 0
	f, log := fleetOf(t, []string{nobody(t), b.address()}, func(_ *Config, d *Deps) { d.Failed = func(Reason) { failed++ } })
	for range 100 {
		if body, err := do(f, post("x")); err != nil || body != "ok" {
			t.Fatalf("got %q, %v", body, err)
		}
	}
	if b.served() != 100 || failed != 5 || f.Retries() != 5 {
		t.Errorf("100 requests arrived %d times; %d tries failed, %d retries", b.served(), failed, f.Retries())
	}
	if c := f.Circuits(0); c[balance.Open] != 1 || f.Circuits(1)[balance.Closed] != 1 {
		t.Errorf("the circuits: %v", c)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "cause=connect for=5s") {
		t.Errorf("the log says %s", text)
	}
	if !f.Up() {
		t.Error("with one of two alive the upstream is up")
	}
}

// A POST that may have been processed stays with its failure, a GET on an old
// connection goes to the other address.
func TestOnlyWhatIsSafeGoesElsewhere(t *testing.T) {
	dying := play(t, func(p *peer) {
		for range 2 {
			p.request()
			p.say(okAnswer)
		}
		p.request()
		_ = p.b.ln.Close()
		p.reset()
	})
	b := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{dying.address(), b.address()})
	seen := func() int { return dying.served() }
	for seen() < 2 {
		if _, err := do(f, post("x")); err != nil {
			t.Fatal(err)
		}
	}
	before := b.served()
	for seen() < 3 {
		body, err := do(f, get("/"))
		if err != nil || body != "ok" {
			t.Fatalf("a GET got %q, %v", body, err)
		}
	}
	if b.served() <= before {
		t.Error("the GET did not go elsewhere")
	}
}

func TestAPOSTThatMayHaveBeenProcessedIsNotSentElsewhere(t *testing.T) {
	dying := play(t, func(p *peer) { p.request(); p.reset() })
	b := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{dying.address(), b.address()})
	lost := 0
	for range 20 {
		if _, err := do(f, post("x")); err != nil {
			if err.Reason != ReasonReset || !err.Sent {
				t.Fatalf("got %v", err)
			}
			lost++
		}
	}
	if dying.served() != lost || lost != 5 || b.served()+lost != 20 {
		t.Errorf("of 20 POSTs %d were lost, %d reached the dying one, %d the other", lost, dying.served(), b.served())
	}
}

func TestWithoutBudgetNothingGoesElsewhere(t *testing.T) {
	b := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{nobody(t), b.address()}, func(c *Config, _ *Deps) { c.RetryBudget = RetryBudget{} })
	failed := 0
	for range 10 {
		if _, err := do(f, post("x")); err != nil {
			failed++
		}
	}
	if failed != 5 || f.RetriesRefused() != 5 || f.Retries() != 0 {
		t.Errorf("%d failed, %d retries were refused, %d allowed", failed, f.RetriesRefused(), f.Retries())
	}
}

func TestWhenNoAddressCanBeConnectedToNothingIsTried(t *testing.T) {
	f, _ := fleetOf(t, []string{nobody(t), nobody(t)})
	for range 10 {
		if _, err := do(f, post("x")); err == nil {
			t.Fatal("somebody answered")
		}
	}
	_, err := do(f, post("x"))
	if err == nil || err.Reason != ReasonCircuitOpen || err.Sent || err.Wait <= 4*time.Second || err.Wait > 5*time.Second {
		t.Errorf("got %#v", err)
	}
	if f.Up() {
		t.Error("the upstream is up")
	}
}

func TestAnAddressThatComesBackIsUsedAgain(t *testing.T) {
	gone := nobody(t)
	f, log := fleetOf(t, []string{gone}, func(c *Config, _ *Deps) { c.CircuitBreaker.Open = minOpen })
	for range 5 {
		_, _ = do(f, post("x"))
	}
	if _, err := do(f, post("x")); err == nil || err.Reason != ReasonCircuitOpen {
		t.Fatalf("got %v", err)
	}
	ln, err := net.Listen("tcp", gone)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{t: t, ln: ln, wrap: func(nc net.Conn) net.Conn { return nc }, open: map[net.Conn]bool{}}
	go b.accept(always(okAnswer))
	t.Cleanup(b.stop)
	eventually(t, "it is used again", func() bool {
		_, err := do(f, post("x"))
		return err == nil
	})
	if !strings.Contains(log.String(), "circuit of an upstream address closed") {
		t.Errorf("the log says %s", log)
	}
}

// An answer is an answer: when all addresses give bad ones, the client gets those.
func TestBadAnswersOfAllAddressesArePassedOn(t *testing.T) {
	const down = "HTTP/1.1 503 Service Unavailable\r\nDate: x\r\nContent-Length: 4\r\n\r\ndown"
	a, b := play(t, always(down)), play(t, always(down))
	f, _ := fleetOf(t, []string{a.address(), b.address()})
	for range 40 {
		if body, err := do(f, get("/")); err != nil || body != "down" {
			t.Fatalf("got %q, %v", body, err)
		}
	}
	if f.Circuits(0)[balance.Open]+f.Circuits(1)[balance.Open] != 2 {
		t.Error("the circuits are not open")
	}
}

func TestABadAnswerSendsTheNextRequestsElsewhere(t *testing.T) {
	a := play(t, always("HTTP/1.1 502 Bad Gateway\r\nDate: x\r\nContent-Length: 0\r\n\r\n"))
	b := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{a.address(), b.address()})
	for range 100 {
		_, _ = do(f, get("/"))
	}
	if a.served() != 5 || b.served() != 95 {
		t.Errorf("%d and %d of 100 requests", a.served(), b.served())
	}
}

func TestATrialThatPanicsLetsTheNextOneTry(t *testing.T) {
	b := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{b.address()}, func(c *Config, _ *Deps) { c.CircuitBreaker.Open = minOpen })
	m := f.set.Load().members[0]
	for range 5 {
		m.Report(f.clock(), balance.Unreachable, false)
	}
	eventually(t, "the trial is due", func() bool { return m.State(f.clock()) == balance.HalfOpen })
	func() {
		defer func() { _ = recover() }()
		_ = f.Do(f.clock(), &Request{}, nil)
		t.Error("no answer to fill, and no panic")
	}()
	if m.Load() != 0 {
		t.Errorf("a load of %d is left", m.Load())
	}
	if body, err := do(f, get("/")); err != nil || body != "ok" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestAURLOfNoUseMakesNoFleet(t *testing.T) {
	if _, err := NewFleet(Config{URL: "nonsense"}, Deps{}); err == nil {
		t.Error("a fleet without a URL")
	}
}

// A request that one address may have got is not called unsent because the next
// had no connection to spare.
func TestWhatAnEarlierAddressGotIsNotForgotten(t *testing.T) {
	dying := onReuse(t, func(p *peer) { _ = p.b.ln.Close() })
	full := play(t, always(okAnswer))
	f, _ := fleetOf(t, []string{dying.address(), full.address()}, func(c *Config, _ *Deps) { c.MaxConnections = 1 })
	members := f.set.Load().members
	if _, taken := members[1].client.pool.get(0, nil); !taken {
		t.Fatal("the only connection is taken already")
	}
	members[1].Start()
	var failure *Error
	for range 2 { // the second is the one that the dying address does not answer
		if _, failure = do(f, get("/")); failure != nil {
			break
		}
	}
	if failure == nil || failure.Reason != ReasonNoFreeConns || !failure.Sent || members[1].client.busy.Sent {
		t.Errorf("got %#v", failure)
	}
}
