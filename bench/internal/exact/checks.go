package exact

import (
	"fmt"
	"sync"
	"time"
)

// burst: of half as many again as may pass at once, exactly the limit passes;
// when a window has gone by, the whole limit passes again.
func (k *Kit) burst(t *trial) (bool, error) {
	c := t.fresh()
	first, err := c.send(k.Limit.Requests*3/2 + 1)
	if err != nil {
		return false, err
	}
	time.Sleep(k.Limit.Window + k.Limit.Window/20)
	second, err := c.send(k.Limit.Requests)
	t.detail = fmt.Sprintf("%d of %d at once, and %d of %d when the window had gone by",
		admitted(first), len(first), admitted(second), len(second))
	return span(first) < k.Limit.Window && span(second) < k.Limit.Window, err
}

// boundary: two bursts on the two sides of where counters of a fixed window begin
// anew, or estimate: after the first request of a key, and by the clock.
func (k *Kit) boundary(t *trial) (bool, error) {
	fromFirst, err := k.sinceFirst(t.fresh())
	if err != nil {
		return false, err
	}
	told := fromFirst
	for _, later := range []time.Duration{k.Limit.Window / 20, k.Limit.Window / 2} {
		ok, err := k.byClock(t.fresh(), later)
		if err != nil {
			return false, err
		}
		told = told && ok
	}
	return told, nil
}

// sinceFirst: one request, the rest of the limit shortly before a window has gone
// by, and the limit again shortly after. Only the first has left the window then.
func (k *Kit) sinceFirst(c *caller) (bool, error) {
	w, start := k.Limit.Window, time.Now()
	if _, err := c.send(1); err != nil {
		return false, err
	}
	time.Sleep(time.Until(start.Add(w * 9 / 10)))
	if _, err := c.send(k.Limit.Requests - 1); err != nil {
		return false, err
	}
	time.Sleep(time.Until(start.Add(w * 21 / 20)))
	_, err := c.send(k.Limit.Requests)
	return span(c.sent()[1:]) < w, err
}

// byClock: the limit shortly before the clock's next multiple of the window, and
// again some time after it.
func (k *Kit) byClock(c *caller, later time.Duration) (bool, error) {
	w := k.Limit.Window
	next := time.Now().Truncate(w).Add(2 * w)
	time.Sleep(time.Until(next.Add(-w / 10)))
	if _, err := c.send(k.Limit.Requests); err != nil {
		return false, err
	}
	time.Sleep(time.Until(next.Add(later)))
	_, err := c.send(k.Limit.Requests)
	return span(c.sent()) < w, err
}

// concurrency: many connections at once, on the same key; five times, because a
// race is not lost every time.
func (k *Kit) concurrency(t *trial) (bool, error) {
	each := max(2, 4*k.Limit.Requests/k.Concurrency+1)
	told := true
	var passed []int
	for range 5 {
		c := t.fresh()
		if err := c.crowd(k.Concurrency, each); err != nil {
			return false, err
		}
		told = told && span(c.sent()) < k.Limit.Window
		passed = append(passed, admitted(c.sent()))
	}
	t.detail = fmt.Sprintf("%d requests on %d connections, five times: %v passed", each*k.Concurrency, k.Concurrency, passed)
	return told, nil
}

// crowd sends from many goroutines that begin together.
func (c *caller) crowd(many, each int) error {
	var ready, done sync.WaitGroup
	errs := make([]error, many)
	ready.Add(1)
	for i := range many {
		done.Go(func() {
			ready.Wait()
			_, errs[i] = c.send(each)
		})
	}
	ready.Done()
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedCost: a client that does not stop when it is refused. Where refused
// requests count, it stays locked out as long as it asks.
func (k *Kit) refusedCost(t *trial) (bool, error) {
	c := t.fresh()
	start := time.Now()
	if _, err := c.send(k.Limit.Requests); err != nil {
		return false, err
	}
	for i := 1; time.Since(start) < 4*k.Limit.Window; i++ {
		if _, err := c.send(1); err != nil {
			return false, err
		}
		time.Sleep(time.Until(start.Add(time.Duration(i) * k.Limit.Window / 100)))
	}
	t.detail = fmt.Sprintf("asking on for 4 windows, %d passed; the longest wait for a pass was %v",
		admitted(c.sent()), drought(c.sent()).Round(time.Millisecond))
	return true, nil
}

// reload: the limit is used up, the configuration is loaded again, and no more may
// pass than without that. (A limit that is not exact may let some pass all the same.)
func (k *Kit) reload(t *trial) (bool, error) {
	without, inTime, err := k.twice(t.fresh(), func() error { return nil })
	if err != nil {
		return false, err
	}
	with, inTimeToo, err := k.twice(t.fresh(), k.Reload)
	if err != nil {
		return false, err
	}
	t.own = Kept
	// One or two more are the difference of two clocks.
	if with > without+2 {
		t.own = Forgotten
	}
	t.detail = fmt.Sprintf("%d of %d passed in the same window after a reload, %d without one", with, k.Limit.Requests, without)
	return inTime && inTimeToo, nil
}

// twice uses the limit up, does something, and tries the limit again in the same
// window: how many passed, and whether it was the same window. It begins early in
// a window of the clock, so that two calls differ in nothing but what is done.
func (k *Kit) twice(c *caller, do func() error) (int, bool, error) {
	w := k.Limit.Window
	time.Sleep(time.Until(time.Now().Truncate(w).Add(w + w/10)))
	if _, err := c.send(k.Limit.Requests); err != nil {
		return 0, false, err
	}
	if err := do(); err != nil {
		return 0, false, fmt.Errorf("cannot reload: %w", err)
	}
	// As long as it may take until the new configuration is in force.
	time.Sleep(w / 3)
	after, err := c.send(k.Limit.Requests)
	return admitted(after), span(c.sent()) < w, err
}
