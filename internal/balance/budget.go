package balance

import (
	"sync"
	"sync/atomic"
)

// budgetWindow is over how many seconds a Budget looks back.
const budgetWindow = 10

// Budget bounds the requests that are sent again: to a share of the requests of
// the last ten seconds, and a few each second. So an upstream that fails is never
// asked for much more than it was when it worked.
type Budget struct {
	percent, perSecond int64

	mu      sync.Mutex // taken once a second, and for each request sent again
	seconds [budgetWindow]second
	current int64 // the second that was seen last, since 1970 or the start

	taken, refused atomic.Int64
}

// second is one second of the window.
type second struct {
	total   int64 // requests before it began
	retries int64 // in it
}

// NewBudget allows percent of the requests, and perSecond more.
func NewBudget(percent, perSecond int) *Budget {
	return &Budget{percent: int64(percent), perSecond: int64(perSecond), current: -1}
}

// Sample notes how many requests there have been up to now, ns. It is to be
// called once a second: what came in between, if nobody called, is taken for
// older than it is, so that the budget is rather too small than too large.
func (b *Budget) Sample(now, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now, total)
}

// Take asks for one retry. total is as in Sample.
func (b *Budget) Take(now, total int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now, total)
	oldest := total
	retries := int64(1)
	for _, s := range b.seconds {
		oldest, retries = min(oldest, s.total), retries+s.retries
	}
	if retries*100 > b.percent*(total-oldest)+b.perSecond*budgetWindow*100 {
		b.refused.Add(1)
		return false
	}
	b.seconds[b.current%budgetWindow].retries++
	b.taken.Add(1)
	return true
}

// Taken is how many were allowed.
func (b *Budget) Taken() int64 { return b.taken.Load() }

// Refused is how many were not.
func (b *Budget) Refused() int64 { return b.refused.Load() }

// advance begins the seconds that have come since the last call. The mutex is held.
func (b *Budget) advance(now, total int64) {
	at := now / 1e9
	for s := max(b.current+1, at-budgetWindow+1); s <= at; s++ {
		b.seconds[s%budgetWindow] = second{total: total}
		b.current = s
	}
}
