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
	x.status = x.refusal.HTTPStatus()
	o := &x.own
	if problem := apierror.WantsProblem(x.fields.get(fieldAccept)); o.body == nil || o.refusal != x.refusal || o.problem != problem {
		o.write(&x.refusal, problem)
	}
	contentType := jsonType
	if o.problem {
		contentType = problemType
	}
	x.reply.add(headerContentType, contentType)
	x.reply.body, x.bytesOut = o.body, int64(len(o.body))
	switch x.refusal.Code {
	case apierror.MethodNotAllowed:
		x.reply.add([]byte(fasthttp.HeaderAllow), []byte(x.rules.methods.allowHeader(x.path)))
	case apierror.Unauthenticated:
		x.reply.add([]byte(fasthttp.HeaderWWWAuthenticate), []byte(x.challenge()))
	}
}

// own is an error of ours as it was written last: in a flood of refusals each is like
// the one before.
type own struct {
	refusal apierror.Error
	problem bool // as application/problem+json
	body    []byte
}

func (o *own) write(e *apierror.Error, problem bool) {
	o.refusal, o.problem = *e, problem
	if problem {
		o.body = e.AppendProblem(o.body[:0])
	} else {
		o.body = e.AppendJSON(o.body[:0])
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
	if changed { // else it is the upstream's body itself
		x.replacement = replacement
	}
	if x.answer.Stream != nil {
		_ = x.answer.Stream.Close()
		x.answer.Stream = nil
	}
	if (readable && !changed) || x.method == methodHead {
		if !apierror.IsJSON(x.answerField("Content-Type")) {
			x.setContentType()
		}
		x.pass()
		return
	}
	x.replaced = true
	x.answer.Body = append(x.answer.Body[:0], replacement...)
	x.answer.ContentLength = int64(len(replacement))
	x.pass()
	x.reply.add(headerContentType, jsonType)
}

// setContentType calls an error in our shape what it is.
func (x *exchange) setContentType() {
	for i := range x.answer.Fields {
		if f := &x.answer.Fields[i]; equalFold(f.Name, headerContentType) {
			f.Value = jsonType
			return
		}
	}
	x.reply.add(headerContentType, jsonType)
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
	x.reply.add(headerRequestID, x.id)
	x.signLimit()
	if x.status == fasthttp.StatusTooManyRequests || x.status == fasthttp.StatusServiceUnavailable {
		if x.refused || !x.reply.retries {
			x.value = strconv.AppendInt(x.value[:0], int64(max(1, x.refusal.RetryAfter)), 10)
			x.reply.add(headerRetryAfter, x.value)
		}
	}
}

var (
	headerContentType = []byte("Content-Type")
	jsonType          = []byte(apierror.ContentType)
	problemType       = []byte(apierror.ContentTypeProblem)
	headerRequestID   = []byte("X-Request-ID")
	headerRetryAfter  = []byte("Retry-After")
	headerPolicy      = []byte("RateLimit-Policy")
	headerRateLimit   = []byte("RateLimit")
	headerLimit       = []byte("X-RateLimit-Limit")
	headerRemaining   = []byte("X-RateLimit-Remaining")
	headerReset       = []byte("X-RateLimit-Reset")
)
