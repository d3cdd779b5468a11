// Package deadline ends what takes too long without a timer for each operation:
// one goroutine looks at every watch a few times a second. Setting a watch is
// one atomic store, where a connection's own SetDeadline costs 0.2 µs and a
// request needs several of them.
//
// It must not know what it ends.
package deadline

import (
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the time between two looks.
const (
	shortestTick = time.Millisecond
	longestTick  = 100 * time.Millisecond
)

// expired marks a watch whose time was up.
const expired = -1

// Sweeper looks at its watches. It is safe for concurrent use, and runs only
// while it has some.
type Sweeper struct {
	tick  time.Duration
	start time.Time
	now   atomic.Int64 // ns since start, as of the last look

	mu      sync.Mutex
	watches []*Watch
	running bool
}

// New makes a sweeper for timeouts of at least shortest: none ends early, and
// none more than a quarter of shortest late, or 0.2 s; on a machine that has no time
// for the sweeper, later by as much.
func New(shortest time.Duration) *Sweeper {
	return &Sweeper{tick: min(max(shortest/8, shortestTick), longestTick), start: time.Now()}
}

// Watch is one thing that may take too long. Its zero value is ready for Add.
type Watch struct {
	at     atomic.Int64 // ns since the sweeper's start; 0: unlimited
	expire func()
	owner  *Sweeper
	index  int
}

// Add makes the sweeper look at w until Remove. When its time is up, expire is
// called, once and from another goroutine; it must not block, and not call the
// sweeper.
func (s *Sweeper) Add(w *Watch, expire func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.owner, w.expire, w.index = s, expire, len(s.watches)
	s.watches = append(s.watches, w)
	if !s.running {
		s.running = true
		s.now.Store(int64(time.Since(s.start)))
		go s.sweep()
	}
}

// Remove forgets w. After it, expire is not called.
func (w *Watch) Remove() {
	s := w.owner
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.watches) - 1
	moved := s.watches[last]
	s.watches[w.index], moved.index = moved, w.index
	s.watches[last] = nil
	s.watches = s.watches[:last]
	w.owner = nil
}

// After is the moment d from now, for SetAt.
func (s *Sweeper) After(d time.Duration) int64 { return s.now.Load() + int64(d+s.tick) }

// Set gives w the time d from now. It does nothing once w is expired.
func (w *Watch) Set(d time.Duration) { w.SetAt(w.owner.After(d)) }

// SetAt gives w a moment that After returned. It does nothing once w is expired.
func (w *Watch) SetAt(at int64) {
	if before := w.at.Swap(at); before == expired {
		w.at.Store(expired)
	}
}

// Clear lifts the limit. It reports whether the time was not up; when it was,
// expire was called or is about to be.
func (w *Watch) Clear() bool {
	if w.at.Swap(0) == expired {
		w.at.Store(expired)
		return false
	}
	return true
}

// Expired reports whether the time was up.
func (w *Watch) Expired() bool { return w.at.Load() == expired }

// Revive makes an expired watch usable again, for a last word on what it ended.
// The call of expire is over when Revive returns.
func (w *Watch) Revive() {
	w.owner.mu.Lock()
	defer w.owner.mu.Unlock()
	w.at.Store(0)
}

func (s *Sweeper) sweep() {
	ticker := time.NewTicker(s.tick)
	defer ticker.Stop()
	for range ticker.C {
		if !s.look(int64(time.Since(s.start))) {
			return
		}
	}
}

// look ends what is late at now. It reports whether there is anything to look
// at.
//
// Where the machine had no time for a look, watches were set meanwhile by the time
// of the last one, and would end early: all get what was lost.
func (s *Sweeper) look(now int64) bool {
	lost := now - s.now.Swap(now) - int64(s.tick)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		at := w.at.Load()
		if at > 0 && lost > int64(s.tick) && w.at.CompareAndSwap(at, at+lost) {
			at += lost
		}
		if at > 0 && now >= at && w.at.CompareAndSwap(at, expired) {
			w.expire()
		}
	}
	s.running = len(s.watches) > 0
	return s.running
}
