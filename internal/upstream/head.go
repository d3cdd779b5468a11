package upstream

import (
	"bytes"
	"math"
	"time"

	"github.com/chatshipper/gateway/internal/http1"
)

// framing is what a head says about the body and the connection.
type framing struct {
	length    int64 // Content-Length; Undeclared when there is none
	chunked   bool
	http10    bool
	close     bool  // Connection: close
	keepAlive bool  // Connection: keep-alive
	nominates bool  // has a Connection field
	dated     bool  // has a Date
	events    bool  // an event stream
	patience  int64 // for how long the upstream may be kept waiting for the next request, ns; 0 when it did not say
}

const (
	errVersion      = http1.MalformedError("not HTTP/1.0 or HTTP/1.1")
	errBareLF       = http1.MalformedError("line feed without carriage return")
	errStatusLine   = http1.MalformedError("bad status line")
	errStatus       = http1.MalformedError("status is not a number from 100 to 599")
	errName         = http1.MalformedError("bad header name, or a folded header line")
	errValue        = http1.MalformedError("control character in a header value")
	errTooMany      = http1.MalformedError("more than 200 header lines")
	errLength       = http1.MalformedError("Content-Length is not one plain number")
	errCoding       = http1.MalformedError("Transfer-Encoding is not the one word chunked")
	errBothFramings = http1.MalformedError("both Content-Length and Transfer-Encoding")
	errCoding10     = http1.MalformedError("Transfer-Encoding in an HTTP/1.0 answer")
	errInterim      = http1.MalformedError("interim answer with a body")
)

// parse reads a head, from the status line to the blank line, into r, whose Fields
// point into it.
func (r *Response) parse(block []byte) (f framing, err error) {
	r.Fields = r.Fields[:0]
	f.length = Undeclared
	line, rest, err := cutLine(block)
	if err != nil {
		return f, err
	}
	if r.Status, f.http10, err = parseStatusLine(line); err != nil {
		return f, err
	}
	for {
		if line, rest, err = cutLine(rest); err != nil {
			return f, err
		}
		if len(line) == 0 {
			r.Nominates = f.nominates
			return f, f.check(r.Status)
		}
		if err = r.addField(line, &f); err != nil {
			return f, err
		}
	}
}

// addField reads one header line.
func (r *Response) addField(line []byte, f *framing) error {
	field, err := parseField(line)
	if err != nil {
		return err
	}
	if len(r.Fields) == maxFields {
		return errTooMany
	}
	repeated, err := f.take(field)
	if err != nil || repeated {
		return err
	}
	r.Fields = append(r.Fields, field)
	return nil
}

// check judges what only the whole head can tell.
func (f *framing) check(status int) error {
	switch {
	case f.chunked && f.length >= 0:
		return errBothFramings
	case f.chunked && f.http10:
		return errCoding10
	case status < 200 && (f.chunked || f.length > 0):
		return errInterim
	}
	return nil
}

// cutLine returns the line that b begins with, without its end, and the rest.
func cutLine(b []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, errBareLF
	}
	return b[:i-1], b[i+1:], nil
}

// parseStatusLine reads "HTTP/1.1 200 OK", whose text, and the space before it,
// may be missing.
func parseStatusLine(line []byte) (status int, http10 bool, err error) {
	const digits = len("HTTP/1.1 ")
	if len(line) < digits || !bytes.HasPrefix(line, version) || line[7] != '1' && line[7] != '0' || line[8] != ' ' {
		return 0, false, errVersion
	}
	text := line[digits:]
	if len(text) < 3 || len(text) > 3 && text[3] != ' ' || !http1.IsFieldValue(text) {
		return 0, false, errStatusLine
	}
	for _, d := range text[:3] {
		if d < '0' || d > '9' {
			return 0, false, errStatus
		}
		status = status*10 + int(d-'0')
	}
	if status < 100 || status > 599 {
		return 0, false, errStatus
	}
	return status, line[7] == '0', nil
}

// parseField reads "Name: value". Space before the colon, a folded line and an
// empty name are refused, because parsers disagree about them.
func parseField(line []byte) (Field, error) {
	n := 0
	for n < len(line) && http1.IsTokenByte(line[n]) {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return Field{}, errName
	}
	value := http1.Trim(line[n+1:])
	if !http1.IsFieldValue(value) {
		return Field{}, errValue
	}
	return Field{Name: line[:n:n], Value: value[:len(value):len(value)]}, nil
}

// take learns from a field. It reports whether the field only repeats one.
func (f *framing) take(field Field) (repeated bool, err error) {
	switch len(field.Name) {
	case len("Date"):
		f.dated = f.dated || is(field.Name, "date")
	case len("Connection"):
		if is(field.Name, "connection") {
			f.nominates = true
			f.takeConnection(field.Value)
		} else if is(field.Name, "keep-alive") {
			f.patience = patience(field.Value)
		}
	case len("Content-Type"):
		if is(field.Name, "content-type") {
			f.events = f.events || isEvents(field.Value)
		}
	case len("Content-Length"):
		if is(field.Name, "content-length") {
			return f.takeLength(field.Value)
		}
	case len("Transfer-Encoding"):
		if is(field.Name, "transfer-encoding") {
			if f.chunked || !is(field.Value, "chunked") {
				return false, errCoding
			}
			f.chunked = true
		}
	}
	return false, nil
}

func (f *framing) takeConnection(value []byte) {
	for len(value) > 0 {
		var word []byte
		word, value, _ = bytes.Cut(value, comma)
		word = http1.Trim(word)
		f.close = f.close || is(word, "close")
		f.keepAlive = f.keepAlive || is(word, "keep-alive")
	}
}

// takeLength accepts a second Content-Length only when it says the same.
func (f *framing) takeLength(value []byte) (repeated bool, err error) {
	n, ok := parseDigits(value)
	if !ok || f.length >= 0 && f.length != n {
		return false, errLength
	}
	repeated, f.length = f.length >= 0, n
	return repeated, nil
}

var comma = []byte{','}

// patience reads the timeout of "Keep-Alive: timeout=5, max=100" and keeps four
// fifths of it: a request that leaves at the last moment arrives too late.
func patience(value []byte) int64 {
	for len(value) > 0 {
		var word []byte
		word, value, _ = bytes.Cut(value, comma)
		word = http1.Trim(word)
		const key = "timeout="
		if len(word) <= len(key) || !is(word[:len(key)], key) {
			continue
		}
		if n, ok := parseDigits(word[len(key):]); ok && n <= int64(time.Hour/time.Second) {
			return max(n*int64(time.Second)*4/5, 1)
		}
	}
	return 0
}

func isEvents(value []byte) bool {
	const events = "text/event-stream"
	return len(value) >= len(events) && is(value[:len(events)], events) &&
		(len(value) == len(events) || !http1.IsTokenByte(value[len(events)]))
}

// parseDigits reads plain digits: no sign, no space, nothing beyond int64.
func parseDigits(b []byte) (n int64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// is compares b with a word in lower case, whatever the case of b. The word has
// only letters, "-", "/" and "=", which no other byte folds to.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
