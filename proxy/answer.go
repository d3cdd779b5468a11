package proxy

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/upstream"
)

// pass hands the upstream's answer on to the client: every field but those that
// belong to one connection only, references to the upstream's origin moved to
// the client's, the body byte for byte.
func (x *exchange) pass() {
	resp := &x.ctx.Response
	resp.SetStatusCode(x.answer.Status)
	x.passFields()
	switch {
	case x.answer.Stream != nil:
		x.passStream()
	default:
		x.bytesOut = int64(len(x.answer.Body))
		resp.SwapBody(x.answer.Body)
	}
	if x.method == methodHead && x.answer.ContentLength >= 0 {
		resp.Header.SetContentLength(int(x.answer.ContentLength))
	}
}

func (x *exchange) passFields() {
	h := &x.ctx.Response.Header
	for i := range x.answer.Fields {
		f := &x.answer.Fields[i]
		switch kind := classifyAnswer(f.Name); {
		case kind == answerDropped, x.nominated(f.Name):
		case kind == answerLink, kind == answerLocation:
			x.value = x.origins().rewrite(x.value[:0], f.Value, kind == answerLink)
			h.AddBytesKV(f.Name, x.value)
		default:
			h.AddBytesKV(f.Name, f.Value)
		}
	}
}

func (x *exchange) origins() *origins {
	o := &x.origin
	o.upstream, o.scheme, o.authority = x.rules.upstreamHost, append(o.scheme[:0], x.clientScheme()...), x.clientHost()
	if len(o.authority) == 0 {
		o.upstream = []byte("\x00") // an HTTP/1.0 client without Host: nothing to move references to
	}
	return o
}

// nominated reports whether the answer's Connection field names this field.
func (x *exchange) nominated(name []byte) bool {
	for i := range x.answer.Fields {
		f := &x.answer.Fields[i]
		if !equalFold(f.Name, []byte("Connection")) {
			continue
		}
		rest := f.Value
		for len(rest) > 0 {
			var token []byte
			token, rest, _ = bytes.Cut(rest, []byte{','})
			if equalFold(trimOWS(token), name) && !hasPrefixFold(name, "Content-") {
				return true
			}
		}
	}
	return false
}

type answerKind uint8

const (
	answerOther answerKind = iota
	answerDropped
	answerLink
	answerLocation
)

// classifyAnswer says what becomes of a field of an answer. The rate limit
// fields are ours to write: a client must not have to guess whose it reads.
func classifyAnswer(name []byte) answerKind {
	switch lower(name[0]) {
	case 'l':
		if equalFold(name, []byte("Link")) {
			return answerLink
		}
		if equalFold(name, []byte("Location")) {
			return answerLocation
		}
	case 'c':
		if equalFold(name, []byte("Connection")) || equalFold(name, []byte("Content-Length")) {
			return answerDropped
		}
	case 'k', 'p', 't', 'u':
		for _, hop := range hopByHop {
			if equalFold(name, hop) {
				return answerDropped
			}
		}
	case 'x':
		if equalFold(name, []byte("X-Request-ID")) || hasPrefixFold(name, "X-RateLimit-") {
			return answerDropped
		}
	case 'r':
		if equalFold(name, []byte("RateLimit")) || equalFold(name, []byte("RateLimit-Policy")) {
			return answerDropped
		}
	}
	return answerOther
}

var hopByHop = [][]byte{
	[]byte("Keep-Alive"), []byte("Proxy-Connection"), []byte("Proxy-Authenticate"), []byte("Proxy-Authentication-Info"),
	[]byte("TE"), []byte("Trailer"), []byte("Transfer-Encoding"), []byte("Upgrade"),
}

// passStream hands a large or endless answer on while it arrives. What is cut
// off upstream is cut off for the client too, never ended as if complete.
func (x *exchange) passStream() {
	resp := &x.ctx.Response
	resp.SwapBody(x.answer.Body[:0])
	size := -1
	if x.answer.ContentLength >= 0 {
		size = int(x.answer.ContentLength)
	}
	resp.ImmediateHeaderFlush = true
	resp.SetBodyStream(&stream{x: x, ctx: x.ctx, body: x.answer.Stream}, size)
	x.streaming = true
}

// stream is the body of a streamed answer. Every read gives the client a new
// write deadline, so that a long answer lives as long as it flows. Closing it
// ends the exchange.
type stream struct {
	x    *exchange
	ctx  *fasthttp.RequestCtx
	body io.ReadCloser
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.x.bytesOut += int64(n)
	if conn := s.ctx.Conn(); conn != nil {
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	if failure := (*upstream.Error)(nil); err != nil && errors.As(err, &failure) {
		s.x.g.metrics.upstreamError(failure.Reason)
	}
	return n, err
}

func (s *stream) Close() error {
	err := s.body.Close()
	if s.x.streaming { // else a fault ended the exchange before its stream began
		s.x.finish()
	}
	return err
}
