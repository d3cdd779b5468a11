package redisstore

import (
	"errors"
	"slices"

	"github.com/chatshipper/gateway/loopguard"
)

// Reserve decides about the messages of one request, in one round trip; in a
// Cluster, in one for each conversation.
func (s *Store) Reserve(now int64, rules *loopguard.Rules, from loopguard.Sender, messages []loopguard.Message, res *loopguard.Reservation) loopguard.Decision {
	res.Begin(rules, from, messages, false)
	if len(res.Holds()) == 0 { // both rules are off
		return res.Judge(nil)
	}
	res.Name = s.names.next()
	states := make([]loopguard.State, 0, 4)
	refused, done, parts := false, 0, 0
	for ; done < len(res.Holds()); parts++ {
		part := s.together(res.Holds()[done:])
		answer, err := s.reserve(now, res, part)
		if err != nil {
			s.giveUp(res, done, len(part), err)
			return s.reserveAlone(now, rules, from, messages, res)
		}
		refused = refused || answer[1] == 0
		states = read(states, answer, res.Limits(), part)
		done += len(part)
	}
	if parts > 1 {
		s.agree(res, states, refused)
	}
	d := res.Judge(func(i int, s *loopguard.State) { *s = states[i] })
	if parts > 1 && d.Admitted {
		s.unblock(res)
	}
	return d
}

// unblock forgets refusals, where no single script could know that a request is
// admitted. They only tell one incident from the next: an error is no matter.
func (s *Store) unblock(res *loopguard.Reservation) {
	for rest := res.Holds(); len(rest) > 0; {
		part := s.together(rest)
		rest = rest[len(part):]
		keys := make([]string, 0, len(part))
		for i := range part {
			keys = append(keys, messageKey(part[i].Conversation, part[i].Rule, refused, part[i].ID))
		}
		_, _ = s.call(OpReserve, unblockScript, keys, nil)
	}
}

// giveUp gives back what was reserved before an error, and what may be reserved
// all the same when the server was asked.
func (s *Store) giveUp(res *loopguard.Reservation, done, tried int, err error) {
	if !errors.Is(err, errOpen) {
		done += tried
	}
	s.settle(0, res, res.Holds()[:done], false)
}

// agree makes one decision of those about several conversations: what one has
// refused is given back in all, and a rule in shadow mode that is over in one
// counts nothing in the others.
func (s *Store) agree(res *loopguard.Reservation, states []loopguard.State, refused bool) {
	holds := res.Holds()
	if !refused {
		var over [loopguard.LimitCount]bool
		for i := range holds {
			over[holds[i].Rule] = over[holds[i].Rule] || states[i].Over
		}
		holds = slices.DeleteFunc(slices.Clone(holds), func(h loopguard.Hold) bool { return !over[h.Rule] })
	}
	s.settle(0, res, holds, false)
}

// together is the first of the holds that one script can decide: all, or in a
// Cluster those of one conversation.
func (s *Store) together(holds []loopguard.Hold) []loopguard.Hold {
	c := s.client.Load()
	if c == nil || !c.isCluster {
		return holds
	}
	n := 1
	for n < len(holds) && holds[n].Conversation == holds[0].Conversation {
		n++
	}
	return holds[:n]
}

func (s *Store) reserve(now int64, res *loopguard.Reservation, holds []loopguard.Hold) ([]int64, error) {
	us, grace := s.time(now)
	from := res.From()
	keys, args := make([]string, 0, 4*len(holds)), make([]string, 0, 17+2*len(holds))
	args = append(args, number(us), number(grace), nameOf(res.Name), idText(from.Bot), flag(len(holds) < len(res.Holds())))
	for _, l := range res.Limits() {
		args = append(args, number(int64(l.Messages)), number(l.Window.Microseconds()), flag(!l.Shadow))
	}
	for i := range holds {
		h := &holds[i]
		keys = append(keys, messageKey(h.Conversation, h.Rule, kept, h.ID),
			messageKey(h.Conversation, h.Rule, sent, h.ID.Join(from.Token)), messageKey(h.Conversation, h.Rule, refused, h.ID), replyKey(h.Conversation))
		args = append(args, number(int64(h.Rule)+1), number(int64(h.Messages)))
	}
	answer, err := s.call(OpReserve, reserveScript, keys, args)
	if err == nil {
		for i := range holds {
			holds[i].At = answer[0]
		}
	}
	return answer, err
}

// read appends the states of some holds to those of others.
func read(states []loopguard.State, answer []int64, limits [loopguard.LimitCount]loopguard.Limit, holds []loopguard.Hold) []loopguard.State {
	const fields = 6
	answer = answer[2:]
	for i := range holds {
		a := answer[i*fields : (i+1)*fields]
		states = append(states, loopguard.State{
			Limit: limits[holds[i].Rule], Used: int(a[0]), Over: a[1] == 1, TooMany: a[2] == 1,
			Wait: duration(a[3]), Reset: duration(a[4]), Detected: a[5] == 1,
		})
	}
	return states
}

// reserveAlone decides without the server.
func (s *Store) reserveAlone(now int64, rules *loopguard.Rules, from loopguard.Sender, messages []loopguard.Message, res *loopguard.Reservation) loopguard.Decision {
	switch s.cfg.OnFailure {
	case Allow:
		res.End()
		return loopguard.Decision{Admitted: true}
	case Deny:
		res.End()
		return loopguard.Decision{Unavailable: true}
	}
	return s.messages.Reserve(now, rules.Share(s.cfg.Replicas), from, messages, res)
}
