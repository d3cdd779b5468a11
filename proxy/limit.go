package proxy

import "github.com/chatshipper/gateway/limiter"

// limit decides the request limits of the client's address and of its API key
// in one step: refused by one, charged to none.
func (x *exchange) limit() bool {
	ip, key, limited := RequestHits(x.rules.limits, x.client, x.path, &x.who, x.recent())
	if !limited {
		return true
	}
	x.decision = x.g.limiter.Take(x.now, ip, key)
	if x.decision.Unavailable {
		return x.refuseWith(withoutStore)
	}
	x.limited = true
	x.g.metrics.countLimits(&x.decision)
	x.g.metrics.countTrials(x.decision.Trials)
	if x.decision.Admitted {
		return true
	}
	x.noteRequest(ip, key)
	return x.refuseWith(RequestRefusal(&x.decision))
}

// recent is what the connection's last request was counted by.
func (x *exchange) recent() *limiter.Recent {
	if x.conn.Memo == nil {
		x.conn.Memo = new(limiter.Recent)
	}
	return x.conn.Memo.(*limiter.Recent)
}

// permit answers 405 for a method that the path does not take.
func (x *exchange) permit() bool {
	if x.rules.methods.allowed(x.method, x.conn.Method, x.path) {
		return true
	}
	return x.refuseWith(x.rules.methods.refusal(x.method, x.path))
}
