package proxy

import (
	"bytes"

	"github.com/chatshipper/gateway/internal/http1"
	"github.com/chatshipper/gateway/internal/upstream"
)

// pass hands the upstream's answer on to the client: every field but those that
// belong to one connection only, references to the upstream's origin moved to
// the client's, the body byte for byte.
func (x *exchange) pass() {
	x.passFields()
	r := &x.reply
	switch {
	case x.answer.Stream != nil:
		r.length, x.streaming = max(x.answer.ContentLength, undeclared), true
		r.close = r.close || x.answer.ContentLength == upstream.CloseDelimited
	case x.method == methodHead, x.answer.Status == 304:
		r.length = max(x.answer.ContentLength, undeclared)
	case x.answer.ContentLength == upstream.CloseDelimited:
		r.body, r.length, r.close = x.answer.Body, undeclared, true // nobody can tell whether it is whole: nor do we
	default:
		r.body = x.answer.Body
		r.length = int64(len(r.body) + x.answer.Pipe.Len())
	}
	x.bytesOut = int64(len(r.body) + x.answer.Pipe.Len())
}

func (x *exchange) passFields() {
	r := &x.reply
	for i := range x.answer.Fields {
		f := &x.answer.Fields[i]
		switch kind := classifyAnswer(f.Name); {
		case kind == answerUpgrade && x.answer.Tunnel != nil:
			r.add(f.Name, f.Value)
		case kind == answerDropped, kind == answerUpgrade, kind == answerBody && x.replaced, x.nominated(f.Name):
		case kind == answerLink, kind == answerLocation:
			x.value = x.origins().rewrite(x.value[:0], f.Value, kind == answerLink)
			r.add(f.Name, x.value)
		default:
			r.dated = r.dated || kind == answerDate
			r.retries = r.retries || kind == answerRetry
			r.add(f.Name, f.Value)
		}
	}
}

func (x *exchange) origins() *origins {
	o := &x.origin
	o.upstream, o.scheme, o.authority = x.rules.upstreamNames, append(o.scheme[:0], x.clientScheme()...), x.clientHost()
	if len(o.authority) == 0 {
		o.upstream = nil // an HTTP/1.0 client without Host: nothing to move references to
	}
	return o
}

// nominated reports whether the answer's Connection field names this field.
func (x *exchange) nominated(name []byte) bool {
	if !x.answer.Nominates {
		return false
	}
	for i := range x.answer.Fields {
		f := &x.answer.Fields[i]
		if !equalFold(f.Name, []byte("Connection")) {
			continue
		}
		rest := f.Value
		for len(rest) > 0 {
			var token []byte
			token, rest, _ = bytes.Cut(rest, []byte{','})
			if equalFold(http1.Trim(token), name) && !hasPrefixFold(name, "Content-") {
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
	answerUpgrade // dropped, but of a tunnel
	answerBody    // speaks of the body: dropped when that is replaced
	answerLink
	answerLocation
	answerDate
	answerRetry
)

// answerFields lists the names that classifyAnswer looks for, by length. The rate
// limit fields are ours to write: a client must not have to guess whose it reads.
var answerFields = func() (byLength [32][]struct {
	name []byte
	kind answerKind
},
) {
	for kind, names := range map[answerKind][]string{
		answerDropped: {
			"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
			"Proxy-Authentication-Info", "TE", "Trailer", "Transfer-Encoding", "X-Request-ID",
			"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Used",
			"X-RateLimit-Resource", "X-RateLimit-Policy", "RateLimit", "RateLimit-Policy",
		},
		answerUpgrade: {"Upgrade"},
		answerBody: {
			"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Content-Range", "Content-MD5",
			"Content-Digest", "Digest", "Repr-Digest", "Accept-Ranges", "ETag", "Last-Modified",
		},
		answerLink: {"Link"}, answerLocation: {"Location"}, answerDate: {"Date"}, answerRetry: {"Retry-After"},
	} {
		for _, name := range names {
			byLength[len(name)] = append(byLength[len(name)], struct {
				name []byte
				kind answerKind
			}{[]byte(name), kind})
		}
	}
	return byLength
}()

// classifyAnswer says what becomes of a field of an answer.
func classifyAnswer(name []byte) answerKind {
	if len(name) >= len(answerFields) {
		return answerOther
	}
	for i := range answerFields[len(name)] {
		if k := &answerFields[len(name)][i]; equalFold(k.name, name) {
			return k.kind
		}
	}
	return answerOther
}
