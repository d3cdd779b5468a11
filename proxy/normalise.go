package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/identity"
)

// normalise writes the answer: our own error, the upstream's error in the one
// shape that all errors have, or the upstream's success untouched.
func (x *exchange) normalise() {
	switch {
	case x.refused:
		x.answerOurs()
	case x.ownAnswer:
	case x.answer.Status >= fasthttp.StatusBadRequest:
		x.answerTheirs()
	default:
		x.pass()
	}
	x.sign()
}

// answerOurs writes the refusal or failure as JSON, or as problem+json for a
// client that asks for it.
func (x *exchange) answerOurs() {
	resp := &x.ctx.Response
	x.status = x.refusal.HTTPStatus()
	resp.SetStatusCode(x.status)
	body := resp.SwapBody(nil)[:0]
	if apierror.WantsProblem(x.fields.get(fieldAccept)) {
		resp.Header.SetContentType(apierror.ContentTypeProblem)
		body = x.refusal.AppendProblem(body)
	} else {
		resp.Header.SetContentType(apierror.ContentType)
		body = x.refusal.AppendJSON(body)
	}
	x.bytesOut = int64(len(body))
	resp.SwapBody(body)
	switch x.refusal.Code {
	case apierror.MethodNotAllowed:
		resp.Header.Set(fasthttp.HeaderAllow, x.rules.methods.allowHeader(x.path))
	case apierror.Unauthenticated:
		resp.Header.Set(fasthttp.HeaderWWWAuthenticate, x.challenge())
	}
}

func (x *exchange) challenge() string {
	if x.rejection == identity.Missing || x.rejection == identity.None {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// answerTheirs passes an error of the upstream that already has our shape byte
// for byte, and gives the shape to any other.
func (x *exchange) answerTheirs() {
	body, readable := x.errorBody()
	replacement, changed := apierror.Normalise(x.replacement[:0], x.answer.Status, body, x.rules.maxErrorBody)
	if changed && x.routed.route == routeAuthToken && refreshes(replacement) {
		replacement, _ = apierror.Normalise(replacement[:0], x.answer.Status, nil, x.rules.maxErrorBody)
	}
	x.replacement = replacement
	if x.answer.Stream != nil {
		_ = x.answer.Stream.Close()
		x.answer.Stream = nil
	}
	if (readable && !changed) || x.method == methodHead {
		x.pass()
		if !apierror.IsJSON(x.ctx.Response.Header.ContentType()) {
			x.ctx.Response.Header.SetContentType(apierror.ContentType)
		}
		return
	}
	x.answer.Body = append(x.answer.Body[:0], replacement...)
	x.pass()
	for _, name := range describesBody {
		x.ctx.Response.Header.Del(name)
	}
	x.ctx.Response.Header.SetContentType(apierror.ContentType)
}

// refreshes reports whether an error of our making would send ChatShipper's SDK
// to refresh its token. On the route that refreshes it would go there for ever.
func refreshes(body []byte) bool {
	body = bytes.ToLower(body)
	for _, f := range [...]identity.Failure{identity.Expired, identity.BadSignature, identity.Invalid} {
		if bytes.Contains(body, []byte(f.String())) {
			return true
		}
	}
	return false
}

// describesBody lists the fields that speak of a body that was replaced.
var describesBody = []string{
	"Content-Encoding", "Content-Language", "Content-Disposition", "Content-Range", "Content-MD5",
	"Content-Digest", "Digest", "Repr-Digest", "Accept-Ranges", "ETag", "Last-Modified",
}

// errorBody returns the upstream's error body, decompressed when it must be. A
// body that is too large or can't be decompressed is not readable.
func (x *exchange) errorBody() (body []byte, readable bool) {
	if x.answer.Stream != nil || len(x.answer.Body) > x.rules.maxErrorBody {
		return nil, false
	}
	encoding := x.answerField("Content-Encoding")
	if len(encoding) == 0 || equalFold(encoding, []byte("identity")) {
		return x.answer.Body, true
	}
	var packed fasthttp.Response
	packed.Header.SetContentEncodingBytes(encoding)
	packed.SetBodyRaw(x.answer.Body)
	body, err := packed.BodyUncompressedWithLimit(x.rules.maxErrorBody)
	return body, err == nil
}

func (x *exchange) answerField(name string) []byte {
	for i := range x.answer.Fields {
		if f := &x.answer.Fields[i]; len(f.Name) == len(name) && hasPrefixFold(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// sign adds what every answer carries, whoever gave it: its id, the state of
// the limit it came nearest to, and when to try again.
func (x *exchange) sign() {
	h := &x.ctx.Response.Header
	h.AddBytesKV(headerRequestID, x.id)
	x.signLimit()
	if x.status == fasthttp.StatusTooManyRequests || x.status == fasthttp.StatusServiceUnavailable {
		if x.refused || len(h.Peek(fasthttp.HeaderRetryAfter)) == 0 {
			x.value = strconv.AppendInt(x.value[:0], int64(max(1, x.refusal.RetryAfter)), 10)
			h.SetBytesKV(headerRetryAfter, x.value)
		}
	}
	if x.hangUp || x.g.draining.Load() {
		x.ctx.SetConnectionClose()
	}
}

var (
	headerRequestID  = []byte("X-Request-ID")
	headerRetryAfter = []byte("Retry-After")
	headerPolicy     = []byte("RateLimit-Policy")
	headerRateLimit  = []byte("RateLimit")
	headerLimit      = []byte("X-RateLimit-Limit")
	headerRemaining  = []byte("X-RateLimit-Remaining")
	headerReset      = []byte("X-RateLimit-Reset")
)
