package window

import (
	"sort"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Near is how one key stands to its limit.
type Near struct {
	ID    digest.ID
	Used  int           // live times
	Limit int           // how many the key was last given room for
	Free  time.Duration // until the oldest live time has left the window
}

// Walk looks at up to steps places beginning with number from, and calls f for
// every key there that holds live times. It returns the place to go on with, or
// 0 when it is through. It changes nothing, and what is added or forgotten
// between two calls may be missed: it is for looking, not for deciding.
func (t *Table) Walk(from, steps uint32, now int64, f func(n Near)) (next uint32) {
	end := min(uint64(from)+uint64(steps), uint64(t.made))
	for number := uint64(from); number < end; number++ {
		if e := t.entry(uint32(number)); e.cap > 0 && t.live(e.last, now) {
			f(t.near(e, now))
		}
	}
	if end >= uint64(t.made) {
		return 0
	}
	return uint32(end)
}

// Stands tells how one key stands. ok is false when nothing of it is live.
func (t *Table) Stands(id digest.ID, now int64) (n Near, ok bool) {
	e, _ := t.find(id)
	if e == nil || !t.live(e.last, now) {
		return Near{}, false
	}
	return t.near(e, now), true
}

// near counts without forgetting. The times are in order, so it searches.
func (t *Table) near(e *entry, now int64) Near {
	held := int(e.count())
	dead := sort.Search(held, func(i int) bool { return t.live(t.at(e, uint32(i)), now) })
	n := Near{ID: e.id, Used: held - dead, Limit: int(e.cap)}
	if n.Used > 0 {
		n.Free = max(0, time.Duration((t.at(e, uint32(dead))+t.window)<<t.shift-now))
	}
	return n
}
