package proxy

import (
	"runtime/debug"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// observe ends every request, whatever happened to it: it turns a panic into a
// 500, and counts and logs what became of the request. A streamed answer is
// observed when its stream ends.
func (x *exchange) observe() {
	fault := recover()
	if fault == nil {
		fault = x.fault
	}
	if fault != nil {
		x.recovered(fault)
	}
	if !x.streaming {
		x.finish()
	}
}

// caught keeps a fault in the reading of the head for observe.
func (x *exchange) caught() {
	if fault := recover(); fault != nil {
		x.fault = faultIn{fault, debug.Stack()}
	}
}

// faultIn is a fault with the place where it happened.
type faultIn struct {
	said  any
	stack []byte
}

// recovered answers a fault of the gateway itself. What the fault says stays in
// our log.
func (x *exchange) recovered(fault any) {
	at, ok := fault.(faultIn)
	if !ok {
		at = faultIn{fault, debug.Stack()}
	}
	x.g.metrics.panics.Inc()
	x.g.logger.Error("panic while handling a request", "request_id", string(x.id), "panic", at.said, "stack", string(at.stack))
	if x.answer.Stream != nil {
		_ = x.answer.Stream.Close()
	}
	x.closeTunnel()
	x.hangUp, x.streaming, x.fault = true, false, nil
	x.refuse(apierror.Internal)
	x.reply.clear()
	x.answerOurs()
	x.sign()
	if x.held && x.outcome == answered && !x.confirmed() {
		x.outcome = notSent
	}
	x.settle()
}

// finish counts and logs the exchange.
func (x *exchange) finish() {
	end := x.g.clock.now()
	took := end - x.now
	m := x.g.metrics
	source := sourceUpstream
	if x.refused || x.ownAnswer {
		source = sourceGateway
	}
	m.answered(x.routed.route, x.method, source, x.status)
	x.observeDuration(float64(took) / 1e9)
	own := int64(0)
	if !x.streaming { // a stream lasts as long as upstream and client let it: that is not our time
		own = end - max(x.now, x.arrived) - x.upstreamed
		m.overhead.Observe(float64(own) / 1e9)
	}
	m.inFlight.Add(-1)
	x.giveUpPlace()
	x.remember(took, source)
	if x.g.access != nil {
		x.log(took, own, source)
	}
	x.endTrace(end, source)
}

func (x *exchange) log(took, own int64, source int) {
	e := accesslog.Entry{
		Time: x.now, Duration: took, Overhead: own, Upstream: x.upstreamed,
		RequestID: x.id, Method: x.method.String(), Route: x.routed.route.String(),
		Status: x.status, Source: sources[source],
		BytesIn: x.bytesIn, BytesOut: x.bytesOut,
		Key: x.who.Key, IP: x.rules.limits.ClientIDAgain(x.client, x.recent()), Client: x.client,
		Decision: decisions[admitted], TraceID: x.traceID(),
	}
	if x.refused {
		e.Code = x.refusal.Code.String()
		e.Limit, e.Window, e.RetryAfter = x.refusal.Limit, x.refusal.Window, x.refusal.RetryAfter
	}
	x.logMessages(&e)
	e.Rule, e.Decision = x.ruling()
	e.Shadow = x.candidate()
	x.g.access.Write(&e)
}

// logMessages tells of messages what a replay of the log needs: whose, where,
// how many, and whether two are equal.
func (x *exchange) logMessages(e *accesslog.Entry) {
	if x.who.Role != identity.Nobody {
		e.Role = x.who.Role.String()
	}
	if n := len(x.batch.Messages); x.read && n > 0 {
		e.Messages, e.Conversation = n, x.batch.Messages[0].Conversation
		if n == 1 {
			e.Content = x.batch.Messages[0].Content
		}
		if x.who.Role == identity.Bot {
			e.Bot = x.who.User
		}
	}
	if x.replied.at != 0 {
		e.Conversation, e.Reply = x.replied.conversation, x.replied.at
	}
}

// ruling names the rule that refused the request, or would have in shadow mode.
func (x *exchange) ruling() (rule, decision string) {
	switch {
	case x.limited && !x.decision.Admitted:
		return x.decision.Refused.String(), decisions[refused]
	case x.judged && !x.verdict.Admitted:
		return x.verdict.Refused.String(), decisions[refused]
	}
	for r := range x.decision.States {
		if x.limited && x.decision.States[r].Over {
			return limiter.Rule(r).String(), decisions[wouldRefuse]
		}
	}
	for r := range x.verdict.States {
		if x.judged && x.verdict.States[r].Over {
			return loopguard.Rule(r).String(), decisions[wouldRefuse]
		}
	}
	return "", decisions[admitted]
}
