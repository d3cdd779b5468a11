package apierror

import "encoding/json"

// The functions below walk JSON that json.Valid has accepted; they rely on it
// and check nothing themselves. They keep offsets instead of values, so that
// what is not touched is copied byte for byte.

// span is where a value stands in a body. The zero span is absent: no member's
// value stands at offset 0.
type span struct{ start, end int }

func (s span) absent() bool          { return s.end == 0 }
func (s span) of(body []byte) []byte { return body[s.start:s.end] }

func (s span) isString(body []byte) bool { return !s.absent() && body[s.start] == '"' }
func (s span) isObject(body []byte) bool { return !s.absent() && body[s.start] == '{' }

// isText reports whether the value is a string that is not empty.
func (s span) isText(body []byte) bool { return s.isString(body) && s.end-s.start > len(`""`) }

// lookup returns the last member called name of the object that opens at open,
// and how many members are called so.
func lookup(body []byte, open int, name string) (last span, count int) {
	at := skipSpace(body, open+1)
	for body[at] != '}' {
		key := span{at, skipString(body, at)}
		at = skipSpace(body, key.end) + 1 // past the colon
		at = skipSpace(body, at)
		value := span{at, skipValue(body, at)}
		if isName(key.of(body), name) {
			last, count = value, count+1
		}
		at = skipSpace(body, value.end)
		if body[at] == ',' {
			at = skipSpace(body, at+1)
		}
	}
	return last, count
}

// isName compares a quoted name, which may hold escapes.
func isName(quoted []byte, name string) bool {
	if string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	for _, c := range quoted {
		if c == '\\' {
			var plain string
			return json.Unmarshal(quoted, &plain) == nil && plain == name
		}
	}
	return false
}

// isEmpty reports whether the object that opens at open has no member.
func isEmpty(body []byte, open int) bool { return body[skipSpace(body, open+1)] == '}' }

func skipSpace(body []byte, at int) int {
	for body[at] == ' ' || body[at] == '\t' || body[at] == '\r' || body[at] == '\n' {
		at++
	}
	return at
}

// skipString returns the offset after the string that starts at at.
func skipString(body []byte, at int) int {
	for at++; body[at] != '"'; at++ {
		if body[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// skipValue returns the offset after the value that starts at at.
func skipValue(body []byte, at int) int {
	depth := 0
	for {
		switch body[at] {
		case '"':
			at = skipString(body, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		default:
			at = skipPlain(body, at)
		}
		if depth == 0 {
			return at
		}
	}
}

// skipPlain returns the offset after a number, a literal, or the punctuation
// and white space between values; at least one byte.
func skipPlain(body []byte, at int) int {
	for at++; at < len(body); at++ {
		switch body[at] {
		case '"', '{', '[', '}', ']', ',', ' ', '\t', '\r', '\n':
			return at
		}
	}
	return at
}
