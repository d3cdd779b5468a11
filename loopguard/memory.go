package loopguard

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

// shardCount is how many locks the conversations are spread over: more would spread
// what is looked at for every message over more memory than a processor's caches
// hold. A uint64 holds a bit for each.
const shardCount = 32

// How a Memory's bytes are split, in parts of 32. What is confirmed can't be
// pushed out by what is merely in flight, nor one rule's by the other's. Under
// the default limits a conversation of one bot takes 136 bytes of the
// consecutive part for an hour, each of its texts 72 bytes of the identical part
// for 3 minutes, and replies to it 64 to 128 bytes for an hour.
const (
	partConsecutive = 12
	partIdentical   = 8
	partReplies     = 8
	partUnsettled   = 1 // for each rule
	partBlocked     = 1 // for each rule
	parts           = 32
)

// pardonBytes bounds what a shard remembers of operators' resets: 1024 of them,
// taken only as they come.
const pardonBytes = 64 << 10

// Memory is what the guard remembers. It is safe for concurrent use: requests
// wait for each other only when their conversations share one of 32 locks.
//
// Times are nanoseconds of one clock that never goes back. Requests may arrive a
// little out of order; a shard then takes the latest time that it has seen for
// the present, so that its counts are as exact as if they had been in order.
type Memory struct {
	shards    [shardCount]shard
	confirmed [RuleCount]*window.Budget // of a rule and of its candidate together
	unsettled [RuleCount]*window.Budget
	blocked   [RuleCount]*window.Budget
	size      [RuleCount]atomic.Int64 // messages of the limit in force, for Capacity
}

// shard is some of the conversations.
type shard struct {
	mu      sync.Mutex
	latest  int64  // the latest time that a caller has brought
	now     int64  // the present: latest, or a tick or so later, after a reply
	serial  uint64 // of the rules in force
	replies replies
	pardons replies // conversations that an operator reset
	flying  flights
	counts  [LimitCount]counts
	windows [LimitCount]time.Duration // 0 for a candidate that never was
}

// counts are those of one limit.
type counts struct {
	refused   bool         // blocked may hold something
	confirmed window.Table // by hold.id
	unsettled window.Table // by hold.id and token, but for what is flying
	blocked   window.Table // by hold.id: the last refusal, unless something was admitted since
}

// NewMemory returns an empty Memory of about maxBytes. It takes them only as it
// fills up. When a part is full, a new key takes the place of the weakest of a
// few others, which is counted in EvictedLive when that one was still inside its
// window.
func NewMemory(maxBytes int64) *Memory {
	m := &Memory{}
	m.confirmed[Identical] = window.NewBudget(maxBytes * partIdentical / parts)
	m.confirmed[Consecutive] = window.NewBudget(maxBytes * partConsecutive / parts)
	for rule := range m.unsettled {
		m.unsettled[rule] = window.NewBudget(maxBytes * partUnsettled / parts)
		m.blocked[rule] = window.NewBudget(maxBytes * partBlocked / parts)
	}
	documented := Rules{limits: Compile(DefaultConfig()).limits} // of serial 0: older than any other
	for i := range m.shards {
		s := &m.shards[i]
		s.latest, s.now = never, never
		s.replies = newReplies(maxBytes * partReplies / parts / shardCount)
		s.pardons = newReplies(pardonBytes)
		m.adopt(s, &documented)
	}
	return m
}

// lock locks shards in ascending order, so that two requests with several
// conversations can't wait for each other.
func (m *Memory) lock(shards uint64) {
	for ; shards != 0; shards &= shards - 1 {
		m.shards[bits.TrailingZeros64(shards)].mu.Lock()
	}
}

func (m *Memory) unlock(shards uint64) {
	for ; shards != 0; shards &= shards - 1 {
		m.shards[bits.TrailingZeros64(shards)].mu.Unlock()
	}
}

// enter brings locked shards to the present, which it returns, and to the rules
// when they are newer than theirs.
func (m *Memory) enter(now int64, rules *Rules, shards uint64) int64 {
	present := now
	for rest := shards; rest != 0; rest &= rest - 1 {
		present = max(present, m.shards[bits.TrailingZeros64(rest)].now)
	}
	for rest := shards; rest != 0; rest &= rest - 1 {
		s := &m.shards[bits.TrailingZeros64(rest)]
		s.latest, s.now = max(s.latest, now), present
		if rules.serial > s.serial {
			m.adopt(s, rules)
		}
	}
	return present
}

// adopt changes the windows of a shard, with all that it counts.
func (m *Memory) adopt(s *shard, rules *Rules) {
	s.landAll()
	s.serial = rules.serial
	for place, limit := range rules.limits {
		rule := Rule(place).live()
		if !limit.isOff() && Rule(place) == rule {
			m.size[rule].Store(int64(limit.Messages))
		}
		switch limit.Window {
		case s.windows[place]:
			continue
		case 0:
			s.forget(Rule(place))
			continue
		}
		s.windows[place] = limit.Window
		size := max(1, limit.Messages)
		if limit.isOff() {
			size = int(m.size[rule].Load())
		}
		c := &s.counts[place]
		refit(&c.confirmed, limit.Window, m.confirmed[rule], size, s.now)
		refit(&c.unsettled, limit.Window, m.unsettled[rule], size, s.now)
		refit(&c.blocked, limit.Window, m.blocked[rule], 1, s.now)
	}
}

// forget empties the counts of a candidate that is no more. What is in flight
// may still be settled.
func (s *shard) forget(candidate Rule) {
	for _, t := range s.counts[candidate].tables() {
		t.Clear()
	}
}

// longest is the window for which replies matter.
func (s *shard) longest() time.Duration {
	return max(s.windows[Consecutive], s.windows[Consecutive.candidate()])
}

// refit moves every key of a table to one with another window, for a limit of
// size times there.
func refit(table *window.Table, w time.Duration, b *window.Budget, size int, now int64) {
	old := *table
	*table = window.Table{}
	table.Init(w, b)
	if old.Window() > 0 {
		old.Each(now, func(id digest.ID, _ []int64) { old.Move(id, table, size, now) })
		old.Clear() // what has expired takes room until it is forgotten
	}
}

// Entries is how many keys a rule keeps count of.
func (m *Memory) Entries(rule Rule) int64 {
	n := m.confirmed[rule].Entries() + m.unsettled[rule].Entries()
	m.each(func(s *shard) { n += s.flying.of(rule) })
	return n
}

// Capacity is how many keys a rule has room for under the limits in force.
func (m *Memory) Capacity(rule Rule) int64 {
	size := int(m.size[rule].Load())
	return m.confirmed[rule].Capacity(size) + m.unsettled[rule].Capacity(size)
}

// EvictedLive is how many keys of a rule were forgotten for want of room while
// they were inside their window, so that the limit was not enforced. A forgotten
// reply, after which a limit is enforced that should have been reset, is counted
// with Consecutive. A forgotten refusal is not: it only tells one incident from
// the next.
func (m *Memory) EvictedLive(rule Rule) uint64 {
	n := m.confirmed[rule].EvictedLive() + m.unsettled[rule].EvictedLive()
	if rule == Consecutive {
		m.each(func(s *shard) { n += s.replies.evicted })
	}
	return n
}

// Bytes is how much memory the counts take.
func (m *Memory) Bytes() (bytes int64) {
	for rule := range m.confirmed {
		bytes += m.confirmed[rule].Used() + m.unsettled[rule].Used() + m.blocked[rule].Used()
	}
	m.each(func(s *shard) { bytes += s.replies.bytes() })
	return bytes
}

func (m *Memory) each(f func(s *shard)) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		f(s)
		s.mu.Unlock()
	}
}
