package proxy

import (
	"net/netip"
	"sync"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/downstream"
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
	conn  *downstream.Conn
	rules *rules // the configuration's snapshot that this request is judged by
	now   int64  // process time at which the request was understood, ns

	// understand
	understood bool
	fields     fields
	method     method
	target     []byte // origin form, as the client wrote it
	path       []byte // target without the query
	routed     routed
	peer       netip.Addr
	fromProxy  bool // the peer is a trusted proxy
	id         []byte
	upgrade    bool // the client asks for a WebSocket

	// what was read of the body; all of it, or its beginning
	body     []byte
	received bool // the body was asked for
	whole    bool
	bytesIn  int64

	// identify
	caller    identity.Caller
	client    netip.Addr
	who       identity.Who
	rejection identity.Failure

	// limit
	limited  bool // the request limits were asked
	decision limiter.Decision

	// shed
	placed bool // has one of the places for requests in flight

	// guard
	read     bool // batch holds the request's messages
	batch    loopguard.Batch
	judged   bool // the message limits were asked
	held     bool // reservation must be settled
	verdict  loopguard.Decision
	reserved loopguard.Reservation
	replied  replied

	// forward
	call        upstream.Request
	answer      upstream.Response
	outcome     outcome
	upstreamed  int64 // time spent in the upstream, ns
	arrived     int64 // process time at which the body was there, ns; 0 without one
	status      int
	bytesOut    int64
	replacement []byte // error body in our shape

	// normalise: the answer to the client
	reply     reply
	origin    origins
	streaming bool // the answer's body flows after the corridor ended
	fault     any  // what a panic in understand said
	ownAnswer bool // we answered with a success of our own
	replaced  bool // the upstream's body gives way to one in our shape

	// a refusal or a failure: what we answer instead of the upstream
	refused bool
	refusal apierror.Error
	hangUp  bool // close the client's connection after the answer

	traced traced

	identity identity.Scratch
	paths    []byte // decoded path
	head     []byte // head of the request to the upstream
	value    []byte // one header value being written
	policy   policy
	own      own
	ids      [32]byte
}

// replied is the last reply that the request told of, for the access log.
type replied struct {
	conversation digest.ID
	at           int64 // process time, ns; 0 for none
}

// outcome is what became of the call to the upstream.
type outcome uint8

const (
	notSent  outcome = iota // the upstream can't have acted on the request
	unknown                 // it may have
	answered                // it answered; exchange.status says what
)

// maxKept is the largest body buffer that stays with a pooled exchange, bytes.
const maxKept = 256 << 10

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.reply.reset()
	return x
}}

func (g *Gateway) begin(c *downstream.Conn) *exchange {
	x := exchanges.Get().(*exchange)
	x.g, x.conn, x.rules, x.now = g, c, g.rules.Load(), g.clock.now()
	g.metrics.inFlight.Add(1)
	return x
}

// release returns the exchange to the pool, without anything it borrowed.
func (x *exchange) release() {
	x.answer.Reset()
	if cap(x.answer.Body) > maxKept {
		x.answer.Body = nil
	}
	x.batch.Shrink()
	x.fields.reset()
	x.reply.reset()
	x.g, x.conn, x.rules = nil, nil, nil
	x.understood, x.upgrade, x.body, x.received, x.whole, x.bytesIn = false, false, nil, false, false, 0
	x.method, x.target, x.path, x.routed, x.id = 0, nil, nil, routed{}, nil
	x.peer, x.client, x.fromProxy, x.caller, x.who = netip.Addr{}, netip.Addr{}, false, identity.Caller{}, identity.Who{}
	x.rejection, x.limited, x.decision = identity.None, false, limiter.Decision{}
	x.read, x.judged, x.held, x.verdict, x.replied = false, false, false, loopguard.Decision{}, replied{}
	x.call, x.outcome, x.upstreamed, x.arrived, x.status, x.bytesOut = upstream.Request{}, notSent, 0, 0, 0, 0
	x.origin.upstream, x.origin.authority, x.streaming, x.ownAnswer, x.replaced = nil, nil, false, false, false
	x.refused, x.refusal, x.hangUp = false, apierror.Error{}, false
	x.traced = traced{}
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
