package proxy

import (
	"net/netip"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// exchange is what the phases of one request share: data flows from phase to
// phase only through it. It is pooled; its buffers outlive a request, nothing
// that it borrowed from the request does.
type exchange struct {
	g     *Gateway
	ctx   *fasthttp.RequestCtx
	rules *rules // the configuration's snapshot that this request is judged by
	now   int64  // process time at which the request was understood, ns

	// understand
	fields    fields
	method    method
	target    []byte // origin form, as the client wrote it
	path      []byte // target without the query
	routed    routed
	peer      netip.Addr
	fromProxy bool // the peer is a trusted proxy
	id        []byte

	// identify
	client    netip.Addr
	who       identity.Who
	rejection identity.Failure

	// limit
	limited  bool // the request limits were asked
	decision limiter.Decision

	// guard
	read     bool // batch holds the request's messages
	batch    loopguard.Batch
	judged   bool // the message limits were asked
	held     bool // reservation must be settled
	verdict  loopguard.Decision
	reserved loopguard.Reservation

	// forward
	call        upstream.Request
	answer      upstream.Response
	outcome     outcome
	upstreamed  int64 // time spent in the upstream, ns
	status      int
	bytesOut    int64
	replacement []byte // error body in our shape
	origin      origins
	streaming   bool // the answer's body flows after the corridor ended
	ownAnswer   bool // we answered with a success of our own

	// a refusal or a failure: what we answer instead of the upstream
	refused bool
	refusal apierror.Error
	hangUp  bool // close the client's connection after the answer

	identity identity.Scratch
	paths    []byte // decoded path
	head     []byte // head of the request to the upstream
	value    []byte // one header value being written
	ids      [32]byte
}

// outcome is what became of the call to the upstream.
type outcome uint8

const (
	notSent  outcome = iota // the upstream can't have acted on the request
	unknown                 // it may have
	answered                // it answered; exchange.status says what
)

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (g *Gateway) begin(ctx *fasthttp.RequestCtx) *exchange {
	x := exchanges.Get().(*exchange)
	x.g, x.ctx, x.rules, x.now = g, ctx, g.rules.Load(), g.clock.now()
	g.metrics.inFlight.Inc()
	return x
}

// release returns the exchange to the pool, without anything it borrowed.
func (x *exchange) release() {
	x.answer.Reset()
	x.answer.Body = nil // it is fasthttp's
	x.batch.Shrink()
	x.fields.reset()
	x.g, x.ctx, x.rules = nil, nil, nil
	x.method, x.target, x.path, x.routed, x.id = 0, nil, nil, routed{}, nil
	x.peer, x.client, x.fromProxy, x.who = netip.Addr{}, netip.Addr{}, false, identity.Who{}
	x.rejection, x.limited, x.decision = identity.None, false, limiter.Decision{}
	x.read, x.judged, x.held, x.verdict = false, false, false, loopguard.Decision{}
	x.call, x.outcome, x.upstreamed, x.status, x.bytesOut = upstream.Request{}, notSent, 0, 0, 0
	x.origin.upstream, x.origin.authority, x.streaming, x.ownAnswer = nil, nil, false, false
	x.refused, x.refusal, x.hangUp = false, apierror.Error{}, false
	exchanges.Put(x)
}

// refuse ends the corridor with one of our own errors.
func (x *exchange) refuse(code apierror.Code) bool {
	return x.refuseWith(apierror.Error{Code: code})
}

func (x *exchange) refuseWith(e apierror.Error) bool {
	x.refused, x.refusal = true, e
	return false
}

// misunderstood refuses a request that could be read in two ways, and hangs up:
// what follows on the connection can't be trusted to be a request.
func (x *exchange) misunderstood(p problem) bool {
	x.hangUp = true
	code := apierror.InvalidRequest
	if p == tooMany {
		code = apierror.HeadersTooLarge
	}
	return x.refuseWith(apierror.Error{Code: code, Message: string(p)})
}

// sender is who a message counts for.
func (x *exchange) sender() loopguard.Sender {
	return loopguard.Sender{Bot: x.who.User, Token: x.who.Key}
}

// author is who a reply is from: nobody in particular when it is a person.
func (x *exchange) author() digest.ID {
	if x.who.Role == identity.Bot {
		return x.who.User
	}
	return digest.ID{}
}
