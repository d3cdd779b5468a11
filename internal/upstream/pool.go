package upstream

import (
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
	idle    []*conn
	open    int       // places taken: idle, in use, being opened
	waiting []*waiter // first come, first served; empty while idle is not
	sweeper *time.Timer
	sweepAt int64 // when the sweep runs, in process time; 0 when it does not
	closed  bool
}

// waiter is given a connection, or nil: a place to open one in.
type waiter struct {
	ready chan *conn
}

// get takes a place: with the idle connection used last, which may be dead or
// expired, or with none. It waits at most patience when all places are taken;
// ok is false when none came free.
//
// A connection that is on the loop already is preferred: another one would have to
// change loops.
func (p *pool) get(patience time.Duration, on *loop.Loop) (c *conn, ok bool) {
	p.mu.Lock()
	if c = p.pop(on); c != nil {
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
	c := p.pop(on)
	if c != nil {
		p.open--
	}
	return c
}

// acquaintances is how many idle connections are looked at for one on a loop.
const acquaintances = 8

// pop returns the idle connection used last, or, if there is one among the last
// few, that of a loop. The mutex is held.
func (p *pool) pop(on *loop.Loop) *conn {
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	chosen := last
	for i := last; on != nil && i >= 0 && i > last-acquaintances; i-- {
		if p.idle[i].seat.Load().Loop() == on {
			chosen = i
			break
		}
	}
	c := p.idle[chosen]
	p.idle = slices.Delete(p.idle, chosen, chosen+1)
	return c
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
	p.idle = append(p.idle, c)
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
	kept, old := p.idle[:0], []*conn(nil)
	next := int64(0)
	for _, c := range p.idle {
		if now >= c.expires {
			old = append(old, c)
			continue
		}
		if len(kept) == 0 || c.expires < next {
			next = c.expires
		}
		kept = append(kept, c)
	}
	clear(p.idle[len(kept):])
	p.idle, p.sweepAt = kept, 0
	if len(kept) > 0 && !p.closed {
		p.arm(next, now)
	}
	p.mu.Unlock()
	p.discard(old)
}

// dropIdle closes all idle connections.
func (p *pool) dropIdle() {
	p.mu.Lock()
	old := p.idle
	p.idle = nil
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
	return Stats{Open: p.open, Idle: len(p.idle)}
}
