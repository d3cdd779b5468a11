package proxy

import (
	"bytes"
	"net/netip"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// What the corridor makes of values, without a connection: a request's path, a
// decision, a settled message. The corridor itself and whoever rehearses it in
// virtual time call the same functions, so that the two can't come apart.

// Target is what the rules know of a request's method and path.
type Target struct {
	Route          string // the metric label
	Path           []byte // the target without its query
	CreatesMessage bool   // its body holds messages that a limit may count
	Embedded       bool   // they stand inside a new conversation
	IsToken        bool   // POST /v2/auth/token, where the gateway never answers 401
	Conversation   []byte // decoded, when the path names it
	Problem        string // why the request is refused as ambiguous; empty when it is not
}

// TargetOf reads a method and a request target (path and query) as the corridor
// does.
func TargetOf(methodName, target string) Target {
	origin, p := originForm([]byte(target), nil)
	if p != "" {
		return Target{Problem: string(p)}
	}
	path, _, _ := bytes.Cut(origin, []byte{'?'})
	m := methodOf([]byte(methodName))
	routed, _, p := recognise(path, nil)
	t := Target{
		Route: routed.route.String(), Path: path, Conversation: routed.conversation,
		CreatesMessage: m == methodPost && routed.route.createsMessages(),
		Embedded:       routed.route == routeConversations, IsToken: routed.route == routeAuthToken,
	}
	if m == methodPost {
		t.Problem = string(p)
	}
	return t
}

// RequestHits is what the request limits count a request by. limited is false
// for one that is exempt from them.
func RequestHits(r *limiter.Rules, client netip.Addr, path []byte, who *identity.Who, recent *limiter.Recent) (ip, key limiter.Hit, limited bool) {
	if r.ExemptAddr(client) || r.ExemptPath(path) {
		return ip, key, false
	}
	if !who.Key.IsZero() {
		key = r.Key(who.Key, &who.SHA256, who.UserID, who.Verified)
	}
	return r.IPAgain(client, recent), key, true
}

// RequestRefusal is the answer to a request that a request limit refused.
func RequestRefusal(d *limiter.Decision) apierror.Error {
	state := &d.States[d.Refused]
	code := apierror.RateLimitedIP
	if d.Refused == limiter.PerKey {
		code = apierror.RateLimitedKey
	}
	return apierror.RateLimited(code, state.Limit.Requests, state.Limit.Window, state.Wait)
}

// MessageRefusal is the answer to a request whose messages a limit refused.
func MessageRefusal(d *loopguard.Decision) apierror.Error {
	refusal := apierror.Consecutive
	if d.Refused == loopguard.Identical {
		refusal = apierror.Identical
	}
	state := &d.States[d.Refused]
	return refusal(state.Limit.Messages, state.Used, state.Limit.Window, state.Wait, d.TooMany)
}

// KeyRefusal is the answer to a request whose API key is missing or no good.
func KeyRefusal(f identity.Failure) apierror.Error {
	if f == identity.Unavailable {
		return apierror.Error{Code: apierror.UpstreamUnavailable, Message: f.String(), RetryAfter: 1}
	}
	return apierror.Error{Code: apierror.Unauthenticated, Message: f.String()}
}

// MethodRules are the `methods:` block, compiled.
type MethodRules struct{ methods methods }

// CompileMethods compiles a valid block.
func CompileMethods(cfg Methods) *MethodRules { return &MethodRules{compileMethods(cfg)} }

// Refuses reports whether a method is not allowed on a path, and the answer.
func (m *MethodRules) Refuses(name string, path []byte) (apierror.Error, bool) {
	k := methodOf([]byte(name))
	if m.methods.allowed(k, []byte(name), path) {
		return apierror.Error{}, false
	}
	return m.methods.refusal(k, path), true
}

// refusal is the answer to a method that is not allowed on a path.
func (m *methods) refusal(k method, path []byte) apierror.Error {
	e := apierror.Error{Code: apierror.MethodNotAllowed}
	if k != methodPut {
		e.Message = "This method is not supported here. The API takes " + m.allowHeader(path) + "."
	}
	return e
}

// ReadRefusal is the answer to a body that the guard can't read.
func ReadRefusal(err error) apierror.Error {
	return apierror.Error{Code: apierror.InvalidRequest, Message: readFault(err)}
}

// EachReply calls f for every conversation in which confirmed messages of a
// sender are a reply: all that a person wrote, and what a bot wrote that carried
// a consumer's words.
func EachReply(messages []loopguard.Message, role identity.Role, f func(m *loopguard.Message)) {
	var last digest.ID
	for i := range messages {
		m := &messages[i]
		if (role == identity.Bot && !m.Contact) || (i > 0 && m.Conversation == last) {
			continue
		}
		last = m.Conversation
		f(m)
	}
}

// AuthorOf is who a reply is from: nobody in particular when it is a person.
func AuthorOf(who *identity.Who) digest.ID {
	if who.Role == identity.Bot {
		return who.User
	}
	return digest.ID{}
}
