package proxy

import (
	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/limiter"
)

// limit decides the request limits of the client's address and of its API key
// in one step: refused by one, charged to none.
func (x *exchange) limit() bool {
	r := x.rules.limits
	if r.ExemptAddr(x.client) || r.ExemptPath(x.path) {
		return true
	}
	var key limiter.Hit
	if !x.who.Key.IsZero() {
		key = r.Key(x.who.Key, &x.who.SHA256, x.who.UserID, x.who.Verified)
	}
	x.decision = x.g.limiter.Take(x.now, r.IP(x.client), key)
	x.limited = true
	x.g.metrics.countLimits(&x.decision)
	if x.decision.Admitted {
		return true
	}
	state := &x.decision.States[x.decision.Refused]
	code := apierror.RateLimitedIP
	if x.decision.Refused == limiter.PerKey {
		code = apierror.RateLimitedKey
	}
	return x.refuseWith(apierror.RateLimited(code, state.Limit.Requests, state.Limit.Window, state.Wait))
}

// permit answers 405 for a method that the path does not take.
func (x *exchange) permit() bool {
	if x.rules.methods.allowed(x.method, x.conn.Method, x.path) {
		return true
	}
	e := apierror.Error{Code: apierror.MethodNotAllowed}
	if x.method != methodPut {
		e.Message = "This method is not supported here. The API takes " + x.rules.methods.allowHeader(x.path) + "."
	}
	return x.refuseWith(e)
}
