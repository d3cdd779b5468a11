package proxy

import "github.com/chatshipper/gateway/internal/http1"

// The small byte predicates of RFC 9110. They work on ASCII only, which is all
// that a header name, a method or a scheme may hold, and allocate nothing.

// tokenBytes are those of which every parser reads a header name alike: an RFC 9110
// token without the underscore, which some servers read as a hyphen.
var tokenBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = http1.IsTokenByte(byte(c)) && c != '_'
	}
	return t
}()

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) < 19
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func hasPrefixFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(b[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= lower(c) && lower(c) <= 'f':
		return int(lower(c)-'a') + 10
	}
	return -1
}
