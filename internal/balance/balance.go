// Package balance chooses, for each request, one of the addresses behind which
// the same API answers: the one with the fewest requests in flight, without
// those whose circuit is open. It keeps what is known of each address, and the
// budget within which failed requests may be sent again.
//
// It works on numbers and a time: it must not know what an address is, how it is
// called, or what was asked of it.
package balance

import (
	"sync/atomic"
	"time"
)

// Limit is how many members a group has at most: as many as Tried has bits.
const Limit = 64

// inARow is how many choices among equals go to the same member before it is the
// turn of the next. With one at a time, a member that few requests go to would get
// each after its connections were idle for too long, and open a new one for it.
const inARow = 16

// Tried remembers which members of a group a request was sent to.
type Tried uint64

// With is the set with one member more.
func (t Tried) With(i int) Tried { return t | 1<<i }

func (t Tried) has(i int) bool { return t&(1<<i) != 0 }

// Group is a fixed set of members. It is safe for concurrent use.
type Group struct {
	members []*Member
	turn    atomic.Uint64 // where the next search begins, so that ties rotate
}

// NewGroup makes a group of 1 to Limit members.
func NewGroup(members ...*Member) *Group {
	if len(members) == 0 || len(members) > Limit {
		panic("BUG: a group needs 1 to 64 members")
	}
	return &Group{members: members}
}

// Choice is where a request goes.
type Choice struct {
	Index int           // of the member, or None
	Trial bool          // decides whether the member's circuit closes: hand it to Report
	Wait  time.Duration // with None: until a next try can succeed; 0 when every member was tried
}

// None says that no member can take the request.
const None = -1

// Pick chooses a member that was not tried yet. The order of preference: one
// whose circuit may be tried again (it gets a single request, or it would never
// come back), the least loaded of those that are well, the least loaded of those
// that answer at least, however badly, and a trial against a health check's advice.
// None means that the rest can't even be connected to.
//
// With counting the request in and out, and its good result, that takes 12 ns with
// one member, 25 ns with 2, 46 ns with 8 and 264 ns with 64 (BenchmarkPick).
func (g *Group) Pick(now int64, tried Tried) Choice {
	if len(g.members) == 1 && tried == 0 && g.members[0].well() {
		return Choice{}
	}
	return g.search(now, tried)
}

// search looks at every member: 64 at most, so that the least loaded is exact.
func (g *Group) search(now int64, tried Tried) Choice {
	var found [classes]best
	wait, left := int64(0), false
	turn, n := g.turn.Load(), uint64(len(g.members))
	if tried == 0 { // a request that is sent again has had its turn
		turn = g.turn.Add(1)
	}
	start := turn / inARow
	for k := range n {
		i := int((start + k) % n)
		if tried.has(i) {
			continue
		}
		m := g.members[i]
		class := m.class(now)
		if class == due && m.beginTrial(now) {
			return Choice{Index: i, Trial: true}
		}
		if class == due || class == out {
			if until := m.opensAt(now); !left || until < wait {
				wait, left = until, true
			}
			continue
		}
		found[class].offer(i, m.Load())
	}
	for _, class := range [...]class{well, poor, dueDoubted} {
		switch b := found[class]; {
		case !b.there:
		case class != dueDoubted:
			return Choice{Index: b.index}
		case g.members[b.index].beginTrial(now):
			return Choice{Index: b.index, Trial: true}
		}
	}
	if !left {
		return Choice{Index: None}
	}
	return Choice{Index: None, Wait: max(time.Duration(wait-now), 1)}
}

// best is the least loaded member of a class so far.
type best struct {
	there bool
	index int
	load  int64
}

func (b *best) offer(i int, load int64) {
	if !b.there || load < b.load {
		*b = best{true, i, load}
	}
}
