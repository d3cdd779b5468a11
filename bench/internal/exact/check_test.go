package exact

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// table runs the kit on a naive limiter, in virtual time.
func table(t *testing.T, decide func(*naive, *counter, time.Time) bool, forgets bool) (results map[string]Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &naive{limit: Limit{20, time.Second}, delay: 300 * time.Microsecond, decide: decide, counters: map[string]*counter{}}
		k := Kit{Send: n.send, Limit: n.limit, Concurrency: 32, Prefix: "test", Reload: func() error {
			if forgets {
				n.mu.Lock()
				clear(n.counters)
				n.mu.Unlock()
			}
			return nil
		}}
		all, err := k.Run()
		if err != nil {
			t.Fatal(err)
		}
		results = map[string]Result{}
		for _, r := range all {
			results[r.Check] = r
		}
	})
	return results
}

func TestAnExactLimiterPassesEveryCheck(t *testing.T) {
	for name, r := range table(t, exactly, false) {
		want := Exact
		if name == "reload" {
			want = Kept
		}
		if r.Verdict != want || r.Worst != 20 || r.Wrong != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestEachFlawIsFoundByItsCheck(t *testing.T) {
	f := func(flaw string, decide func(*naive, *counter, time.Time) bool, check string, want Verdict, worst int) {
		t.Helper()
		r := table(t, decide, false)[check]
		if r.Verdict != want || r.Worst != worst {
			t.Errorf("%s: %+v, want %q and %d in a window", flaw, r, want, worst)
		}
	}
	f("one too many", oneTooMany, "burst", Over, 21)
	f("one too few", oneTooFew, "burst", Under, 19)
	f("a window that is too long", windowTooLong, "burst", Under, 20)
	f("a fixed window from the first request", fixedFromFirst, "boundary", Over, 39)
	f("a fixed window of the clock", fixedByClock, "boundary", Over, 40)
	f("an estimated window", estimating, "boundary", Over, 31) // half, and what the delay adds
	f("a token bucket", tokenBucket, "refused cost", Over, 39)
	f("even distances", pacing, "burst", Under, 1)
	f("a race", racing, "concurrency", Over, 32)
	f("refused requests that count", charging, "refused cost", Under, 20)
}

func TestAFlawOfOneKindIsNotLaidToAnotherCheck(t *testing.T) {
	f := func(flaw string, decide func(*naive, *counter, time.Time) bool, checks ...string) {
		t.Helper()
		results := table(t, decide, false)
		for _, check := range checks {
			if r := results[check]; r.Verdict != Exact && r.Verdict != Kept {
				t.Errorf("%s: %s says %+v", flaw, check, r)
			}
		}
	}
	f("a race", racing, "burst", "boundary", "refused cost", "reload")
	f("refused requests that count", charging, "concurrency", "reload")
	f("a fixed window", fixedByClock, "reload")
	f("a token bucket", tokenBucket, "reload")
}

func TestCountsLostInAReloadAreFound(t *testing.T) {
	results := table(t, exactly, true)
	if r := results["reload"]; r.Verdict != Forgotten || r.Worst != 40 {
		t.Errorf("%+v", r)
	}
	if r := results["boundary"]; r.Verdict != Exact {
		t.Errorf("%+v", r)
	}
}

func TestASlowMachineIsNotHeldAgainstTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &naive{limit: Limit{20, time.Second}, delay: 200 * time.Millisecond, decide: exactly, counters: map[string]*counter{}}
		k := Kit{Send: n.send, Limit: n.limit, Concurrency: 8, Prefix: "slow"}
		results, err := k.Run()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			switch r.Check {
			case "reload":
				if r.Verdict != NotRun {
					t.Errorf("%+v", r)
				}
			case "refused cost":
				if r.Verdict != Exact {
					t.Errorf("%+v", r)
				}
			default:
				if r.Verdict != Inconclusive {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}

func TestAnAnswerThatIsNeitherEndsTheRun(t *testing.T) {
	k := Kit{Send: func(string) (bool, error) { return false, errors.New("status 500") }, Limit: Limit{20, time.Second}, Concurrency: 4}
	if _, err := k.Run(); err == nil || !strings.Contains(err.Error(), `"burst": status 500`) {
		t.Errorf("the error is %v", err)
	}
}
