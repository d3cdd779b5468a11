package proxy

import "bytes"

// route is the closed set of route names, used as a metric label.
type route uint8

const (
	routeOther                route = iota
	routeMessages                   // /v2/messages
	routeConversationMessages       // /v2/conversations/{id}/messages
	routeConversations              // /v2/conversations
	routeAuthToken                  // /v2/auth/token
	routeWebhook                    // our own endpoint
	routeUnread                     // the request could not be understood
	routeCount
)

var routeNames = [routeCount]string{
	"other", "messages", "conversation_messages", "conversations", "auth_token", "webhook", "unread",
}

// String is the route's metric label.
func (r route) String() string { return routeNames[r] }

const (
	badRoute problem = "The path could be read as a route that creates messages, but its spelling is ambiguous. Send it plainly, for example /v2/messages or /v2/conversations/{id}/messages."
	badID    problem = "The conversation id in the path must be 1 to 64 letters, digits, hyphens or underscores."
)

// routed is what the path of a request was recognised as.
type routed struct {
	route        route
	conversation []byte // decoded id of routeConversationMessages, borrowed
}

// recognise finds the route of a raw path in every spelling that a usual router
// (Express, Koa, Fastify) would accept for it: any case, one trailing slash,
// percent-encoded letters. A spelling that only some router, or a proxy before
// it, could read as a route that creates messages (double slashes, dot
// segments, encoded slashes, parameters, double encoding) is a problem, so that
// what was judged is what is served. Decoded bytes go to scratch, which is
// returned for reuse.
func recognise(path, scratch []byte) (routed, []byte, problem) {
	scratch = scratch[:0]
	exact, scratch := match(path, scratch)
	if exact.route == routeConversationMessages && !isID(exact.conversation) {
		return exact, scratch, badID
	}
	if !exact.route.createsMessages() && !isPlain(path) {
		if loose, _ := match(loosen(path), nil); loose.route.createsMessages() {
			return exact, scratch, badRoute
		}
	}
	return exact, scratch, ""
}

// match compares a path's segments, decoded once, without regard to case and to
// one trailing slash.
func match(path, scratch []byte) (routed, []byte) {
	var segments [4][]byte
	n := 0
	rest := bytes.TrimPrefix(path, []byte{'/'})
	if len(rest) > 0 && rest[len(rest)-1] == '/' {
		rest = rest[:len(rest)-1]
	}
	for more := true; more; n++ {
		if n == len(segments) {
			return routed{}, scratch
		}
		var segment []byte
		segment, rest, more = bytes.Cut(rest, []byte{'/'})
		segments[n], scratch = unescape(segment, scratch)
	}
	return matchSegments(segments[:n]), scratch
}

func matchSegments(s [][]byte) routed {
	if len(s) < 2 || !equalFold(s[0], []byte("v2")) {
		return routed{}
	}
	switch {
	case len(s) == 2 && equalFold(s[1], []byte("messages")):
		return routed{route: routeMessages}
	case len(s) == 2 && equalFold(s[1], []byte("conversations")):
		return routed{route: routeConversations}
	case len(s) == 4 && equalFold(s[1], []byte("conversations")) && equalFold(s[3], []byte("messages")):
		return routed{route: routeConversationMessages, conversation: s[2]}
	case len(s) == 3 && equalFold(s[1], []byte("auth")) && equalFold(s[2], []byte("token")):
		return routed{route: routeAuthToken}
	}
	return routed{}
}

// isPlain reports whether a path has but one reading, whoever normalises it.
func isPlain(path []byte) bool {
	for i, c := range path {
		switch c {
		case '%', ';':
			return false
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

// loosen reads a path as the most forgiving chain of proxies and routers might:
// decoded until nothing is left to decode, parameters cut off, empty and dot
// segments resolved.
func loosen(path []byte) []byte {
	p := append([]byte(nil), path...)
	for bytes.IndexByte(p, '%') >= 0 {
		next, _ := unescape(p, nil)
		if len(next) == len(p) {
			break
		}
		p = next
	}
	out := make([]byte, 0, len(p))
	for segment := range bytes.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		segment, _, _ = bytes.Cut(segment, []byte{';'})
		switch string(bytes.TrimSpace(segment)) {
		case "", ".":
		case "..":
			out = out[:max(0, bytes.LastIndexByte(out, '/'))]
		default:
			out = append(append(out, '/'), bytes.TrimSpace(segment)...)
		}
	}
	return out
}

// unescape decodes the valid percent-escapes of b once. It returns b itself
// when there are none, else a part of dst, and dst for the next call.
func unescape(b, dst []byte) (decoded, newDst []byte) {
	if bytes.IndexByte(b, '%') < 0 {
		return b, dst
	}
	start := len(dst)
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && isEscape(b[i:]) {
			dst = append(dst, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		dst = append(dst, b[i])
	}
	return dst[start:len(dst):len(dst)], dst
}

// createsMessages reports whether a POST to the route creates messages.
func (r route) createsMessages() bool {
	return r == routeMessages || r == routeConversationMessages || r == routeConversations
}

// isID reports whether b is an identifier as ChatShipper writes them, with room
// for other systems' ids: ^[A-Za-z0-9_-]{1,64}$.
func isID(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (lower(c) < 'a' || lower(c) > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 64
}
