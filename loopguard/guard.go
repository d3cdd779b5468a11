package loopguard

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

// Reserve decides about the messages of one request, all or none, and holds
// their places in res when they are admitted. Time and counts are as of one
// instant: no other request for the same conversations comes in between.
//
// The count that a message is judged by is what is confirmed for its bot plus
// what its own token has in flight. Messages of a batch count against each
// other. When an enforced rule refuses, nothing is counted anywhere. A rule in
// shadow mode counts what it would have admitted.
func (m *Memory) Reserve(now int64, rules *Rules, from Sender, messages []Message, res *Reservation) Decision {
	res.Begin(rules, from, messages, false)
	m.lock(res.shards)
	defer m.unlock(res.shards)
	res.at = m.enter(now, rules, res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		m.shards[h.shard()].counts[h.Rule].confirmed.Ahead(h.ID)
	}

	d := res.Judge(func(i int, s *State) {
		h := &res.holds[i]
		m.shards[h.shard()].weigh(h, res, s)
	})
	for i := range res.holds {
		h := &res.holds[i]
		m.shards[h.shard()].take(h, res)
	}
	return d
}

// weigh compares what counts under one key, and what is to be added, with the
// limit. The state must be the zero one.
func (s *shard) weigh(h *Hold, res *Reservation, state *State) {
	var c counted
	s.count(h, res, &c)
	c.fill(h, res, state)
	if state.Over && state.Used > 0 {
		state.Detected = s.block(h, res.at)
	}
}

// counted is what counts under one key: confirmed messages, and those that its
// token has in flight.
type counted struct{ kept, sent window.Log }

func (s *shard) count(h *Hold, res *Reservation, into *counted) {
	after := s.pardons.since(h.Conversation, digest.ID{})
	if h.Rule.live() == Consecutive {
		after = max(after, s.replies.since(h.Conversation, res.from.Bot))
	}
	c, id := &s.counts[h.Rule], h.ID.Join(res.from.Token)
	s.landAllOf(h.Rule, id)
	into.kept = c.confirmed.Live(h.ID, res.at, after)
	if c.unsettled.Len() > 0 {
		into.sent = c.unsettled.Live(id, res.at, after)
	}
}

// fill tells how what is counted, and what is to be added, stands to the limit.
func (c *counted) fill(h *Hold, res *Reservation, state *State) {
	state.Limit, state.Used = res.limits[h.Rule], c.kept.N+c.sent.N
	state.Reset = leaves(&c.kept, &c.sent, 1)
	excess := state.Used + h.Messages - state.Limit.Messages
	if excess <= 0 {
		state.Used += h.Messages
		if state.Reset == 0 {
			state.Reset = state.Limit.Window
		}
		return
	}
	state.Over, state.TooMany = true, h.Messages > state.Limit.Messages
	if !state.TooMany {
		state.Wait = leaves(&c.kept, &c.sent, excess)
	}
}

// block remembers that a key was refused, until it is admitted or a window has
// passed. It reports whether that is new.
func (s *shard) block(h *Hold, now int64) bool {
	s.counts[h.Rule].refused = true
	blocked := &s.counts[h.Rule].blocked
	log := blocked.Live(h.ID, now, window.All)
	isNew := log.N == 0
	blocked.Add(h.ID, now, 1, now)
	return isNew
}

// unblock forgets that a key was refused.
func (s *shard) unblock(h *Hold, now int64) {
	if c := &s.counts[h.Rule]; c.refused {
		log := c.blocked.Live(h.ID, now, window.All)
		c.blocked.Remove(h.ID, log.Newest(), now)
		c.refused = c.blocked.Len() > 0
	}
}

// leaves is how long it takes until the k-th oldest time of two logs together
// has left the window; 0 when they have fewer. k is at most a limit, and
// anything but 1 only for a refusal.
func leaves(a, b *window.Log, k int) (d time.Duration) {
	for i, j := 1, 1; k > 0; k-- {
		switch {
		case i > a.N && j > b.N:
			return 0
		case j > b.N || i <= a.N && a.Leaves(i) <= b.Leaves(j):
			d = a.Leaves(i)
			i++
		default:
			d = b.Leaves(j)
			j++
		}
	}
	return d
}

// take puts admitted messages in flight.
func (s *shard) take(h *Hold, res *Reservation) {
	s.unblock(h, res.at)
	id, size := h.ID.Join(res.from.Token), res.limits[h.Rule].Messages
	if h.Messages == 1 {
		s.start(flight{id, res.at, size, h.Rule})
		return
	}
	for range h.Messages {
		s.counts[h.Rule].unsettled.Add(id, res.at, size, res.at)
	}
}
