package redisstore

import (
	"github.com/chatshipper/gateway/limiter"
)

// Take decides one request, in one round trip.
func (s *Store) Take(now int64, ip, key limiter.Hit) limiter.Decision {
	if ip.Limit.Requests <= 0 && key.Limit.Requests <= 0 {
		return limiter.Decision{Admitted: true, At: now}
	}
	us, grace := s.time(now)
	keys, args := make([]string, 0, 4), make([]string, 0, 14)
	args = append(args, number(us), number(grace))
	hits := [...]limiter.Hit{ip, key}
	count := func(kind byte, h *limiter.Hit, limit *limiter.Limit, shadow bool) {
		if limit != nil && limit.Requests > 0 && h.Limit.Requests > 0 {
			keys = append(keys, requestKey(kind, h.ID))
			args = append(args, number(int64(limit.Requests)), number(limit.Window.Microseconds()), flag(shadow))
		}
	}
	for rule := range hits {
		count("ik"[rule], &hits[rule], &hits[rule].Limit, hits[rule].Limit.Shadow)
	}
	for rule := range hits { // a candidate is one more rule in shadow mode
		count("IK"[rule], &hits[rule], hits[rule].Limit.Candidate, true)
	}
	answer, err := s.call(OpLimit, takeScript, keys, args)
	if err != nil {
		return s.takeAlone(now, hits)
	}
	return decisionOf(answer, hits)
}

// decisionOf reads the answer of take.lua.
func decisionOf(answer []int64, hits [2]limiter.Hit) limiter.Decision {
	d := limiter.Decision{At: answer[0] * 1000, Admitted: answer[1] == 1}
	longest := int64(-1)
	next := func() (part []int64) {
		part, answer = answer[2:6], answer[4:]
		return part
	}
	for rule, h := range hits {
		if h.Limit.Requests <= 0 {
			continue
		}
		part := next()
		over := part[1] == 1
		d.States[rule] = limiter.State{
			Limit: h.Limit, Used: int(part[0]), Over: over, Wait: duration(part[2]), Reset: duration(part[3]),
		}
		if over && !h.Limit.Shadow && part[2] > longest {
			d.Refused, longest = limiter.Rule(rule), part[2]
		}
	}
	for rule, h := range hits {
		if h.Limit.Candidate == nil || h.Limit.Candidate.Requests <= 0 || h.Limit.Requests <= 0 {
			continue
		}
		switch over := next()[1] == 1; {
		case !d.Admitted:
		case over:
			d.Trials[rule] = limiter.WouldRefuse
		default:
			d.Trials[rule] = limiter.WouldAdmit
		}
	}
	return d
}

// takeAlone decides without the server.
func (s *Store) takeAlone(now int64, hits [2]limiter.Hit) limiter.Decision {
	switch s.cfg.OnFailure {
	case Allow:
		return limiter.Decision{Admitted: true, At: now}
	case Deny:
		return limiter.Decision{Unavailable: true, At: now}
	}
	for rule := range hits {
		hits[rule].Limit.Requests = share(hits[rule].Limit.Requests, s.cfg.Replicas)
	}
	return s.limits.Take(now, hits[limiter.PerIP], hits[limiter.PerKey])
}
