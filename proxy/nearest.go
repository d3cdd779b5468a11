package proxy

import (
	"strconv"
	"time"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// standing is how far a request's key is from one rule's limit.
type standing struct {
	rule      string
	limit     int
	remaining int
	window    time.Duration
	reset     time.Duration // until something of the limit comes free again
}

// nearer reports whether s is nearer to its limit than t: by the share of the
// limit that remains, and for equal shares by the longer wait.
func (s *standing) nearer(t *standing) bool {
	if a, b := s.remaining*t.limit, t.remaining*s.limit; a != b {
		return a < b
	}
	return s.reset > t.reset
}

// nearest finds the rule that the request came nearest to, or the one that
// refused it. ok is false for a request that no limit looked at.
func (x *exchange) nearest() (best standing, ok bool) {
	if x.judged && !x.verdict.Admitted {
		return messageStanding(x.verdict.Refused, &x.verdict.States[x.verdict.Refused]), true
	}
	if x.limited && !x.decision.Admitted {
		return requestStanding(x.decision.Refused, &x.decision.States[x.decision.Refused]), true
	}
	if x.limited {
		for rule := range x.decision.States {
			if state := &x.decision.States[rule]; state.Limit.Requests > 0 && !state.Limit.Shadow {
				best, ok = choose(best, ok, requestStanding(limiter.Rule(rule), state)), true
			}
		}
	}
	if x.judged {
		for rule := range x.verdict.States {
			if state := &x.verdict.States[rule]; state.Limit.Messages > 0 && !state.Limit.Shadow {
				best, ok = choose(best, ok, messageStanding(loopguard.Rule(rule), state)), true
			}
		}
	}
	return best, ok
}

func choose(best standing, ok bool, s standing) standing {
	if !ok || s.nearer(&best) {
		return s
	}
	return best
}

func requestStanding(rule limiter.Rule, s *limiter.State) standing {
	return standing{rule.String(), s.Limit.Requests, max(0, s.Limit.Requests-s.Used), s.Limit.Window, max(s.Wait, s.Reset)}
}

func messageStanding(rule loopguard.Rule, s *loopguard.State) standing {
	return standing{rule.String(), s.Limit.Messages, max(0, s.Limit.Messages-s.Used), s.Limit.Window, max(s.Wait, s.Reset)}
}

// signLimit writes the fields of the IETF draft on rate limit headers, and the
// X-RateLimit fields, which are the ones that ChatShipper's SDK shows its users.
// All times are whole seconds from now, rounded up.
func (x *exchange) signLimit() {
	s, ok := x.nearest()
	if !ok {
		return
	}
	p := &x.policy
	if p.rule != s.rule || p.limit != s.limit || p.window != s.window {
		p.write(&s)
	}
	r := &x.reply
	r.lines = append(r.lines, p.policy...)
	v := append(append(append(x.value[:0], '"'), s.rule...), `";r=`...)
	v = strconv.AppendInt(v, int64(s.remaining), 10)
	v = strconv.AppendInt(append(v, ";t="...), seconds(s.reset), 10)
	r.add(headerRateLimit, v)
	r.lines = append(r.lines, p.xLimit...)
	v = strconv.AppendInt(v[:0], int64(s.remaining), 10)
	r.add(headerRemaining, v)
	v = strconv.AppendInt(v[:0], seconds(s.reset), 10)
	r.add(headerReset, v)
	x.value = v
}

// policy is what signLimit writes of a limit that does not change with its use, as it
// was written last.
type policy struct {
	rule   string
	limit  int
	window time.Duration
	policy []byte // the whole lines
	xLimit []byte
}

func (p *policy) write(s *standing) {
	p.rule, p.limit, p.window = s.rule, s.limit, s.window
	v := append(append([]byte{'"'}, s.rule...), `";q=`...)
	v = strconv.AppendInt(v, int64(s.limit), 10)
	v = strconv.AppendInt(append(v, ";w="...), seconds(s.window), 10)
	p.policy = appendField(p.policy[:0], headerPolicy, v)
	p.xLimit = appendField(p.xLimit[:0], headerLimit, strconv.AppendInt(v[:0], int64(s.limit), 10))
}

// seconds rounds a duration up to whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
