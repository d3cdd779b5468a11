package balance

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// naive is a member as one would tell it to a child: lists and times, nothing
// clever. It is the model that the real one is held to.
type naive struct {
	row         int // failures since the last success
	open        bool
	trying      bool
	unreachable bool
	doubted     bool
	until       int64
	wait        time.Duration
	back        int64 // when it came back last
	load        int64
}

func (n *naive) due(at int64) bool { return n.open && !n.trying && at > n.until }

func (n *naive) report(at int64, r Result, trial bool) Change {
	switch {
	case r == Neutral && trial:
		n.trying = false
		return Unchanged
	case r == Neutral, n.open && !trial:
		return Unchanged
	case r == Good && trial:
		n.open, n.trying, n.row, n.back = false, false, 0, at
		return Reclosed
	case r == Good:
		n.row = 0
		return Unchanged
	}
	if n.row++; !trial && n.row < settings.Failures {
		return Unchanged
	}
	soon := n.back > 0 && at-n.back < int64(n.wait)
	if n.wait = min(2*n.wait, settings.MaxOpen); !trial && !soon {
		n.wait = settings.Open
	}
	n.open, n.trying, n.unreachable, n.until = true, false, r == Unreachable, at+int64(n.wait)
	if trial {
		return Reopened
	}
	return Opened
}

// allowed lists which members may be chosen, and whether that is a trial.
func allowed(members []*naive, at int64, tried Tried) (which []int, trial bool) {
	rank := func(n *naive) (class int, trial bool) {
		switch {
		case n.due(at) && !n.doubted:
			return 0, true
		case !n.open && !n.doubted:
			return 1, false
		case !n.open, !n.unreachable && !n.due(at):
			return 2, false
		case n.due(at):
			return 3, true
		}
		return 4, false
	}
	lowest := 4
	for i, n := range members {
		class, isTrial := rank(n)
		if tried.has(i) || class > lowest || class == 4 {
			continue
		}
		if class == lowest && !isTrial && len(which) > 0 && n.load != members[which[0]].load {
			if n.load > members[which[0]].load {
				continue
			}
			which = nil
		}
		if class < lowest {
			which = nil
		}
		lowest, trial = class, isTrial
		which = append(which, i)
	}
	return which, trial
}

type call struct {
	i     int
	trial bool
}

// A member's trial and its load look alike to the naive model and to the real
// thing, over 200 000 random steps of choosing, ending well or badly, checks and
// pauses.
func TestChoicesAndCircuitsAreThoseOfTheNaiveModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(20) {
			against(t, rand.New(rand.NewPCG(seed, 1)), 10000)
		}
	})
}

func against(t *testing.T, random *rand.Rand, steps int) {
	t.Helper()
	n := 1 + random.IntN(5)
	g, members := group(n)
	model := make([]*naive, n)
	for i := range model {
		model[i] = new(naive)
	}
	var inFlight []call
	trials, none := 0, 0
	for range steps {
		switch what := random.IntN(20); {
		case what < 8:
			c := choose(t, g, model, Tried(random.Uint64N(1<<n)&random.Uint64()&random.Uint64()))
			if c.i == None {
				none++
				continue
			}
			if c.trial {
				trials++
			}
			members[c.i].Start()
			model[c.i].load++
			inFlight = append(inFlight, c)
		case what < 17 && len(inFlight) > 0:
			k := random.IntN(len(inFlight))
			end(t, members, model, inFlight[k], Result(random.IntN(4)))
			inFlight = append(inFlight[:k], inFlight[k+1:]...)
		case what == 17:
			i, unwell := random.IntN(n), random.IntN(2) == 0
			members[i].Doubt(unwell)
			model[i].doubted = unwell
		default:
			time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
		}
	}
	if trials == 0 || none == 0 {
		t.Errorf("%d trials and %d refusals in %d steps of %d members: nothing was tested", trials, none, steps, n)
	}
}

func choose(t *testing.T, g *Group, model []*naive, tried Tried) call {
	t.Helper()
	at := now()
	which, trial := allowed(model, at, tried)
	c := g.Pick(at, tried)
	if c.Index == None {
		if len(which) > 0 {
			t.Fatalf("none was chosen, of %v one may be", which)
		}
		return call{i: None}
	}
	for _, i := range which {
		if i == c.Index && c.Trial == trial {
			model[i].trying = trial || model[i].trying
			return call{i, trial}
		}
	}
	t.Fatalf("got %+v, want one of %v, a trial: %v; tried %b", c, which, trial, tried)
	return call{}
}

func end(t *testing.T, members []*Member, model []*naive, c call, r Result) {
	t.Helper()
	at := now()
	want := model[c.i].report(at, r, c.trial)
	if got := members[c.i].Report(at, r, c.trial); got != want {
		t.Fatalf("result %d (a trial: %v) did %d to the circuit, want %d", r, c.trial, got, want)
	}
	members[c.i].End()
	model[c.i].load--
	if got := members[c.i].Load(); got != model[c.i].load {
		t.Fatalf("a load of %d, want %d", got, model[c.i].load)
	}
}
