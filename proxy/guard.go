package proxy

import (
	"bytes"
	"errors"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/http1"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/loopguard"
)

// guard reads the messages of a request that creates some, and reserves their
// places when a bot sends them. A body that can't be read as a Node.js upstream
// would read it is refused, whoever sent it: what was judged is what is served.
func (x *exchange) guard() bool {
	if x.method != methodPost || !x.routed.route.createsMessages() {
		return true
	}
	if !x.readMessages() {
		return false
	}
	x.introspect()
	if x.who.Role != identity.Bot || x.routed.route == routeConversations {
		return true // embedded messages count once the answer says where they went
	}
	x.verdict = x.g.guard.Reserve(x.now, x.rules.guard, x.sender(), x.batch.Messages, &x.reserved)
	if x.verdict.Unavailable {
		return x.refuseWith(withoutStore)
	}
	x.judged, x.held = true, x.verdict.Admitted
	x.g.metrics.countMessages(&x.verdict)
	x.g.metrics.countMessageTrials(x.verdict.Trials)
	x.overhear()
	if x.verdict.Admitted {
		return true
	}
	x.noteMessages()
	return x.refuseWith(MessageRefusal(&x.verdict))
}

// readMessages fills the batch from the request's body, or refuses the request.
func (x *exchange) readMessages() bool {
	if !x.receive(int64(x.rules.maxGuardedBody)) {
		return false
	}
	body := x.body
	if !x.whole {
		return x.uninspected(uninspectedTooLarge, apierror.Error{Code: apierror.PayloadTooLarge})
	}
	if encoding := x.fields.get(fieldContentEncoding); len(encoding) > 0 && !equalFold(encoding, []byte("identity")) {
		return x.uninspected(uninspectedEncoding, apierror.Error{
			Code:    apierror.UnsupportedEncoding,
			Message: "Messages can't be inspected in this Content-Encoding; send the body uncompressed.",
		})
	}
	if !isJSON(x.fields.get(fieldContentType)) {
		return x.uninspected(uninspectedType, apierror.Error{
			Code:    apierror.UnsupportedEncoding,
			Message: "Messages can only be inspected as JSON in UTF-8; send Content-Type: application/json.",
		})
	}
	var err error
	if x.routed.route == routeConversations {
		err = x.rules.reader.ReadEmbedded(&x.batch, body)
	} else {
		err = x.rules.reader.Read(&x.batch, body, x.routed.conversation)
	}
	if err != nil {
		return x.uninspected(uninspectedJSON, ReadRefusal(err))
	}
	x.read = true
	return true
}

func (x *exchange) uninspected(why uninspected, e apierror.Error) bool {
	x.g.metrics.uninspected[why].Inc()
	return x.refuseWith(e)
}

// readFault is the sentence for a client whose body could not be read. Only the
// reader's own sentences go out: they never hold text of a message.
func readFault(err error) string {
	var fault *loopguard.ReadError
	if errors.As(err, &fault) {
		return "The request body can't be read as a message: " + fault.Error() + "."
	}
	return "The request body can't be read as a message."
}

// isJSON reports whether a Content-Type is JSON in UTF-8. A missing one is read
// as JSON: the guard judges the body either way, and refuses what is none.
func isJSON(contentType []byte) bool {
	if len(contentType) == 0 {
		return true
	}
	kind, params, _ := bytes.Cut(contentType, []byte{';'})
	kind = http1.Trim(kind)
	if !equalFold(kind, []byte("application/json")) &&
		(!hasPrefixFold(kind, "application/") || len(kind) < 5 || !equalFold(kind[len(kind)-5:], []byte("+json"))) {
		return false
	}
	for len(params) > 0 {
		var param []byte
		param, params, _ = bytes.Cut(params, []byte{';'})
		name, value, _ := bytes.Cut(http1.Trim(param), []byte{'='})
		value = bytes.Trim(value, `"`)
		if equalFold(name, []byte("charset")) && !equalFold(value, []byte("utf-8")) && !equalFold(value, []byte("utf8")) {
			return false
		}
	}
	return true
}
