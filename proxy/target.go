package proxy

import (
	"bytes"
	"strings"
)

const (
	badTarget    problem = "The request target is malformed: it must be a path in ASCII without control characters, backslash, fragment, %00 or broken percent-encoding."
	badAuthority problem = "The request target names another host than the Host header, or holds user information."
	badHost      problem = "The Host header is missing or malformed."
)

// originForm checks a raw request target and returns it in origin form (path
// and query as the client wrote them). An absolute-form target must name the
// same host as the Host header: otherwise the gateway and the upstream could
// each obey another of the two.
func originForm(target, host []byte) ([]byte, problem) {
	if len(target) == 1 && target[0] == '*' {
		return target, ""
	}
	if len(target) > 0 && target[0] != '/' {
		authority, rest, ok := splitAbsolute(target)
		if !ok {
			return nil, badTarget
		}
		if len(authority) == 0 || bytes.IndexByte(authority, '@') >= 0 || (host != nil && !equalFold(authority, host)) {
			return nil, badAuthority
		}
		target = rest
	}
	if !isTarget(target) {
		return nil, badTarget
	}
	return target, ""
}

func splitAbsolute(target []byte) (authority, rest []byte, ok bool) {
	switch {
	case hasPrefixFold(target, "http://"):
		target = target[len("http://"):]
	case hasPrefixFold(target, "https://"):
		target = target[len("https://"):]
	default:
		return nil, nil, false
	}
	end := bytes.IndexAny(target, "/?#")
	if end < 0 {
		return target, []byte("/"), true
	}
	if target[end] != '/' {
		return nil, nil, false // a query without a path has two readings
	}
	return target[:end], target[end:], true
}

// isTarget reports whether the target's bytes have one reading only: no control
// character, space, backslash, fragment or byte beyond ASCII, and whole
// percent-escapes that don't hide a NUL, in the path and in the query alike.
// Node.js takes a byte beyond ASCII for no HTTP at all and closes the connection;
// under Fastify it doesn't say so, and another client's request would be lost on
// it.
func isTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	seen := targetByte(0)
	for _, c := range target {
		seen |= targetBytes[c]
	}
	return seen&notInTarget == 0 && (seen&escapes == 0 || areEscapes(target))
}

// targetByte is what there is to know of a byte in a target.
type targetByte uint8

const (
	notInTarget targetByte = 1 << iota
	escapes
)

var targetBytes = func() (t [256]targetByte) {
	for c := range t {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			t[c] = notInTarget
		}
	}
	t['%'] = escapes
	return t
}()

// areEscapes reports whether every % in b begins a whole escape.
func areEscapes(b []byte) bool {
	for i, c := range b {
		if c == '%' && !isEscape(b[i:]) {
			return false
		}
	}
	return true
}

// isEscape reports whether b starts with a whole %XX that is not %00.
func isEscape(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	hi, lo := unhex(b[1]), unhex(b[2])
	return hi >= 0 && lo >= 0 && hi|lo != 0
}

// isHost reports whether b is a host with an optional port: no user
// information, no white space, no path.
func isHost(b []byte) bool {
	for _, c := range b {
		if notInHost[c] {
			return false
		}
	}
	return len(b) > 0
}

var notInHost = func() (t [256]bool) {
	for c := range t {
		t[c] = c <= ' ' || c >= 0x7f || strings.IndexByte(`/\?#@"<>^{|}%,;`, byte(c)) >= 0
	}
	return t
}()
