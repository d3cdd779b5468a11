package deadline

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestNothingEndsEarlyAndNothingMuchTooLate(t *testing.T) {
	for _, d := range []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s, w := New(d), new(Watch)
			start, ended := time.Now(), time.Duration(0)
			s.Add(w, func() { ended = time.Since(start) })
			for range 7 { // between two looks
				time.Sleep(d / 50)
			}
			start = time.Now()
			w.Set(d)
			time.Sleep(2*d + time.Second)
			w.Remove()
			time.Sleep(time.Second)
			synctest.Wait()
			if latest := d + min(max(d/4, 2*shortestTick), 2*longestTick); ended < d || ended > latest {
				t.Errorf("ended after %s, want %s to %s", ended, d, latest)
			}
		})
	}
}

// What is set while the machine has no time for the sweeper is set by an old clock.
func TestASweeperThatIsHeldUpEndsNothingEarly(t *testing.T) {
	const second = int64(time.Second)
	s, before, meanwhile := New(time.Second), new(Watch), new(Watch)
	s.running = true // it is looked by hand
	ended := 0
	s.Add(before, func() { ended++ })
	s.Add(meanwhile, func() { ended++ })
	s.look(0)
	before.Set(time.Second)
	s.look(int64(s.tick))
	meanwhile.Set(time.Second) // at 5 s, by the clock of 0.1 s
	s.look(5 * second)
	if ended != 0 {
		t.Fatalf("%d ended after a moment", ended)
	}
	for now := 5*second + int64(s.tick); now < 6*second; now += int64(s.tick) {
		s.look(now)
	}
	if meanwhile.Expired() {
		t.Error("it ended early")
	}
	s.look(6*second + 2*int64(s.tick))
	s.look(6*second + 4*int64(s.tick))
	if ended != 2 {
		t.Errorf("%d ended", ended)
	}
}

func TestALiftedLimitEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := New(time.Second), new(Watch)
		s.Add(w, func() { t.Error("ended") })
		w.Set(time.Second)
		time.Sleep(900 * time.Millisecond)
		if !w.Clear() {
			t.Error("the time was up before it was")
		}
		time.Sleep(time.Minute)
		w.Set(time.Second)
		w.Remove()
		time.Sleep(time.Minute)
	})
}

// A connection whose time was up must not be used again, even when its answer
// came at the last moment.
func TestWhatIsExpiredStaysExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := New(time.Second), new(Watch)
		calls := 0
		s.Add(w, func() { calls++ })
		w.Set(time.Second)
		time.Sleep(2 * time.Second)
		w.Set(time.Second)
		for range 2 {
			if w.Clear() {
				t.Error("an expired watch can be used again")
			}
		}
		time.Sleep(time.Minute)
		w.Remove()
		time.Sleep(time.Second)
		synctest.Wait()
		if calls != 1 {
			t.Errorf("ended %d times", calls)
		}
	})
}

func TestTheSweeperRunsOnlyWhileThereIsSomethingToLookAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(time.Second)
		for range 3 {
			var w [5]Watch
			for i := range w {
				s.Add(&w[i], func() {})
			}
			for _, i := range []int{2, 0, 4, 1, 3} {
				w[i].Remove()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			s.mu.Lock()
			if s.running {
				t.Error("still running")
			}
			s.mu.Unlock()
			time.Sleep(time.Hour) // a stale idea of the time would end the next ones at once
		}
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	s := New(10 * time.Millisecond)
	var ended atomic.Int64
	done := make(chan bool)
	for range 8 {
		go func() {
			for range 200 {
				w := new(Watch)
				s.Add(w, func() { ended.Add(1) })
				w.Set(time.Hour)
				w.Clear()
				w.Remove()
			}
			done <- true
		}()
	}
	for range 8 {
		<-done
	}
	if ended.Load() != 0 {
		t.Errorf("%d ended early", ended.Load())
	}
}

func BenchmarkSetAndClear(b *testing.B) {
	s, w := New(time.Second), new(Watch)
	s.Add(w, func() {})
	defer w.Remove()
	b.ReportAllocs()
	for b.Loop() {
		w.Set(time.Second)
		w.Clear()
	}
}
