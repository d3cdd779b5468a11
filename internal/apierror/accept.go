package apierror

import (
	"bytes"
	"strings"
)

// WantsProblem reports whether an Accept field asks for application/problem+json
// by name, with a quality above 0 that is not below the one it gives
// application/json by name. A wildcard asks for nothing. It allocates nothing.
func WantsProblem(accept []byte) bool {
	problem, plain := -1, -1 // qualities in thousandths; -1 means not named
	for len(accept) > 0 {
		var item []byte
		item, accept = cutUnquoted(accept, ',')
		name, params := cutUnquoted(item, ';')
		switch name = bytes.TrimSpace(name); {
		case equalFold(name, ContentTypeProblem):
			problem = max(problem, quality(params))
		case equalFold(name, ContentType):
			plain = max(plain, quality(params))
		}
	}
	return problem > 0 && problem >= plain
}

// quality reads the parameter q, in thousandths. No q means 1; one that is no
// number between 0 and 1 takes the range out of consideration.
func quality(params []byte) int {
	for len(params) > 0 {
		var param []byte
		param, params = cutUnquoted(params, ';')
		name, value, ok := bytes.Cut(bytes.TrimSpace(param), []byte{'='})
		if ok && equalFold(name, "q") {
			return thousandths(value)
		}
	}
	return 1000
}

// thousandths reads a qvalue of RFC 9110: 0 or 1 with up to three decimals.
func thousandths(b []byte) int {
	if len(b) == 0 || len(b) > len("0.000") || b[0] < '0' || b[0] > '1' || (len(b) > 1 && b[1] != '.') {
		return -1
	}
	n, unit := int(b[0]-'0')*1000, 100
	for _, c := range b[min(2, len(b)):] {
		if c < '0' || c > '9' {
			return -1
		}
		n += int(c-'0') * unit
		unit /= 10
	}
	if n > 1000 {
		return -1
	}
	return n
}

// cutUnquoted cuts b at the first sep outside a quoted string.
func cutUnquoted(b []byte, sep byte) (before, after []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == sep && !quoted:
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// equalFold compares ASCII without regard to case; s is in lower case.
func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s) // at most 24 bytes: the copy stays on the stack
}

// IsJSON reports whether a Content-Type already is what an error of ours
// promises: application/json, with no charset or with UTF-8. Every other error
// must be given that type, even when its body passes byte for byte.
func IsJSON(contentType []byte) bool {
	name, params := cutUnquoted(contentType, ';')
	if !equalFold(bytes.TrimSpace(name), ContentType) {
		return false
	}
	for len(params) > 0 {
		var param []byte
		param, params = cutUnquoted(params, ';')
		name, value, _ := bytes.Cut(bytes.TrimSpace(param), []byte{'='})
		if equalFold(name, "charset") && !equalFold(bytes.Trim(value, `"`), "utf-8") {
			return false
		}
	}
	return true
}
