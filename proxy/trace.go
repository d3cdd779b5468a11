package proxy

import (
	"encoding/hex"
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/upstream"
)

// traced is what a request has to do with traces.
type traced struct {
	came    trace.Context // what the client sent, if it was well-formed
	trace   [16]byte      // zero: no trace
	server  [8]byte       // our span; of a sampled request only
	client  [8]byte       // of the call to the upstream, whose parent is server
	sampled bool
	ours    bool   // we write traceparent; else the client's field passes as it is
	began   bool   // the trace begins here: a tracestate belongs to none
	called  int64  // process time at which the upstream was asked, ns; 0: it was not
	reason  string // why it gave no answer
	text    [32]byte
}

// joinTrace finds out which trace the request belongs to. Without a tracer it
// only reads the client's, for the access log. Every client may name the trace;
// whether its spans are exported is for a trusted proxy to say, and for our own
// ratio where anybody else asks: strangers can't make us export.
func (x *exchange) joinTrace() {
	t := &x.traced
	if x.fields.count[fieldTraceparent] == 1 { // of two, none can be believed
		if t.came, _ = trace.Parse(x.fields.get(fieldTraceparent)); !t.came.IsZero() {
			t.trace = t.came.TraceID
		}
	}
	if tracer := x.g.tracer; tracer != nil {
		x.sample(tracer)
	}
}

// sample decides whether the request's spans are exported.
func (x *exchange) sample(tracer *trace.Tracer) {
	t := &x.traced
	switch {
	case t.came.IsZero():
		t.trace, t.ours, t.began = trace.NewTraceID(), true, true
		t.sampled = tracer.Samples(trace.NumberOf(t.trace))
	case x.fromProxy:
		t.sampled = t.came.Flags&trace.Sampled != 0
	default:
		// By a keyed digest: nobody can find an id that is sampled.
		t.sampled = tracer.Samples(x.g.hasher.Sum(t.trace[:]).Lo)
	}
	if t.sampled {
		t.server, t.ours = trace.NewSpanID(), true
	}
	if t.ours {
		t.client = trace.NewSpanID()
	}
}

// traceID is the trace's id in hex, or nothing.
func (x *exchange) traceID() []byte {
	if x.traced.trace == [16]byte{} {
		return nil
	}
	hex.Encode(x.traced.text[:], x.traced.trace[:])
	return x.traced.text[:]
}

// appendTrace writes traceparent for the upstream, where it is ours to write.
func (x *exchange) appendTrace(dst []byte) []byte {
	t := &x.traced
	if !t.ours {
		return dst
	}
	c := trace.Context{TraceID: t.trace, SpanID: t.client, Flags: t.came.Flags &^ trace.Sampled}
	if t.sampled {
		c.Flags |= trace.Sampled
	}
	dst = append(dst, "traceparent: "...)
	return append(c.Append(dst), "\r\n"...)
}

// calledUpstream remembers a call for its span.
func (x *exchange) calledUpstream(at int64, err error) {
	x.traced.called = at
	if failure, ok := err.(*upstream.Error); ok { //nolint:errorlint // Do returns it unwrapped
		x.traced.reason = failure.Reason.String()
	}
}

// observeDuration counts how long the request took. An exemplar leads from the
// histogram to a trace that was exported, and to no other.
func (x *exchange) observeDuration(seconds float64) {
	o := x.g.metrics.duration[x.routed.route]
	if with, ok := o.(prometheus.ExemplarObserver); ok && x.traced.sampled {
		with.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": string(x.traceID())})
		return
	}
	o.Observe(seconds)
}

// routePatterns are the routes as OpenTelemetry's http.route wants them.
var routePatterns = [routeCount]string{
	routeMessages: "/v2/messages", routeConversationMessages: "/v2/conversations/{id}/messages",
	routeConversations: "/v2/conversations", routeAuthToken: "/v2/auth/token",
}

// endTrace exports the spans of a sampled request. Their attributes hold no path,
// address, key or text: url.path and client.address, which the conventions ask
// for, are left out.
func (x *exchange) endTrace(end int64, source int) {
	t := &x.traced
	if !t.sampled {
		return
	}
	x.g.tracer.End(x.serverSpan(end, source))
	if t.called != 0 {
		x.g.tracer.End(x.clientSpan())
	}
}

// serverSpan is the request as the client sees it.
func (x *exchange) serverSpan(end int64, source int) *trace.Span {
	t := &x.traced
	name, method := x.spanMethod()
	if pattern := routePatterns[x.routed.route]; pattern != "" {
		name += " " + pattern
	}
	s := &trace.Span{
		TraceID: t.trace, ID: t.server, Parent: t.came.SpanID, Remote: !t.came.IsZero(), Kind: trace.Server,
		Name: name, Start: x.now, End: end, Failed: x.status >= 500,
		Attributes: []trace.Attribute{
			trace.Text("http.request.method", method),
			trace.Text("url.scheme", x.clientScheme()),
			trace.Text("network.protocol.version", string(protocolVersion(x.conn.Version))),
			trace.Number("http.response.status_code", int64(x.status)),
			trace.Number("http.request.body.size", x.bytesIn),
			trace.Number("http.response.body.size", x.bytesOut),
			trace.Text("gateway.request_id", string(x.id)),
			trace.Text("gateway.route", x.routed.route.String()),
			trace.Text("gateway.source", sources[source]),
		},
	}
	if !t.began {
		s.State = string(x.fields.get(fieldTracestate))
	}
	if pattern := routePatterns[x.routed.route]; pattern != "" {
		s.Attributes = append(s.Attributes, trace.Text("http.route", pattern))
	}
	x.explainSpan(s)
	return s
}

// explainSpan adds what was decided.
func (x *exchange) explainSpan(s *trace.Span) {
	rule, decision := x.ruling()
	s.Attributes = append(s.Attributes, trace.Text("gateway.decision", decision))
	if rule != "" {
		s.Attributes = append(s.Attributes, trace.Text("gateway.rule", rule))
	}
	failure := strconv.Itoa(x.status)
	if x.refused {
		failure = x.refusal.Code.String()
		s.Attributes = append(s.Attributes, trace.Text("gateway.code", failure))
	}
	if s.Failed {
		s.Attributes = append(s.Attributes, trace.Text("error.type", failure))
	}
}

// clientSpan is the call to the upstream. Of a streamed answer it ends with the
// head.
func (x *exchange) clientSpan() *trace.Span {
	t := &x.traced
	name, method := x.spanMethod()
	s := &trace.Span{
		TraceID: t.trace, ID: t.client, Parent: t.server, Kind: trace.Client,
		Name: name, Start: t.called, End: t.called + x.upstreamed, Failed: t.reason != "" || x.answer.Status >= 400,
		Attributes: []trace.Attribute{
			trace.Text("http.request.method", method),
			trace.Text("network.protocol.version", "1.1"),
		},
	}
	host, port := string(x.rules.upstreamHost), ""
	if name, number, err := net.SplitHostPort(host); err == nil {
		host, port = name, number
	}
	s.Attributes = append(s.Attributes, trace.Text("server.address", host))
	if n, err := strconv.Atoi(port); err == nil {
		s.Attributes = append(s.Attributes, trace.Number("server.port", int64(n)))
	}
	failure := t.reason
	if failure == "" {
		failure = strconv.Itoa(x.answer.Status)
		s.Attributes = append(s.Attributes, trace.Number("http.response.status_code", int64(x.answer.Status)))
	}
	if s.Failed {
		s.Attributes = append(s.Attributes, trace.Text("error.type", failure))
	}
	return s
}

// spanMethod is the method as a span's name and as an attribute: what a client
// made up is neither.
func (x *exchange) spanMethod() (name, attribute string) {
	if x.method == methodOther {
		return "HTTP", "_OTHER"
	}
	return x.method.String(), x.method.String()
}

// protocolVersion is the number of HTTP/1.1.
func protocolVersion(version []byte) []byte {
	if len(version) == len("HTTP/1.1") {
		return version[len("HTTP/"):]
	}
	return nil
}
