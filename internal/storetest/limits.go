package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatshipper/gateway/limiter"
)

// Limits tests a store of request limits.
func Limits(t *testing.T, open LimitsOpener) {
	runAll(t, open, []scenario[limiter.Store]{
		{"the window is half-open", limitsHalfOpen},
		{"refused by one is charged to none", limitsChargedToNone},
		{"when both refuse the longer wait is named", limitsLongerWait},
		{"a rule that does not apply is not looked at", limitsOneRule},
		{"the same name as address and as key is two", limitsNamesApart},
		{"a shadow counts and refuses nothing", limitsShadow},
		{"a candidate counts what was admitted and refuses nothing", limitsCandidate},
		{"overrides have limits and windows of their own", limitsOverrides},
		{"a changed limit applies at once to what is counted", limitsChanged},
		{"a changed window applies at once to what is counted", limitsChangedWindow},
		{"a refused request costs nothing, however often", limitsRetries},
		{"a decision says how the key stands", limitsStates},
		{"concurrent requests never exceed the limit", limitsConcurrent},
		{"every decision is that of a naive list", limitsNaive},
		{"looking tells what the next decision will be", limitsLook},
	})
}

// gate is a store with a clock, and short words for what the tests promise.
type gate struct {
	*testing.T
	store limiter.Store
	now   time.Duration // since Epoch
}

func (g *gate) take(ip, key limiter.Hit) limiter.Decision {
	return g.store.Take(Epoch+int64(g.now), ip, key)
}

func (g *gate) admits(ip, key limiter.Hit) limiter.Decision {
	g.Helper()
	d := g.take(ip, key)
	if !d.Admitted || d.Unavailable {
		g.Errorf("at %v: refused: %+v", g.now, d)
	}
	return d
}

func (g *gate) refuses(rule limiter.Rule, wait time.Duration, ip, key limiter.Hit) {
	g.Helper()
	d := g.take(ip, key)
	if d.Admitted || d.Unavailable || d.Refused != rule || (d.States[rule].Wait-wait).Abs() > precision {
		g.Errorf("at %v: got %+v, want a refusal by %v and a wait of %v", g.now, d, rule, wait)
	}
}

// per is a hit with a limit of n requests in a window of a minute.
func per(name string, n int) limiter.Hit {
	return limiter.Hit{ID: id(name), Limit: limiter.Limit{Requests: n, Window: time.Minute}}
}

var none limiter.Hit

func limitsHalfOpen(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	for range 20 {
		g.admits(none, per("k", 20))
		g.now += time.Millisecond
	}
	g.refuses(limiter.PerKey, time.Minute-20*time.Millisecond, none, per("k", 20))
	g.now = time.Minute - time.Millisecond
	g.refuses(limiter.PerKey, time.Millisecond, none, per("k", 20))
	g.now = time.Minute
	g.admits(none, per("k", 20))
	g.refuses(limiter.PerKey, time.Millisecond, none, per("k", 20))
	g.now = 10 * time.Minute
	for range 20 {
		g.admits(none, per("k", 20))
	}
	g.refuses(limiter.PerKey, time.Minute, none, per("k", 20))
}

func limitsChargedToNone(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	g.admits(per("ip", 1), per("k", 5))
	for range 20 {
		g.refuses(limiter.PerIP, time.Minute, per("ip", 1), per("k", 5))
	}
	if d := g.admits(none, per("k", 5)); d.States[limiter.PerKey].Used != 2 {
		t.Errorf("requests that the address refused were charged to the key: %+v", d)
	}
	for range 3 {
		g.admits(none, per("k", 5))
	}
	for range 20 {
		g.refuses(limiter.PerKey, time.Minute, per("other", 5), per("k", 5))
	}
	if d := g.admits(per("other", 5), none); d.States[limiter.PerIP].Used != 1 {
		t.Errorf("requests that the key refused were charged to the address: %+v", d)
	}
}

func limitsLongerWait(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	g.admits(per("ip", 1), per("k", 1))
	g.refuses(limiter.PerIP, time.Minute, per("ip", 1), per("k", 1)) // equal: the address
	g.now = time.Second
	g.admits(per("ip2", 1), none)
	g.refuses(limiter.PerIP, time.Minute, per("ip2", 1), per("k", 1))
	g.admits(none, per("k2", 1))
	g.refuses(limiter.PerKey, time.Minute, per("ip", 1), per("k2", 1))
}

func limitsOneRule(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	if d := g.admits(none, none); d.States[limiter.PerIP].Used != 0 || d.States[limiter.PerKey].Used != 0 {
		t.Errorf("no rule applies, and yet %+v", d)
	}
	d := g.admits(per("ip", 1), none)
	if d.States[limiter.PerIP].Used != 1 || d.States[limiter.PerKey] != (limiter.State{}) {
		t.Errorf("only the address is limited: %+v", d)
	}
	g.refuses(limiter.PerIP, time.Minute, per("ip", 1), none)
	g.admits(none, per("k", 1))
	g.refuses(limiter.PerKey, time.Minute, none, per("k", 1))
}

func limitsNamesApart(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	g.admits(per("same", 1), per("same", 1))
	g.refuses(limiter.PerIP, time.Minute, per("same", 1), none)
	g.refuses(limiter.PerKey, time.Minute, none, per("same", 1))
	g.admits(per("another", 1), per("another", 1))
}

func limitsShadow(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	shadow := per("ip", 2)
	shadow.Limit.Shadow = true
	for i := range 5 {
		d := g.admits(shadow, per("k", 4)).States[limiter.PerIP]
		if d.Over != (i >= 2) || d.Used != min(i+1, 2) || (i >= 2) != (d.Wait == time.Minute) {
			t.Errorf("request %d: %+v", i+1, d)
		}
		if i == 3 {
			break
		}
	}
	g.refuses(limiter.PerKey, time.Minute, shadow, per("k", 4)) // the other rule still does
}

func limitsCandidate(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	hit := per("k", 5)
	hit.Limit.Candidate = &limiter.Limit{Requests: 3, Window: 2 * time.Minute, Shadow: true}
	for i := range 5 {
		want := limiter.WouldAdmit
		if i >= 3 {
			want = limiter.WouldRefuse
		}
		if d := g.admits(none, hit); d.Trials[limiter.PerKey] != want || d.Trials[limiter.PerIP] != limiter.NotTried {
			t.Errorf("request %d: %+v", i+1, d)
		}
	}
	if d := g.take(none, hit); d.Admitted || d.Trials[limiter.PerKey] != limiter.NotTried {
		t.Errorf("a refused request is tried: %+v", d)
	}
	g.now = time.Minute
	if d := g.admits(none, hit); d.Trials[limiter.PerKey] != limiter.WouldRefuse || d.States[limiter.PerKey].Used != 1 {
		t.Errorf("the candidate has a window of its own: %+v", d)
	}
}

func limitsOverrides(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	day := limiter.Hit{ID: id("day"), Limit: limiter.Limit{Requests: 300, Window: 24 * time.Hour}}
	for range 300 {
		g.admits(none, day)
	}
	g.refuses(limiter.PerKey, 24*time.Hour, none, day)
	g.admits(none, per("k", 1))
	g.now = time.Minute
	g.admits(none, per("k", 1))
	g.refuses(limiter.PerKey, 24*time.Hour-time.Minute, none, day)
	g.now = 24 * time.Hour
	g.admits(none, day)
}

func limitsChanged(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	for range 10 {
		g.admits(none, per("k", 20))
		g.now += time.Second
	}
	g.refuses(limiter.PerKey, 55*time.Second, none, per("k", 5)) // six of ten have to leave
	g.refuses(limiter.PerKey, 50*time.Second, none, per("k", 10))
	d := g.admits(none, per("k", 12))
	if got := d.States[limiter.PerKey]; got.Used != 11 || got.Limit.Requests != 12 {
		t.Errorf("after the limit was raised: %+v", got)
	}
}

func limitsChangedWindow(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	in := func(w time.Duration) limiter.Hit {
		return limiter.Hit{ID: id("k"), Limit: limiter.Limit{Requests: 2, Window: w}}
	}
	g.admits(none, in(time.Minute))
	g.now = 30 * time.Second
	g.admits(none, in(time.Minute))
	g.refuses(limiter.PerKey, 30*time.Second, none, in(time.Minute))
	g.refuses(limiter.PerKey, time.Hour-30*time.Second, none, in(time.Hour)) // as far as its times are still known
	g.now = 40 * time.Second
	g.admits(none, in(20*time.Second)) // the first has left a window of 20 s
	g.refuses(limiter.PerKey, 10*time.Second, none, in(20*time.Second))
}

func limitsRetries(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	g.admits(none, per("k", 1))
	for range 59 {
		g.now += time.Second
		g.refuses(limiter.PerKey, time.Minute-g.now, none, per("k", 1))
	}
	g.now += time.Second
	g.admits(none, per("k", 1))
}

func limitsStates(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	for i := range 3 {
		g.now = time.Duration(i) * time.Second
		d := g.admits(per("ip", 4), per("k", 3))
		want := limiter.State{Limit: per("k", 3).Limit, Used: i + 1, Reset: time.Minute - g.now}
		if d.States[limiter.PerKey] != want {
			t.Errorf("request %d: got %+v, want %+v", i+1, d.States[limiter.PerKey], want)
		}
	}
	g.now = 3 * time.Second
	d := g.take(per("ip", 4), per("k", 3))
	if ip := d.States[limiter.PerIP]; ip.Used != 3 || ip.Over || ip.Wait != 0 {
		t.Errorf("the rule that did not refuse: %+v", ip)
	}
	if key := d.States[limiter.PerKey]; key.Used != 3 || !key.Over || key.Wait != 57*time.Second || key.Reset != 57*time.Second {
		t.Errorf("the rule that refused: %+v", key)
	}
}

func limitsConcurrent(t *testing.T, s limiter.Store) {
	g := &gate{T: t, store: s}
	var byIP, byKey [4]atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ip, key := i%4, (i/4)%4
			if g.take(per(fmt.Sprint("ip", ip), 20), per(fmt.Sprint("k", key), 20)).Admitted {
				byIP[ip].Add(1)
				byKey[key].Add(1)
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for i := range 4 {
		total += byIP[i].Load()
		if byIP[i].Load() > 20 || byKey[i].Load() > 20 {
			t.Errorf("of 20 each, address %d made %d requests and key %d made %d", i, byIP[i].Load(), i, byKey[i].Load())
		}
	}
	// Each of the 16 pairs asked 12 times or 13. When a request may be refused only
	// because its address or its key is full, the least that can come of it is
	// three full addresses, and all requests of the fourth with the fourth key.
	if total < 72 {
		t.Errorf("only %d requests were admitted", total)
	}
}
