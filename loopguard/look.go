package loopguard

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Standing is how a bot stands with a rule, or with its candidate, in one
// conversation.
type Standing struct {
	Rule     string // as metrics and logs name it
	Limit    Limit
	Used     int
	Wait     time.Duration // until one more message can be admitted; 0 when it can be now
	Kept     []int64       // times of the messages that the upstream confirmed, ns, oldest first
	InFlight []int64       // of those that the sender's token has in flight, or whose outcome is unknown
}

// Look tells how one more message would stand with every rule, and counts
// nothing. With a zero Content only the rules that need none are told.
func (m *Memory) Look(now int64, rules *Rules, from Sender, message Message) (list []Standing) {
	var res Reservation
	res.Begin(rules, from, []Message{message}, true)
	m.lock(res.shards)
	defer m.unlock(res.shards)
	res.at = m.enter(now, rules, res.shards)
	for i := range res.holds {
		h := &res.holds[i]
		if h.Rule.live() == Identical && message.Content.IsZero() {
			continue
		}
		var c counted
		var state State
		m.shards[h.shard()].count(h, &res, &c)
		c.fill(h, &res, &state)
		list = append(list, Standing{
			Rule: h.Rule.String(), Limit: state.Limit, Used: c.kept.N + c.sent.N, Wait: state.Wait,
			Kept: c.kept.Times(nil), InFlight: c.sent.Times(nil),
		})
	}
	return list
}

// Reset forgets what every bot has sent to a conversation up to now (ns), for
// both rules and their candidates, as an operator may wish. The rules are for a
// store that does not know how long messages count.
func (m *Memory) Reset(now int64, _ *Rules, conversation digest.ID) {
	s := &m.shards[shardOf(conversation)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.now = max(s.latest, now), max(s.now, now)
	widest := time.Duration(0)
	for _, w := range s.windows {
		widest = max(widest, w)
	}
	at := s.now                         // it comes after all that was sent
	s.now = max(s.now, at+tick(widest)) // and before all that will be
	s.pardons.add(conversation, digest.ID{}, at, s.now-int64(widest))
}
