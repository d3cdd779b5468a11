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

// Unknown settles a reservation of whose messages nobody knows whether the
// upstream has created them. They go on counting for the token that sent them,
// until they leave the window.
func (m *Memory) Unknown(res *Reservation) { res.end() }

func (m *Memory) settle(res *Reservation, created bool) {
	m.lock(res.shards)
	defer m.unlock(res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		m.shards[h.shard()].settle(h, res, created)
	}
	res.end()
}

// settle ends the flight of some messages. Some of them may be gone: they have
// left the window, or had to make room.
func (s *shard) settle(h *hold, res *Reservation, created bool) {
	id := h.id.Join(res.from.Token)
	for range h.messages {
		s.unsettled[h.rule].Remove(id, res.at, s.now)
		if created {
			s.confirmed[h.rule].Add(h.id, res.at, res.limits[h.rule].Messages, s.now)
		}
	}
}

// Charge counts messages that the upstream has created already, and refuses
// none: those embedded in a POST /v2/conversations that went into an existing
// conversation.
func (m *Memory) Charge(now int64, rules *Rules, from Sender, messages []Message) {
	var res Reservation
	res.begin(rules, from, messages, true)
	m.lock(res.shards)
	defer m.unlock(res.shards)
	now = m.enter(now, rules, res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		limit := res.limits[h.rule].Messages
		for range min(h.messages, limit) {
			m.shards[h.shard()].confirmed[h.rule].Add(h.id, now, limit, now)
		}
	}
}

// Reply learns that somebody wrote in a conversation at a time: author is zero
// for an agent or a consumer, else the bot that carried a consumer's words. It
// resets the streak of every bot but author, of messages up to that time. A time
// later than now is taken for now, so that no reply clears what is yet to come.
// Within one instant the order of arrival decides.
//
// It reports whether the reply is news: one that is heard of again, or that is
// older than the last or than the window, resets nothing.
func (m *Memory) Reply(conversation, author digest.ID, at, now int64) (reset bool) {
	s := &m.shards[shardOf(conversation)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.now = max(s.latest, now), max(s.now, now)
	at = min(at, now)
	if at == s.latest {
		at = s.now // it comes after all that was sent
	}
	s.now = max(s.now, at+tick(s.longest())) // and before all that will be
	return s.replies.add(conversation, author, at, s.now-int64(s.longest()))
}

// tick is the precision, in ns, to which package window keeps the times of a
// window: 1 ns up to 2.1 s, 2.048 µs for an hour, 65 µs for a day.
func tick(window time.Duration) int64 { return 1 << bits.Len64(uint64(window)>>31) }
