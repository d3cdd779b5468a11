package redisstore

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/loopguard"
)

// Keep settles a reservation whose messages the upstream has created.
func (s *Store) Keep(res *loopguard.Reservation) {
	if res.Name == 0 {
		s.messages.Keep(res)
		return
	}
	s.settle(0, res, res.Holds(), true)
	res.End()
}

// GiveBack settles a reservation whose messages the upstream has refused.
func (s *Store) GiveBack(res *loopguard.Reservation) {
	if res.Name == 0 {
		s.messages.GiveBack(res)
		return
	}
	s.settle(0, res, res.Holds(), false)
	res.End()
}

// settle ends the flight of some holds, in one round trip for each part of them.
func (s *Store) settle(now int64, res *loopguard.Reservation, holds []loopguard.Hold, created bool) {
	for len(holds) > 0 {
		part := s.together(holds)
		_, _ = s.must(OpSettle, s.settlement(now, res, part, created))
		holds = holds[len(part):]
	}
}

// settlement is the call that ends the flight of holds that one script can settle.
func (s *Store) settlement(now int64, res *loopguard.Reservation, holds []loopguard.Hold, created bool) debt {
	us, grace := s.time(now)
	keys, args := make([]string, 0, 2*len(holds)), make([]string, 0, 13+2*len(holds))
	args = append(args, number(us), number(grace), nameOf(res.Name), number(holds[0].At), flag(created))
	for _, l := range res.Limits() {
		args = append(args, number(int64(l.Messages)), number(l.Window.Microseconds()))
	}
	for i := range holds {
		h := &holds[i]
		keys = append(keys, messageKey(h.Conversation, h.Rule, kept, h.ID),
			messageKey(h.Conversation, h.Rule, sent, h.ID.Join(res.From().Token)))
		args = append(args, number(int64(h.Rule)+1), number(int64(h.Messages)))
	}
	return debt{settleScript, keys, func() []string { return args }}
}

// Charge counts messages that the upstream has created already.
func (s *Store) Charge(now int64, rules *loopguard.Rules, from loopguard.Sender, messages []loopguard.Message) {
	var res loopguard.Reservation
	res.Begin(rules, from, messages, true)
	res.Name = s.names.next()
	s.settle(now, &res, res.Holds(), true)
	if s.Degraded() {
		s.messages.Charge(now, rules.Share(s.cfg.Replicas), from, messages)
	}
}

// Reply learns that somebody wrote in a conversation. One that can't be told to
// the server resets what this gateway counts, and the others' when the server is
// back.
func (s *Store) Reply(now int64, r loopguard.Reply) (reset bool) {
	us, grace := s.time(now)
	author := ""
	if !r.Author.IsZero() {
		author = idText(r.Author)
	}
	heard := time.Now()
	answer, err := s.must(OpReply, debt{replyScript, []string{replyKey(r.Conversation)}, func() []string {
		ago := max(0, r.Ago) + time.Since(heard)
		if us != 0 {
			ago = r.Ago
		}
		return []string{number(us), number(grace), author, number(ago.Microseconds()), number(r.Wall / 1000), number(r.Window.Microseconds())}
	}})
	if err != nil {
		return s.messages.Reply(now, r)
	}
	return answer[1] == 1
}

// Reset forgets what every bot has sent to a conversation, for all gateways.
func (s *Store) Reset(now int64, rules *loopguard.Rules, conversation digest.ID) {
	us, grace := s.time(now)
	longest := max(rules.Window(loopguard.Identical), rules.Window(loopguard.Consecutive))
	args := []string{number(us), number(grace), number(longest.Microseconds())}
	_, _ = s.must(OpReply, debt{resetScript, []string{replyKey(conversation)}, func() []string { return args }})
	s.messages.Reset(now, rules, conversation)
}
