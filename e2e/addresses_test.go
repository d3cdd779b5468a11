package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// quickCircuit lets an address that is back be noticed soon.
const quickCircuit = "circuit_breaker: {open_time: 300ms, max_open_time: 1s}, timeout: 5s"

// behindOneName starts a gateway in front of several addresses of one API, whose
// name leads nowhere: only the addresses are connected to.
func behindOneName(t *testing.T, addresses ...string) *gateway {
	t.Helper()
	return startGateway(t, "http://api.chatshipper.invalid", setup{
		upstream: fmt.Sprintf("addresses: [%q, %q], %s", addresses[0], addresses[1], quickCircuit), rest: noRequestLimits,
	})
}

// attempt is one request and its end.
type attempt struct {
	id     string
	post   bool
	sent   time.Time
	failed bool // the client was told 502 or 503
}

// crowd is clients that send one request after the other until they are told to
// stop.
type crowd struct {
	stop chan bool
	done sync.WaitGroup

	mu       sync.Mutex
	attempts []attempt
	unclear  []string // neither a success nor one of the gateway's errors
}

// send makes n clients send. ask sends request number i of client c, and says
// whether it succeeded, or an error when the answer is neither.
func (w *crowd) send(n int, ask func(c, i int) (a attempt, err error)) {
	w.stop = make(chan bool)
	for c := range n {
		w.done.Go(func() {
			for i := 0; ; i++ {
				a, err := ask(c, i)
				w.mu.Lock()
				w.attempts = append(w.attempts, a)
				if err != nil {
					w.unclear = append(w.unclear, err.Error())
				}
				w.mu.Unlock()
				select {
				case <-w.stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

func (w *crowd) end() []attempt {
	close(w.stop)
	w.done.Wait()
	return w.attempts
}

// judge sorts out what failed. Whatever was sent after dead, when the address was
// gone for certain, must have succeeded.
func (w *crowd) judge(t *testing.T, attempts []attempt, dead time.Time) (posts, gets map[string]bool) {
	t.Helper()
	posts, gets = map[string]bool{}, map[string]bool{}
	for _, a := range attempts {
		switch {
		case !a.failed:
		case a.sent.After(dead):
			t.Errorf("%s failed, though it was sent %v after the address was gone", a.id, a.sent.Sub(dead))
		case a.post:
			posts[a.id] = true
		default:
			gets[a.id] = true
		}
	}
	if len(w.unclear) > 0 {
		t.Errorf("%d clients got no clear answer, such as: %s", len(w.unclear), w.unclear[0])
	}
	return posts, gets
}

// One of two upstreams is killed while 40 clients post and get, and started again.
// Each writes down what it was sent before it answers, so that nothing that the
// killed one did is forgotten.
func TestOneOfTwoUpstreamsIsKilled(t *testing.T) {
	t.Parallel()
	const clients = 40
	one, other := newNodeUpstream(t, 30*time.Millisecond, 1), newNodeUpstream(t, 30*time.Millisecond, 1)
	one.start(t)
	other.start(t)
	g := behindOneName(t, one.address, other.address)
	visitors := make([]visitor, clients)
	var w crowd
	w.send(clients, func(c, i int) (attempt, error) {
		v := &visitors[c]
		v.address = g.address
		a := attempt{id: fmt.Sprintf("%d-%d", c, i), post: i%2 == 0, sent: time.Now()}
		method, body := "GET", ""
		if a.post {
			method, body = "POST", `{"name":"x"}`
		}
		got, err := v.send(method, "/v2/users", a.id, body)
		if wrong := wantEcho(got, err, a.id); wrong != nil {
			if a.failed = err == nil && (isOurs(got, 502) || isOurs(got, 503)); !a.failed {
				return a, wrong
			}
		}
		return a, nil
	})
	time.Sleep(time.Second)
	one.kill(t)
	dead := time.Now()
	before, _ := other.received()
	time.Sleep(time.Second)
	after, _ := other.received()
	if len(after) < len(before)+clients {
		t.Errorf("the other one got %d requests in the second after", len(after)-len(before))
	}
	was, _ := one.received()
	one.start(t)
	eventually(t, "the one that is back gets requests again", func() error {
		if is, _ := one.received(); len(is) < len(was)+clients {
			return fmt.Errorf("%d so far", len(is)-len(was))
		}
		return nil
	})
	attempts := w.end()
	posts, gets := w.judge(t, attempts, dead)
	twice, lost := countPosts(attempts, one, other)
	if twice > 0 || lost > 0 {
		t.Errorf("%d POSTs were sent twice, %d that succeeded were received by nobody", twice, lost)
	}
	if len(posts) == 0 || len(posts)+len(gets) > clients {
		t.Errorf("%d POSTs and %d GETs failed, want those in flight: 1 to %d", len(posts), len(gets), clients)
	}
	figure(t, "%d requests of %d clients to two addresses, one killed with SIGKILL and started again: %d POSTs and %d GETs that were in flight on it failed, 0 sent later; %d POSTs received twice",
		len(attempts), clients, len(posts), len(gets), twice)
}

// countPosts counts the POSTs that upstreams received more than once, and those
// that were answered with success but received by none.
func countPosts(attempts []attempt, upstreams ...*nodeUpstream) (twice, lost int) {
	times := map[string]int{}
	for _, u := range upstreams {
		ids, _ := u.received()
		for id, n := range ids {
			times[id] += n
		}
	}
	for _, a := range attempts {
		switch {
		case !a.post:
		case times[a.id] > 1:
			twice++
		case times[a.id] == 0 && !a.failed:
			lost++
		}
	}
	return twice, lost
}

// kill is kill -9 of all its processes, and returns when the kernel has closed
// their connections.
func (n *nodeUpstream) kill(t *testing.T) {
	t.Helper()
	pids := n.pids()
	worker := pids[len(pids)-1]
	n.stop()
	_ = syscall.Kill(worker, syscall.SIGKILL)
	eventually(t, "the upstream is gone", func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", worker))
		if err == nil && !strings.Contains(string(stat), ") Z ") { // a zombie has nothing open any more
			return fmt.Errorf("its worker still runs")
		}
		return nil
	})
}

// The same with two sandboxes, which count the messages that they created: what
// was not answered with success was not created by the one that is left, and what
// was, was created once.
func TestOneOfTwoSandboxesIsKilled(t *testing.T) {
	t.Parallel()
	const clients = 20
	one, other := startSandbox(t), startSandbox(t)
	const thread = "65aa0e00aabbccddeeff0001" // every sandbox begins with it
	g := behindOneName(t, one.address, other.address)
	var w crowd
	w.send(clients, func(c, i int) (attempt, error) {
		a := attempt{id: fmt.Sprintf("note-%d-%d-", c, i), post: i%2 == 0, sent: time.Now()}
		ask, want := call{path: "/v2/users", token: one.tokens["admin"]}, 200
		if a.post {
			ask, want = routes[1].send(one.tokens["admin"], thread, text(a.id)), 201
		}
		got, err := try(g.address, ask)
		a.failed = err == nil && (isOurs(got, 502) || isOurs(got, 503))
		if err == nil && got.status != want && !a.failed {
			err = fmt.Errorf("%s got %s", a.id, got)
		}
		return a, err
	})
	time.Sleep(700 * time.Millisecond)
	one.signal(t, syscall.SIGKILL)
	one.wait(t)
	dead := time.Now()
	time.Sleep(700 * time.Millisecond)
	attempts := w.end()
	posts, _ := w.judge(t, attempts, dead)
	created := other.created(t, thread)
	for _, a := range attempts {
		switch n := created[a.id]; {
		case !a.post:
		case a.failed && n > 0:
			t.Errorf("%s failed and was created all the same", a.id)
		case n > 1, n == 0 && a.sent.After(dead):
			t.Errorf("%s was created %d times", a.id, n)
		}
	}
	one.start(t)
	eventually(t, "the sandbox that is back gets messages again", func() error {
		wantStatus(t, g.do(t, routes[1].send(one.tokens["admin"], thread, text("back"))), 201)
		if one.messages(t, thread) == 0 {
			return fmt.Errorf("none so far")
		}
		return nil
	})
	t.Logf("%d requests, %d POSTs failed", len(attempts), len(posts))
}

// created counts the messages of a conversation by their text.
func (s *sandbox) created(t *testing.T, thread string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for page := 0; ; page++ {
		a := s.direct(t, call{path: fmt.Sprintf("/v2/messages?conversation=%s&limit=1000&offset=%d", thread, page*1000), token: s.tokens["admin"]})
		wantStatus(t, a, 200)
		texts := strings.Split(string(a.body), `"text":"note-`)[1:]
		for _, rest := range texts {
			id, _, _ := strings.Cut(rest, `"`)
			count["note-"+id]++
		}
		if len(texts) == 0 {
			return count
		}
	}
}

func TestAnOpenCircuitSaysWhenToComeAgain(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	g := startGateway(t, "http://"+address, setup{upstream: "circuit_breaker: {open_time: 1500ms}", rest: noRequestLimits})
	for range 5 {
		a := g.do(t, call{path: "/v2/users", body: "{}"})
		if code := wantJSONError(t, a, 502); at(code, "error", "code") != "upstream_unreachable" {
			t.Errorf("got %s", a)
		}
	}
	began := time.Now()
	a := g.do(t, call{path: "/v2/users", body: "{}"})
	if code := wantJSONError(t, a, 503); at(code, "error", "code") != "upstream_unavailable" {
		t.Errorf("got %s", a)
	}
	if wait := a.header.Get("Retry-After"); wait != "2" || time.Since(began) > time.Second {
		t.Errorf("Retry-After: %s after %v, want 2 at once", wait, time.Since(began))
	}
	m := g.metrics(t)
	for series, want := range map[string]float64{
		`gateway_upstream_circuit_state{state="open",upstream="` + address + `"}`:   1,
		`gateway_upstream_circuit_state{state="closed",upstream="` + address + `"}`: 0,
		`gateway_upstream_errors_total{reason="circuit_open"}`:                      1,
	} {
		if got := m.value(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	s := &sandbox{address: address}
	s.start(t)
	eventually(t, "a request gets through", func() error {
		if a := g.do(t, call{path: "/v2/users", token: s.tokens["admin"]}); a.status != 200 {
			return fmt.Errorf("got %s", a)
		}
		return nil
	})
	if log := g.logs(); !strings.Contains(log, "circuit of an upstream address opened") || !strings.Contains(log, "circuit of an upstream address closed") {
		t.Error("the log does not say that the circuit opened and closed")
	}
}

// 60 requests at once, of which 10 may be in flight to an upstream that has become
// slow: 10 are answered, 50 refused at once, and operators notice nothing of it.
func TestASlowUpstreamFillsOnlyThePlacesThatThereAre(t *testing.T) {
	t.Parallel()
	var most, now atomic.Int64
	release := make(chan bool)
	up := startFaulty(t, func(a *ask) bool {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		a.say(echo(a))
		return true
	})
	g := startGateway(t, up.URL, setup{listen: "max_requests_in_flight: 10", rest: noRequestLimits})
	var told outcomes
	var refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			v := &visitor{address: g.address}
			defer v.leave()
			id := fmt.Sprint(i)
			a, err := v.send("POST", "/v2/users", id, `{"name":"x"}`)
			switch {
			case wantEcho(a, err, id) == nil:
				told.done.Add(1)
			case err == nil && isOurs(a, 503) && strings.Contains(string(a.body), `"overloaded"`) && a.header.Get("Retry-After") == "1":
				refused.Add(1)
			default:
				told.unclear.Add(1)
			}
		})
	}
	eventually(t, "50 are refused while 10 wait", func() error {
		if n := refused.Load(); n != 50 || now.Load() != 10 {
			return fmt.Errorf("%d are refused, %d wait", n, now.Load())
		}
		return nil
	})
	if status, _, err := fetch("http://" + g.admin + "/readyz"); err != nil || status != 200 {
		t.Errorf("/readyz answers %d, %v", status, err)
	}
	close(release)
	wg.Wait()
	if told.done.Load() != 10 || told.unclear.Load() > 0 || most.Load() != 10 {
		t.Errorf("%d were answered, %d unclear; the upstream had up to %d at once", told.done.Load(), told.unclear.Load(), most.Load())
	}
	m := g.metrics(t)
	if shed, places := m.value(t, "gateway_requests_shed_total"), m.value(t, "gateway_requests_in_flight_capacity"); shed != 50 || places != 10 {
		t.Errorf("%v shed at %v places", shed, places)
	}
}
