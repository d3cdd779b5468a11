package balance

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var settings = Config{Failures: 3, Open: 5 * time.Second, MaxOpen: 30 * time.Second}

func group(n int) (*Group, []*Member) {
	members := make([]*Member, n)
	for i := range members {
		members[i] = NewMember(settings)
	}
	return NewGroup(members...), members
}

func now() int64 { return time.Now().UnixNano() }

// fail reports failures until the circuit opens.
func fail(t *testing.T, m *Member, r Result) {
	t.Helper()
	for range settings.Failures - 1 {
		if got := m.Report(now(), r, false); got != Unchanged {
			t.Fatalf("a failure too few and the circuit says %d", got)
		}
	}
	if got := m.Report(now(), r, false); got != Opened {
		t.Fatalf("%d failures in a row and the circuit says %d", settings.Failures, got)
	}
}

func TestTiesRotate(t *testing.T) {
	g, _ := group(3)
	seen := map[int]int{}
	changes, last := 0, None
	for range 30 * inARow {
		i := g.Pick(now(), 0).Index
		if seen[i]++; i != last {
			changes, last = changes+1, i
		}
	}
	for i := range 3 {
		if got := seen[i]; got < 10*inARow-1 || got > 10*inARow+1 {
			t.Errorf("of %d requests member %d of 3 got %d", 30*inARow, i, got)
		}
	}
	if changes > 31 {
		t.Errorf("%d changes: requests that come one by one would meet no open connection", changes)
	}
}

func TestTheLeastLoadedIsChosenAmongThoseNotTried(t *testing.T) {
	g, members := group(3)
	for i, load := range []int{2, 0, 1} {
		for range load {
			members[i].Start()
		}
	}
	tried := Tried(0)
	for _, want := range []int{1, 2, 0, None} {
		c := g.Pick(now(), tried)
		if c.Index != want || c.Trial || c.Wait != 0 {
			t.Fatalf("got %+v, want member %d", c, want)
		}
		if want != None {
			tried = tried.With(want)
		}
	}
}

func TestASuccessBreaksTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := group(1)
		m := members[0]
		for range 10 {
			for range settings.Failures - 1 {
				m.Report(now(), Bad, false)
			}
			m.Report(now(), Neutral, false) // and what says nothing does not lengthen it
			m.Report(now(), Good, false)
		}
		if s := m.State(now()); s != Closed {
			t.Errorf("the circuit is %s", s)
		}
		fail(t, m, Bad)
	})
}

func TestTheOnlyMemberIsUsedHoweverBadlyItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := group(1)
		fail(t, members[0], Bad)
		if c := g.Pick(now(), 0); c.Index != 0 || c.Trial {
			t.Errorf("got %+v", c)
		}
		if s := members[0].State(now()); s != Open || members[0].Cut() {
			t.Errorf("the circuit is %s", s)
		}
	})
}

func TestAMemberThatCantBeConnectedToIsRefusedUntilItsTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := group(1)
		m := members[0]
		fail(t, m, Unreachable)
		time.Sleep(time.Second)
		if c := g.Pick(now(), 0); c.Index != None || c.Wait != 4*time.Second || !m.Cut() {
			t.Fatalf("got %+v", c)
		}
		time.Sleep(4*time.Second + 1)
		if s := m.State(now()); s != HalfOpen {
			t.Errorf("when its time has come the circuit is %s", s)
		}
		if c := g.Pick(now(), 0); c.Index != 0 || !c.Trial {
			t.Fatalf("got %+v", c)
		}
		if c := g.Pick(now(), 0); c.Index != None || c.Wait <= 0 {
			t.Fatalf("beside the trial got %+v", c)
		}
		if got := m.Report(now(), Good, true); got != Reclosed || m.State(now()) != Closed {
			t.Errorf("after the trial: %d, %s", got, m.State(now()))
		}
		if c := g.Pick(now(), 0); c.Index != 0 || c.Trial {
			t.Errorf("got %+v", c)
		}
	})
}

func TestTheTimeDoublesUpToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := group(1)
		m := members[0]
		fail(t, m, Unreachable)
		for _, want := range []time.Duration{5, 10, 20, 30, 30} {
			want *= time.Second
			if got := m.Waiting(now()); got != want {
				t.Fatalf("open for %s, want %s", got, want)
			}
			time.Sleep(want + 1)
			if c := g.Pick(now(), 0); !c.Trial {
				t.Fatalf("got %+v", c)
			}
			if got := m.Report(now(), Unreachable, true); got != Reopened {
				t.Fatalf("a trial that failed: %d", got)
			}
		}
		time.Sleep(30*time.Second + 1)
		g.Pick(now(), 0)
		m.Report(now(), Good, true)
		time.Sleep(29 * time.Second)
		fail(t, m, Unreachable) // it came back for less time than it was away
		if got := m.Waiting(now()); got != 30*time.Second {
			t.Errorf("open for %s", got)
		}
		time.Sleep(31 * time.Second)
		g.Pick(now(), 0)
		m.Report(now(), Good, true)
		time.Sleep(30 * time.Second)
		fail(t, m, Unreachable)
		if got := m.Waiting(now()); got != 5*time.Second {
			t.Errorf("after a good while open for %s", got)
		}
	})
}

func TestATrialThatToldNothingLeavesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := group(1)
		fail(t, members[0], Unreachable)
		time.Sleep(6 * time.Second)
		for range 3 {
			if c := g.Pick(now(), 0); !c.Trial {
				t.Fatalf("got %+v", c)
			}
			members[0].Report(now(), Neutral, true)
		}
	})
}

func TestADoubtedMemberIsUsedOnlyWhenNoneIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, members := group(2)
		members[0].Doubt(true)
		if s := members[0].State(now()); s != Open {
			t.Errorf("a doubted member's circuit is %s", s)
		}
		for range 10 {
			if c := g.Pick(now(), 0); c.Index != 1 {
				t.Fatalf("got %+v", c)
			}
		}
		members[1].Doubt(true)
		seen := map[int]bool{}
		for range 10 {
			seen[g.Pick(now(), 0).Index] = true
		}
		if len(seen) != 2 || seen[None] {
			t.Errorf("got %v, want both", seen)
		}
		fail(t, members[0], Unreachable)
		fail(t, members[1], Unreachable)
		if members[0].Probe(now()) {
			t.Error("a probe before its time")
		}
		time.Sleep(6 * time.Second)
		if c := g.Pick(now(), 0); !c.Trial {
			t.Errorf("got %+v: with nobody else left, a doubted one is tried", c)
		}
	})
}

func TestAHealthCheckCanBeTheTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, members := group(1)
		m := members[0]
		if m.Probe(now()) {
			t.Error("a closed circuit was probed")
		}
		fail(t, m, Unreachable)
		time.Sleep(6 * time.Second)
		if !m.Probe(now()) || m.Probe(now()) {
			t.Fatal("want exactly one trial")
		}
		if got := m.Report(now(), Good, true); got != Reclosed {
			t.Errorf("got %d", got)
		}
	})
}

func TestWithoutABreakerNothingOpens(t *testing.T) {
	m := NewMember(Config{})
	g := NewGroup(m)
	for range 1000 {
		if m.Report(now(), Unreachable, false) != Unchanged {
			t.Fatal("a circuit that is turned off opened")
		}
	}
	if c := g.Pick(now(), 0); c.Index != 0 || m.State(now()) != Closed {
		t.Errorf("got %+v", c)
	}
}

func TestManyAtOnceGetOneTrialAndAnEvenLoad(t *testing.T) {
	g, members := group(4)
	fail(t, members[3], Bad)
	members[3].until.Store(0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	trials := 0
	for range 64 {
		wg.Go(func() {
			for range 200 {
				c := g.Pick(now(), 0)
				m := members[c.Index]
				m.Start()
				if l := m.Load(); l < 1 || l > 64 {
					t.Errorf("a load of %d", l)
				}
				if c.Trial {
					mu.Lock()
					trials++
					mu.Unlock()
				}
				m.Report(now(), Good, false)
				m.End()
			}
		})
	}
	wg.Wait()
	if trials > 1 {
		t.Errorf("%d trials at once", trials)
	}
	for i, m := range members {
		if m.Load() != 0 {
			t.Errorf("member %d has a load of %d in the end", i, m.Load())
		}
	}
}
