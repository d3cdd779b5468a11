package exact

import (
	"fmt"
	"sync"
	"time"
)

// Send sends one request with a key and tells whether the limit refused it. An
// error is an answer that is neither, or none.
type Send func(key string) (refused bool, err error)

// Limit is what the gateway is said to enforce.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Verdict is what a check found.
type Verdict string

// Verdicts.
const (
	Exact        Verdict = "exact"
	Over         Verdict = "admits too many"
	Under        Verdict = "refuses too many"
	Both         Verdict = "admits too many, and refuses too many"
	Kept         Verdict = "keeps the counts"
	Forgotten    Verdict = "forgets the counts"
	Inconclusive Verdict = "not told" // the machine or the network was too slow
	NotRun       Verdict = "not run"
)

// Result is one line of the table.
type Result struct {
	Check   string
	Verdict Verdict
	Worst   int // admitted requests that certainly were within one window
	Wrong   int // refusals while the window certainly was not full
	Detail  string
}

// Kit runs the checks on one gateway.
type Kit struct {
	Send        Send
	Limit       Limit
	Concurrency int          // connections at once
	Reload      func() error // makes the gateway reload its configuration; nil leaves the check out
	Prefix      string       // of keys, which no earlier run has used
	keys        int
}

// attempts is how often a check is tried that the machine's own delays spoiled.
const attempts = 5

// Run runs every check.
func (k *Kit) Run() ([]Result, error) {
	var results []Result
	for _, c := range []struct {
		name string
		run  func(*trial) (bool, error)
	}{
		{"burst", k.burst},
		{"boundary", k.boundary},
		{"concurrency", k.concurrency},
		{"refused cost", k.refusedCost},
		{"reload", k.reload},
	} {
		if c.name == "reload" && k.Reload == nil {
			results = append(results, Result{Check: c.name, Verdict: NotRun, Detail: "no reload command was given"})
			continue
		}
		r, err := k.check(c.name, c.run)
		if err != nil {
			return results, fmt.Errorf("cannot finish the check %q: %w", c.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// check tries until the machine was fast enough to tell, or a flaw showed all the same.
func (k *Kit) check(name string, run func(*trial) (bool, error)) (Result, error) {
	var r Result
	for range attempts {
		t := &trial{kit: k}
		told, err := run(t)
		if err != nil {
			return r, err
		}
		r = t.result(name)
		if told || (r.Verdict != Exact && t.own == "") {
			return r, nil
		}
	}
	r.Verdict, r.Detail = Inconclusive, "the requests took longer than the window"
	return r, nil
}

// trial is one try of a check: the requests of each key that it used.
type trial struct {
	kit    *Kit
	byKey  [][]request
	detail string
	own    Verdict // of a check with verdicts of its own
}

func (t *trial) result(name string) Result {
	r := Result{Check: name, Detail: t.detail, Verdict: Exact}
	limit := t.kit.Limit
	if t.own != "" {
		r.Verdict = t.own
	}
	for _, all := range t.byKey {
		r.Worst = max(r.Worst, worst(all, limit.Window))
		r.Wrong += wrong(all, limit.Requests, limit.Window)
	}
	switch over := r.Worst > limit.Requests; {
	case t.own != "":
	case over && r.Wrong > 0:
		r.Verdict = Both
	case over:
		r.Verdict = Over
	case r.Wrong > 0:
		r.Verdict = Under
	}
	return r
}

// caller sends with one key, and remembers.
type caller struct {
	trial *trial
	key   string
	index int
	mu    sync.Mutex
}

// fresh is a caller whose key the gateway has never seen.
func (t *trial) fresh() *caller {
	t.kit.keys++
	t.byKey = append(t.byKey, nil)
	return &caller{trial: t, key: fmt.Sprintf("%s-%d", t.kit.Prefix, t.kit.keys), index: len(t.byKey) - 1}
}

// send sends n requests, one after the other, and returns what became of them.
func (c *caller) send(n int) ([]request, error) {
	var all []request
	for range n {
		r := request{sent: time.Now()}
		var err error
		if r.refused, err = c.trial.kit.Send(c.key); err != nil {
			return all, err
		}
		r.answered = time.Now()
		all = append(all, r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trial.byKey[c.index] = append(c.trial.byKey[c.index], all...)
	return all, nil
}

// sent is everything that the caller has sent.
func (c *caller) sent() []request { return c.trial.byKey[c.index] }
