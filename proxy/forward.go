package proxy

import (
	"errors"
	"strconv"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/upstream"
)

// forward sends the request upstream, as it was judged, and waits for the
// answer.
func (x *exchange) forward() {
	if !x.receive(x.rules.streamAbove) {
		return
	}
	x.call = upstream.Request{
		Body:       x.body,
		Task:       x.conn.Task(),
		Pipes:      x.conn.Moves() && x.routed.route != routeConversations, // whose answer settle reads
		HeadMethod: x.method == methodHead,
		Idempotent: x.method.idempotent(),
		Upgrade:    x.upgrade,
	}
	length := int64(len(x.body))
	if !x.whole {
		x.call.Source = upload{x}
		length = parseLength(x.fields.get(fieldContentLength))
		x.call.Chunked = length < 0
	}
	x.head = x.appendHead(x.head[:0], length)
	x.call.Head = x.head
	x.answer.Reset()
	started := x.g.clock.now()
	err := x.g.upstream.Do(started, &x.call, &x.answer)
	ended := x.answer.At
	if ended == 0 {
		ended = x.g.clock.now()
	}
	x.upstreamed = ended - started
	x.g.metrics.observeUpstream(&x.answer, err, x.upstreamed)
	x.calledUpstream(started, err)
	if err != nil {
		x.fail(err)
		return
	}
	x.outcome, x.status = answered, x.answer.Status
}

// fail turns a broken call into one of our own errors.
func (x *exchange) fail(err error) {
	var failure *upstream.Error
	if !errors.As(err, &failure) {
		x.outcome = unknown
		x.refuse(apierror.Internal)
		return
	}
	if failure.Sent {
		x.outcome = unknown
	}
	if failure.Reason == upstream.ReasonSource {
		x.incomplete(err)
		return
	}
	e := apierror.Error{Code: failureCode(failure.Reason)}
	switch e.Code {
	case apierror.UpstreamTimeout:
		e.Status, e.RetryAfter = x.rules.timeoutStatus, 1
	case apierror.Overloaded:
		e.RetryAfter = 1
	case apierror.UpstreamUnavailable:
		e.RetryAfter = apierror.Seconds(failure.Wait)
	}
	x.refuseWith(e)
}

func failureCode(reason upstream.Reason) apierror.Code {
	switch reason {
	case upstream.ReasonTimeout:
		return apierror.UpstreamTimeout
	case upstream.ReasonNoFreeConns:
		return apierror.Overloaded
	case upstream.ReasonCircuitOpen:
		return apierror.UpstreamUnavailable
	case upstream.ReasonDNS, upstream.ReasonConnect, upstream.ReasonTLS:
		return apierror.UpstreamUnreachable
	default:
		return apierror.UpstreamInvalid
	}
}

// appendHead writes the head of the request to the upstream: the client's
// target and fields byte for byte, less what belongs to one connection only and
// what strangers may not claim, plus our own.
//
// length is how long the body is; negative: in chunks.
func (x *exchange) appendHead(dst []byte, length int64) []byte {
	dst = append(dst, x.conn.Method...)
	dst = append(dst, ' ')
	dst = append(dst, x.target...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	if host := x.fields.get(fieldHost); x.rules.preserveHost && len(host) > 0 {
		dst = append(dst, host...)
	} else {
		dst = append(dst, x.rules.upstreamHost...)
	}
	dst = x.appendPassing(append(dst, "\r\n"...))
	dst = x.appendTrace(x.appendForwarded(dst))
	dst = append(append(dst, "X-Request-ID: "...), x.id...)
	switch {
	case x.upgrade:
		dst = append(dst, "\r\nConnection: Upgrade\r\nUpgrade: websocket"...)
	case length < 0:
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	case length > 0 || x.method.takesBody() || x.fields.count[fieldContentLength] > 0:
		dst = append(dst, "\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, length, 10)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendPassing writes the client's fields that go upstream: lines that follow each
// other all at once.
func (x *exchange) appendPassing(dst []byte) []byte {
	start, end := int32(0), int32(0)
	for i := range x.fields.n {
		f := &x.fields.list[i]
		switch {
		case !x.passes(f):
		case !f.plain:
			dst = appendField(append(dst, x.conn.Block[start:end]...), f.name, f.value)
			start, end = 0, 0
		case f.start == end && start < end:
			end = f.end
		default:
			dst = append(dst, x.conn.Block[start:end]...)
			start, end = f.start, f.end
		}
	}
	return append(dst, x.conn.Block[start:end]...)
}

// passes reports whether a field of the client goes upstream as it is.
func (x *exchange) passes(f *field) bool {
	switch f.kind {
	case fieldOther, fieldAccept:
		return !f.drop
	case fieldCredential, fieldContentType, fieldContentEncoding:
		return true
	case fieldForwardedOther:
		return x.fromProxy
	case fieldTraceparent:
		return !f.drop && !x.traced.ours
	case fieldTracestate:
		return !f.drop && !x.traced.began
	default:
		return false
	}
}

// appendForwarded tells the upstream who asked for what: the chain of addresses
// that trusted proxies vouch for, and the origin that the client used.
func (x *exchange) appendForwarded(dst []byte) []byte {
	dst = append(dst, "X-Forwarded-For: "...)
	if x.fromProxy {
		for i := range x.fields.n {
			if f := &x.fields.list[i]; f.kind == fieldForwardedFor && len(f.value) > 0 {
				dst = append(append(dst, f.value...), ", "...)
			}
		}
	}
	dst = x.peer.AppendTo(dst)
	if host := x.clientHost(); len(host) > 0 {
		dst = append(append(dst, "\r\nX-Forwarded-Host: "...), host...)
	}
	dst = append(append(dst, "\r\nX-Forwarded-Proto: "...), x.clientScheme()...)
	return append(dst, "\r\n"...)
}

// clientHost is the authority that the client used.
func (x *exchange) clientHost() []byte {
	if host := x.fields.get(fieldForwardedHost); x.fromProxy && isHost(host) {
		return host
	}
	return x.fields.get(fieldHost)
}

// clientScheme is the scheme that the client used.
func (x *exchange) clientScheme() string {
	proto := x.fields.get(fieldForwardedProto)
	switch {
	case x.fromProxy && equalFold(proto, []byte("https")):
		return "https"
	case x.fromProxy && equalFold(proto, []byte("http")), !x.conn.Secure:
		return "http"
	}
	return "https"
}

func appendField(dst, name, value []byte) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}
