package accesslog

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/chatshipper/gateway/internal/digest"
)

// Format is how a line is written.
type Format uint8

// JSON is an object per line; Text is name=value pairs for people.
const (
	JSON Format = iota
	Text
)

// line builds one line of either format. Its buffer is reused.
type line struct {
	b      []byte
	format Format
	begun  bool

	clientIP bool // Options.ClientIP
}

// open begins a new line.
func (l *line) open() {
	l.b, l.begun = l.b[:0], false
	if l.format == JSON {
		l.b = append(l.b, '{')
	}
}

func (l *line) close() {
	if l.format == JSON {
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, '\n')
}

func (l *line) name(name string) {
	separator := byte(',')
	if l.format == Text {
		separator = ' '
	}
	if l.begun {
		l.b = append(l.b, separator)
	}
	l.begun = true
	if l.format == Text {
		l.b = append(append(l.b, name...), '=')
		return
	}
	l.b = append(append(append(l.b, '"'), name...), `":`...)
}

// word writes a value that needs no escaping.
func (l *line) word(name, value string) {
	l.name(name)
	if l.format == Text {
		l.b = append(l.b, value...)
		return
	}
	l.b = append(append(append(l.b, '"'), value...), '"')
}

func (l *line) number(name string, n int64) {
	l.name(name)
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *line) optionalNumber(name string, n int64) {
	if n != 0 {
		l.number(name, n)
	}
}

func (l *line) milliseconds(name string, ns int64) {
	l.name(name)
	l.b = appendMilliseconds(l.b, ns)
}

func (l *line) digest(name string, id digest.ID) {
	if id.IsZero() {
		return
	}
	l.name(name)
	if l.format == Text {
		l.b = id.AppendShort(l.b)
		return
	}
	l.b = append(id.AppendShort(append(l.b, '"')), '"')
}

// address writes an address, which needs no escaping.
func (l *line) address(name string, a netip.Addr) {
	l.name(name)
	if l.format == Text {
		l.b = a.AppendTo(l.b)
		return
	}
	l.b = append(a.AppendTo(append(l.b, '"')), '"')
}

// text writes a value that may hold anything.
func text[T string | []byte](l *line, name string, value T) {
	l.name(name)
	if l.format == Text && isPlain(value) {
		l.b = append(l.b, value...)
		return
	}
	l.b = appendQuoted(l.b, value)
}

func optional[T string | []byte](l *line, name string, value T) {
	if len(value) > 0 {
		text(l, name, value)
	}
}

// isPlain reports whether a value of the text format needs no quotes.
func isPlain[T string | []byte](value T) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\' {
			return false
		}
	}
	return len(value) > 0
}

// appendQuoted appends a JSON string. What is not UTF-8 becomes U+FFFD, and
// control characters (C1 and the line separators too, which some terminals and
// log readers obey) are escaped.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			dst = appendRune(dst, r)
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = appendEscape(dst, rune(c))
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendRune(dst []byte, r rune) []byte {
	if r < 0xa0 || r == '\u2028' || r == '\u2029' {
		return appendEscape(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

// appendEscape appends a character below U+10000 as \uXXXX.
func appendEscape(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
