package redisstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// An operator's question changes nothing: it counts nothing, and when it fails it
// neither opens a breaker nor is a failed call of the metrics.

// meanwhile is what holds while the server can't be asked.
var meanwhile = map[string]string{
	Local: "these are the counts of this gateway alone, against its share of the limits",
	Allow: "nothing is refused, and nothing is counted",
	Deny:  "everything is refused, and nothing is counted",
}

// LookRequests tells what limiter.Memory.Look tells, of the counts of all
// gateways. Times are by the caller's clock: as long before now (ns) as they are
// before the server's present.
//
// An error says that the server can't be asked, and what holds meanwhile. What is
// told then is what this gateway counts alone.
func (s *Store) LookRequests(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing, err error) {
	us, grace := s.time(now)
	keys, args := make([]string, 0, 2), []string{number(us), number(grace)}
	limits := [2]*limiter.Limit{&h.Limit, h.Limit.Candidate}
	applies := func(i int) bool { return limits[i] != nil && limits[i].Requests > 0 }
	for i := range limits {
		if applies(i) {
			keys = append(keys, requestKey([...]string{"iI", "kK"}[r][i], h.ID))
			args = append(args, number(limits[i].Window.Microseconds()))
		}
	}
	seen, err := s.look(now, lookRequestsScript, keys, args)
	if err != nil {
		live, candidate = s.lookAlone(now, r, h)
		return live, candidate, err
	}
	for i, into := range [2]*limiter.Standing{&live, &candidate} {
		if applies(i) {
			*into = seen.requests(*limits[i])
		}
	}
	return live, candidate, nil
}

// LookMessages tells what loopguard.Memory.Look tells, of the counts of all
// gateways. For times and errors see LookRequests.
func (s *Store) LookMessages(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) (list []loopguard.Standing, err error) {
	var res loopguard.Reservation
	res.Begin(rules, from, []loopguard.Message{message}, true)
	holds := slices.DeleteFunc(res.Holds(), func(h loopguard.Hold) bool {
		return h.Rule%loopguard.RuleCount == loopguard.Identical && message.Content.IsZero()
	})
	us, grace := s.time(now)
	keys, args := []string{replyKey(message.Conversation)}, []string{number(us), number(grace), idText(from.Bot)}
	limits := res.Limits()
	for i := range holds {
		h := &holds[i]
		keys = append(keys, messageKey(h.Conversation, h.Rule, kept, h.ID), messageKey(h.Conversation, h.Rule, sent, h.ID.Join(from.Token)))
		args = append(args, number(int64(h.Rule)+1), number(limits[h.Rule].Window.Microseconds()))
	}
	seen, err := s.look(now, lookMessagesScript, keys, args)
	if err != nil {
		return s.lookAtMessagesAlone(now, rules, from, message), err
	}
	for i := range holds {
		list = append(list, seen.messages(holds[i].Rule, limits[holds[i].Rule]))
	}
	return list, nil
}

// look asks, unless the server does not answer anyway.
func (s *Store) look(now int64, script *rueidis.Lua, keys, args []string) (*sight, error) {
	if len(keys) == 0 {
		return &sight{}, nil
	}
	c, err := s.client.Load(), errOpen
	var answer []int64
	if c != nil && !s.breakers[c.part(keys[0])].open.Load() {
		answer, err = s.run(s.stopped, c, script, keys, args)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask the shared store, so %s: %w", meanwhile[s.cfg.OnFailure], err)
	}
	return &sight{caller: now, clock: answer[0], now: answer[1], rest: answer[2:]}, nil
}

// sight is the answer of a script that looks. Times are µs.
type sight struct {
	caller     int64 // the caller's present, ns
	clock, now int64 // the server's, and that of the counts, which may be a µs later
	rest       []int64
}

// times takes the next list of the answer, the oldest first.
func (s *sight) times() []int64 {
	n := s.rest[0]
	list := s.rest[1 : 1+n]
	s.rest = s.rest[1+n:]
	return list
}

// left is how long a time stays in a window.
func (s *sight) left(at int64, window time.Duration) time.Duration {
	return duration(at-s.now) + window
}

// told puts times on the caller's clock, in ns.
func (s *sight) told(times []int64) (list []int64) {
	for _, at := range times {
		list = append(list, s.caller-(s.clock-at)*1000)
	}
	return list
}

func (s *sight) requests(limit limiter.Limit) limiter.Standing {
	times := s.times()
	standing := limiter.Standing{State: limiter.State{Limit: limit, Used: len(times)}, Times: s.told(times)}
	if len(times) > 0 {
		standing.Reset = s.left(times[0], limit.Window)
	}
	if excess := len(times) - limit.Requests; excess >= 0 {
		standing.Over, standing.Wait = true, s.left(times[excess], limit.Window)
	}
	return standing
}

func (s *sight) messages(rule loopguard.Rule, limit loopguard.Limit) loopguard.Standing {
	confirmed, flying := s.times(), s.times()
	all := slices.Concat(confirmed, flying)
	slices.Sort(all)
	standing := loopguard.Standing{Rule: rule.String(), Limit: limit, Used: len(all), Kept: s.told(confirmed), InFlight: s.told(flying)}
	if excess := len(all) - limit.Messages; excess >= 0 {
		standing.Wait = s.left(all[excess], limit.Window)
	}
	return standing
}

// lookAlone tells what this gateway counts of requests without the server.
func (s *Store) lookAlone(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing) {
	if s.cfg.OnFailure == Local {
		h.Limit.Requests = share(h.Limit.Requests, s.cfg.Replicas)
	}
	live, candidate = s.limits.Look(now, r, h)
	if s.cfg.OnFailure != Local { // nobody waits for room
		live.Over, live.Wait, candidate.Over, candidate.Wait = false, 0, false, 0
	}
	return live, candidate
}

// lookAtMessagesAlone tells what this gateway counts of messages without it.
func (s *Store) lookAtMessagesAlone(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) []loopguard.Standing {
	if s.cfg.OnFailure == Local {
		return s.messages.Look(now, rules.Share(s.cfg.Replicas), from, message)
	}
	list := s.messages.Look(now, rules, from, message)
	for i := range list {
		list[i].Wait = 0
	}
	return list
}
