package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
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
	id          string
	post        bool
	sent, ended time.Time
	failed      bool // the client was told 502 or 503
}

// death is the time within which an address died.
type death struct{ from, to time.Time }

// during makes an address die.
func during(kill func()) death {
	from := time.Now()
	kill()
	return death{from, time.Now()}
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
				sent := time.Now()
				a, err := ask(c, i)
				a.sent, a.ended = sent, time.Now()
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

// judge counts what failed: only what was in flight when an address died may.
func (w *crowd) judge(t *testing.T, attempts []attempt, deaths ...death) (posts, gets int) {
	t.Helper()
	for _, a := range attempts {
		if !a.failed {
			continue
		}
		if !slices.ContainsFunc(deaths, func(d death) bool { return a.sent.Before(d.to) && a.ended.After(d.from) }) {
			t.Errorf("%s failed, though no address died meanwhile: from %v to %v", a.id, a.sent, a.ended)
		}
		if a.post {
			posts++
		} else {
			gets++
		}
	}
	if len(w.unclear) > 0 {
		t.Errorf("%d clients got no clear answer, such as: %s", len(w.unclear), w.unclear[0])
	}
	return posts, gets
}

// ask posts and gets in turn, on a connection that is kept.
func (v *visitor) ask(c, i int) (attempt, error) {
	a := attempt{id: fmt.Sprintf("%d-%d", c, i), post: i%2 == 0}
	method, body := "GET", ""
	if a.post {
		method, body = "POST", `{"name":"x"}`
	}
	got, err := v.send(method, "/v2/users", a.id, body)
	wrong := wantEcho(got, err, a.id)
	if a.failed = err == nil && (isOurs(got, 502) || isOurs(got, 503)); a.failed {
		wrong = nil
	}
	return a, wrong
}

// One of two upstreams is killed while 40 clients post and get, and started again.
// Each writes down what it was sent before it answers, so that nothing that the
// killed one did is forgotten.
func TestFaultOneOfTwoAddressesIsKilled(t *testing.T) {
	t.Parallel()
	const clients = 40
	one, other := newNodeUpstream(t, 30*time.Millisecond, 1), newNodeUpstream(t, 30*time.Millisecond, 1)
	one.start(t)
	other.start(t)
	g := behindOneName(t, one.address, other.address)
	visitors := make([]visitor, clients)
	var w crowd
	w.send(clients, func(c, i int) (attempt, error) {
		visitors[c].address = g.address
		return visitors[c].ask(c, i)
	})
	rounds := counts(1, 10)
	var deaths []death
	for range rounds {
		gets(t, one, 10*clients)
		deaths = append(deaths, during(func() { one.kill(t) }))
		gets(t, other, 10*clients)
		one.start(t)
		gets(t, one, clients)
	}
	attempts := w.end()
	posts, others := w.judge(t, attempts, deaths...)
	twice, lost := countPosts(attempts, one, other)
	if twice > 0 || lost > 0 {
		t.Errorf("%d POSTs were sent twice, %d that succeeded were received by nobody", twice, lost)
	}
	if posts == 0 || posts+others > clients*rounds {
		t.Errorf("%d POSTs and %d GETs failed, want those in flight: 1 to %d", posts, others, clients*rounds)
	}
	figure(t, "%d requests of %d clients to two addresses, one killed with SIGKILL and started again %d times: %d POSTs and %d GETs failed, all in flight on it at that moment; %d POSTs received twice",
		len(attempts), clients, rounds, posts, others, twice)
}

// gets waits until an upstream got more requests.
func gets(t *testing.T, n *nodeUpstream, more int) {
	t.Helper()
	was, _ := n.received()
	eventually(t, "the upstream gets more requests", func() error {
		if is, _ := n.received(); len(is) < len(was)+more {
			return fmt.Errorf("%d so far", len(is)-len(was))
		}
		return nil
	})
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
// their sockets, which takes until the last of their threads is gone.
func (n *nodeUpstream) kill(t *testing.T) {
	t.Helper()
	pids := n.pids()
	n.stop()
	_ = syscall.Kill(pids[len(pids)-1], syscall.SIGKILL)
	eventually(t, "the upstream is gone", func() error {
		if open := unacknowledged(t, "http://"+n.address); open > 0 || listening(n.address) == nil {
			return fmt.Errorf("%d of its connections are open", open)
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
		a := attempt{id: fmt.Sprintf("note-%d-%d-", c, i), post: i%2 == 0}
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
	end := during(func() {
		one.signal(t, syscall.SIGKILL)
		one.wait(t)
	})
	time.Sleep(700 * time.Millisecond)
	attempts := w.end()
	posts, others := w.judge(t, attempts, end)
	created := other.created(t, thread)
	for _, a := range attempts {
		switch n := created[a.id]; {
		case !a.post:
		case a.failed && n > 0:
			t.Errorf("%s failed and was created all the same", a.id)
		case n > 1, n == 0 && a.sent.After(end.to):
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
	t.Logf("%d requests; %d POSTs and %d GETs failed", len(attempts), posts, others)
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
