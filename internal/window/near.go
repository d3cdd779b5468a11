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
	if int(from/chunkRoom) >= len(t.chunks) {
		return 0
	}
	for range steps {
		if c := t.cell(from); c.used() && t.live(c.last, now) {
			f(t.near(c, now))
		}
		if from = t.after(from); from == 0 {
			return 0
		}
	}
	return from
}

// Stands tells how one key stands. ok is false when nothing of it is live.
func (t *Table) Stands(id digest.ID, now int64) (n Near, ok bool) {
	c, _ := t.find(id)
	if c.entry == nil || !t.live(c.last, now) {
		return Near{}, false
	}
	return t.near(c, now), true
}

// near counts without forgetting. The times are in order, so it searches.
func (t *Table) near(c cell, now int64) Near {
	held := int(c.count())
	dead := sort.Search(held, func(i int) bool { return t.live(c.at(uint32(i)), now) })
	n := Near{ID: c.id, Used: held - dead, Limit: len(c.ring)}
	if n.Used > 0 {
		n.Free = max(0, time.Duration((c.at(uint32(dead))+t.window)<<t.shift-now))
	}
	return n
}
