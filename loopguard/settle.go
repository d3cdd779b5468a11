package loopguard

import (
	"math/bits"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Keep settles a reservation whose messages the upstream has created: from now
// on they count for the bot, whatever token it uses, at the time at which they
// were reserved.
func (m *Memory) Keep(res *Reservation) { m.settle(res, true) }

// GiveBack settles a reservation whose messages the upstream has refused: they
// were never there.
func (m *Memory) GiveBack(res *Reservation) { m.settle(res, false) }

func (m *Memory) settle(res *Reservation, created bool) {
	m.lock(res.shards)
	defer m.unlock(res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		m.shards[h.shard()].settle(h, res, created)
	}
	res.End()
}

// settle ends the flight of some messages. Some of them may be gone: they have
// left the window, or had to make room.
func (s *shard) settle(h *Hold, res *Reservation, created bool) {
	c, id := &s.counts[h.Rule], h.ID.Join(res.from.Token)
	for range h.Messages {
		if !s.end(h.Rule, id, res.at) {
			c.unsettled.Remove(id, res.at, s.now)
		}
		if created {
			c.confirmed.Add(h.ID, res.at, res.limits[h.Rule].Messages, s.now)
		}
	}
}

// Charge counts messages that the upstream has created already, and refuses
// none: those embedded in a POST /v2/conversations that went into an existing
// conversation.
func (m *Memory) Charge(now int64, rules *Rules, from Sender, messages []Message) {
	var res Reservation
	res.Begin(rules, from, messages, true)
	m.lock(res.shards)
	defer m.unlock(res.shards)
	now = m.enter(now, rules, res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		limit := res.limits[h.Rule].Messages
		for range min(h.Messages, limit) {
			m.shards[h.shard()].counts[h.Rule].confirmed.Add(h.ID, now, limit, now)
		}
	}
}

// Reply is a message of an agent or a consumer, or of a bot that carried a
// consumer's words.
type Reply struct {
	Conversation digest.ID
	Author       digest.ID     // zero: an agent or a consumer, who is no bot's self
	At           int64         // when it was written, ns of the clock that all requests bring
	Ago          time.Duration // how long ago that was, of a reply that passed through the gateway
	Wall         int64         // the same, of one that did not: ns since 1970, by the clock of who reported it; else 0
	Window       time.Duration // of the consecutive rule: what is older than that matters no more
}

// Reply learns that somebody wrote in a conversation. It resets the streak of
// every bot but the author, of messages up to the time of the reply. A time
// later than now is taken for now, so that no reply clears what is yet to come.
// Within one instant the order of arrival decides. Memory goes by Reply.At, and
// by the window of the messages that it has seen; a store with a clock of its own
// goes by Ago or Wall, and by Window.
//
// It reports whether the reply is news: one that is heard of again, or that is
// older than the last or than the window, resets nothing.
func (m *Memory) Reply(now int64, r Reply) (reset bool) {
	s := &m.shards[shardOf(r.Conversation)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.now = max(s.latest, now), max(s.now, now)
	at := min(r.At, now)
	if at == s.latest {
		at = s.now // it comes after all that was sent
	}
	s.now = max(s.now, at+tick(s.longest())) // and before all that will be
	return s.replies.add(r.Conversation, r.Author, at, s.now-int64(s.longest()))
}

// tick is the precision, in ns, to which package window keeps the times of a
// window: 1 ns up to 2.1 s, 2.048 µs for an hour, 65 µs for a day.
func tick(window time.Duration) int64 { return 1 << bits.Len64(uint64(window)>>31) }
