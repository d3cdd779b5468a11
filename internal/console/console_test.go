package console

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a source that counts how often it is asked.
type stage struct {
	mu            sync.Mutex
	points, reads int
	steady        string // a table that seldom changes
	entries       []uint64
	watched       []bool
}

func (s *stage) source() Source {
	return Source{
		Tables: []Table{
			{"reads", func() any { return add(s, &s.reads) }},
			{"steady", func() any { s.mu.Lock(); defer s.mu.Unlock(); return s.steady }},
		},
		Logs: []Log{{"log", func(after uint64) (any, uint64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			var news []uint64
			for _, n := range s.entries {
				if n > after {
					news = append(news, n)
				}
			}
			if news == nil {
				return nil, 0
			}
			return news, news[len(news)-1]
		}}},
		Point: func(time.Time) any { return add(s, &s.points) },
		Watch: func(on bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.watched = append(s.watched, on)
		},
	}
}

func add(s *stage, n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	return *n
}

// set changes what there is to see.
func (s *stage) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// asked is how often the tables were read; told, what Watch was told.
func (s *stage) asked() int { return s.look(&s.reads) }

func (s *stage) look(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func (s *stage) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.watched)
}

// live runs a console in a bubble of time.
func live(t *testing.T, play func(t *testing.T, s *stage, c *Console)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{steady: "as ever"}
		c := New(s.source())
		ctx, cancel := context.WithCancel(t.Context())
		go c.Run(ctx)
		synctest.Wait()
		pass(interval / 2) // between two ticks from here on
		play(t, s, c)
		cancel()
		c.Close()
		synctest.Wait()
	})
}

// pass lets time go by, and waits until all that happens then has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// next takes one frame.
func next(t *testing.T, v *viewer) (m message) {
	t.Helper()
	frame, open := <-v.frames
	if !open {
		t.Fatal("the viewer was dropped")
	}
	if err := json.Unmarshal(frame, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func join(t *testing.T, c *Console) *viewer {
	t.Helper()
	v, ok := c.join(time.Now())
	if !ok {
		t.Fatal("there is no place for a viewer")
	}
	return v
}

func TestNobodyWatchesAndNothingIsRead(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		pass(10 * time.Minute)
		if points := s.look(&s.points); s.asked() != 0 || s.told() != "[]" || points != 600 || len(c.points) != keptPoints {
			t.Errorf("%d reads, watched %s, %d points, %d kept", s.asked(), s.told(), points, len(c.points))
		}
	})
}

func TestAllViewersShareOneFrameASecond(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		a, b := join(t, c), join(t, c)
		for n := range 5 {
			one, other := next(t, a), next(t, b)
			if got := fmt.Sprint(one); got != fmt.Sprint(other) || string(one.Tables["reads"]) != fmt.Sprint(n+1) || len(one.Points) != 1 {
				t.Errorf("one sees %v, the other %v", one, other)
			}
		}
		if s.asked() != 5 {
			t.Errorf("%d reads in 5 seconds of two viewers", s.asked())
		}
	})
}

func TestAFrameHoldsWhatChanged(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		s.set(func() { s.entries = []uint64{1, 2} })
		v := join(t, c)
		first := next(t, v)
		if string(first.Tables["steady"]) != `"as ever"` || string(first.Logs["log"]) != "[1,2]" {
			t.Errorf("the first frame is %v", first)
		}
		if again := next(t, v); again.Tables["steady"] != nil || again.Logs["log"] != nil {
			t.Errorf("nothing changed, but the frame holds %s and %s", again.Tables["steady"], again.Logs["log"])
		}
		s.set(func() { s.steady, s.entries = "changed", append(s.entries, 7) })
		if news := next(t, v); string(news.Tables["steady"]) != `"changed"` || string(news.Logs["log"]) != "[7]" {
			t.Errorf("news are %v", news)
		}
		if again := next(t, v); again.Logs["log"] != nil {
			t.Errorf("old news are told again: %s", again.Logs["log"])
		}
	})
}

func TestWatchingBeginsAndEndsWithTheViewers(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		a, b := join(t, c), join(t, c)
		next(t, a)
		c.leave(a, time.Now())
		next(t, b)
		c.leave(b, time.Now())
		c.leave(b, time.Now()) // twice is once
		if s.told() != "[true]" {
			t.Fatalf("told %s", s.told())
		}
		reads := s.asked()
		pass(lease + interval)
		if s.told() != "[true false]" || s.asked() != reads {
			t.Errorf("told %s, and %d reads for nobody", s.told(), s.asked()-reads)
		}
		join(t, c)
		if s.told() != "[true false true]" {
			t.Errorf("told %s", s.told())
		}
	})
}

func TestASlowViewerIsDroppedAndHoldsUpNobody(t *testing.T) {
	live(t, func(t *testing.T, _ *stage, c *Console) {
		slow, quick := join(t, c), join(t, c)
		for range 2 * behind {
			next(t, quick)
		}
		taken := 0
		for range slow.frames {
			taken++
		}
		if taken != behind || len(c.viewers) != 1 {
			t.Errorf("the slow one has got %d frames, %d viewers are left", taken, len(c.viewers))
		}
		next(t, quick)
	})
}

func TestTheViewersAreBounded(t *testing.T) {
	live(t, func(t *testing.T, _ *stage, c *Console) {
		for range mostViewers {
			join(t, c)
		}
		if _, ok := c.join(time.Now()); ok {
			t.Error("there is a place for one too many")
		}
	})
}

func TestClosingEndsEveryStreamAndTakesNoMore(t *testing.T) {
	live(t, func(t *testing.T, _ *stage, c *Console) {
		v := join(t, c)
		c.Close()
		if _, open := <-v.frames; open {
			t.Error("the stream goes on")
		}
		if _, ok := c.join(time.Now()); ok {
			t.Error("somebody may still join")
		}
		c.leave(v, time.Now())
	})
}

// However many ask for tables, they are read once a second.
func TestSingleLooksShareARead(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		for range 50 {
			c.full(time.Now())
		}
		if s.asked() != 1 || s.told() != "[true]" {
			t.Errorf("%d reads for 50 looks at once, watched %s", s.asked(), s.told())
		}
		pass(interval)
		c.full(time.Now())
		if s.asked() != 2 {
			t.Errorf("%d reads, want another after a second", s.asked())
		}
		pass(lease + interval)
		if s.told() != "[true false]" {
			t.Errorf("told %s", s.told())
		}
	})
}

func TestAConsoleWithoutASourceIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(Source{})
}
