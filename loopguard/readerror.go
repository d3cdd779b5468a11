package loopguard

import (
	"strconv"
	"unicode/utf8"
)

// ReadError says why a body can't be read as messages, in words that may go to
// the client: it never holds text of a message.
type ReadError struct {
	Problem string // such as `duplicate key "text"`
	Offset  int    // in bytes from the start of the body
}

// Error is the sentence for the client, such as `duplicate key "text" at byte 31`.
func (e *ReadError) Error() string { return e.Problem + " at byte " + strconv.Itoa(e.Offset) }

func (p *parser) fail(problem string) error { return p.failAt(p.pos, problem) }

func (p *parser) failAt(offset int, problem string) error {
	return &ReadError{Problem: problem, Offset: offset}
}

// unexpected is the error for a byte that JSON doesn't allow where it stands.
func (p *parser) unexpected() error {
	if p.pos >= len(p.in) {
		return p.fail("unexpected end")
	}
	return p.fail("unexpected character")
}

// longestNamed is how long a key may be, in bytes, to be named in an error. A
// longer one is no field's name but may be a message's text.
const longestNamed = 32

func duplicate(key []byte, offset int) error {
	problem := "duplicate key"
	if len(key) <= longestNamed {
		problem += " " + strconv.QuoteToASCII(string(key))
	}
	return &ReadError{Problem: problem, Offset: offset}
}

// invalidUTF8 finds the first byte that is no UTF-8.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}
