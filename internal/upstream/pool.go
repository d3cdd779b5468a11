package upstream

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// pool keeps idle connections, the one used last on top, and bounds how many
// are open. Who takes a place gives it back exactly once: by put, with a
// connection that may be used again, or by free, after closing it.
type pool struct {
	max   int
	clock func() int64 // for the sweep, which nobody calls with a time

	mu      sync.Mutex
	shelves []shelf
	open    int       // places taken: idle, in use, being opened
	lent    uint      // how often a loop took one of another loop
	waiting []*waiter // first come, first served; empty while there are idle ones
	sweeper *time.Timer
	sweepAt int64 // when the sweep runs, in process time; 0 when it does not
	closed  bool
}

// shelf is where the idle connections are that were used last on one loop, or on none.
type shelf struct {
	on   *loop.Loop
	idle []*conn
}

// waiter is given a connection, or nil: a place to open one in.
type waiter struct {
	ready chan *conn
}

// get takes a place: with an idle connection, which may be dead or expired, or with
// none. It waits at most patience when all places are taken; ok is false when none
// came free.
func (p *pool) get(patience time.Duration, on *loop.Loop) (c *conn, ok bool) {
	p.mu.Lock()
	s := p.nearest(on)
	if s != nil && !p.wantsItsOwn(on, s) {
		c = s.pop()
		p.mu.Unlock()
		return c, true
	}
	if p.open < p.max {
		p.open++
		p.mu.Unlock()
		return nil, true
	}
	if patience <= 0 {
		p.mu.Unlock()
		return nil, false
	}
	w := &waiter{ready: make(chan *conn, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	return p.wait(w, patience)
}

// nearest is the shelf to take a connection from: that of the loop, else that of
// none, else the fullest; nil when all are empty. The mutex is held.
func (p *pool) nearest(on *loop.Loop) (best *shelf) {
	rank := func(s *shelf) int {
		switch s.on {
		case on:
			return math.MaxInt
		case nil:
			return math.MaxInt - 1
		default:
			return len(s.idle)
		}
	}
	for i := range p.shelves {
		if s := &p.shelves[i]; len(s.idle) > 0 && (best == nil || rank(s) > rank(best)) {
			best = s
		}
	}
	return best
}

// A loop that takes a connection of another one makes work for both. Every tired-th time
// one more is opened instead, while at least busy are in use: a few requests at a time
// keep to few connections.
const (
	tired = 32
	busy  = 8
)

// wantsItsOwn reports whether a new connection should be opened for a loop although
// there are idle ones on the shelf. The mutex is held.
func (p *pool) wantsItsOwn(on *loop.Loop, s *shelf) bool {
	if on == nil || s.on == on || s.on == nil || p.open == p.max || p.open-p.idle() < busy {
		return false
	}
	p.lent++
	return p.lent%tired == 0
}

// idle is how many are on the shelves. The mutex is held.
func (p *pool) idle() (n int) {
	for i := range p.shelves {
		n += len(p.shelves[i].idle)
	}
	return n
}

func (p *pool) wait(w *waiter, patience time.Duration) (*conn, bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c := <-w.ready:
		return c, true
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil, false
	}
	return <-w.ready, true // it came at the last moment
}

// another takes the idle connection used last in exchange for the place of a
// connection that turned out to be dead. With none left it returns nil, and the
// caller keeps its place to open one in.
func (p *pool) another(on *loop.Loop) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.nearest(on)
	if s == nil {
		return nil
	}
	p.open--
	return s.pop()
}

// pop takes the connection used last.
func (s *shelf) pop() *conn {
	last := len(s.idle) - 1
	c := s.idle[last]
	s.idle[last] = nil
	s.idle = s.idle[:last]
	return c
}

// shelf is the one of a loop. The mutex is held.
func (p *pool) shelf(on *loop.Loop) *shelf {
	for i := range p.shelves {
		if p.shelves[i].on == on {
			return &p.shelves[i]
		}
	}
	p.shelves = append(p.shelves, shelf{on: on})
	return &p.shelves[len(p.shelves)-1]
}

// put gives back a place with its connection, which may be used until
// c.expires. It returns false when the pool wants no more connections: the
// caller closes the connection and frees its place.
func (p *pool) put(c *conn, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || now >= c.expires {
		return false
	}
	if len(p.waiting) > 0 {
		p.hand(c)
		return true
	}
	s := p.shelf(c.seat.Load().Loop())
	s.idle = append(s.idle, c)
	if p.sweepAt == 0 || c.expires < p.sweepAt {
		p.arm(c.expires, now)
	}
	return true
}

// free gives back n places whose connections are closed.
func (p *pool) free(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		if len(p.waiting) > 0 {
			p.hand(nil)
		} else {
			p.open--
		}
	}
}

// hand gives a place to whoever has waited longest. The mutex is held.
func (p *pool) hand(c *conn) {
	p.waiting[0].ready <- c // never blocks: a waiter is handed one thing
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
}

// arm makes the sweep run at a time. The mutex is held.
func (p *pool) arm(at, now int64) {
	p.sweepAt = at
	d := time.Duration(at - now)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(d, p.sweep)
		return
	}
	p.sweeper.Reset(d)
}

// sweep closes the connections that were idle for too long. It runs only while
// there are idle ones.
func (p *pool) sweep() {
	now := p.clock()
	p.mu.Lock()
	var old []*conn
	next := int64(math.MaxInt64)
	for i := range p.shelves {
		s := &p.shelves[i]
		kept := s.idle[:0]
		for _, c := range s.idle {
			if now >= c.expires {
				old = append(old, c)
				continue
			}
			next = min(next, c.expires)
			kept = append(kept, c)
		}
		clear(s.idle[len(kept):])
		s.idle = kept
	}
	if p.sweepAt = 0; next < math.MaxInt64 && !p.closed {
		p.arm(next, now)
	}
	p.mu.Unlock()
	p.discard(old)
}

// dropIdle closes all idle connections.
func (p *pool) dropIdle() {
	p.mu.Lock()
	var old []*conn
	for i := range p.shelves {
		old = append(old, p.shelves[i].idle...)
	}
	p.shelves = nil
	p.mu.Unlock()
	p.discard(old)
}

func (p *pool) discard(old []*conn) {
	for _, c := range old {
		c.close()
	}
	p.free(len(old))
}

// close closes the idle connections, and keeps none from now on.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	p.mu.Unlock()
	p.dropIdle()
}

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Open: p.open, Idle: p.idle()}
}
