package apierror

import (
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the error in the shape that every client of the API
// reads: a top-level message and status, and an error object with the code, the
// message again (where ChatShipper's SDK looks for it) and, for a refusal, the
// rule's numbers. It allocates nothing when dst has room.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"message":`...)
	start := len(dst)
	dst = e.appendQuotedMessage(dst)
	end := len(dst)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(e.HTTPStatus()), 10)
	dst = e.appendErrorObject(dst, start, end)
	return append(dst, '}')
}

// appendErrorObject appends the error member. The quoted message already
// stands in dst[start:end].
func (e *Error) appendErrorObject(dst []byte, start, end int) []byte {
	dst = append(dst, `,"error":{"code":"`...)
	dst = append(dst, e.Code.String()...)
	dst = append(dst, `","message":`...)
	dst = append(dst, dst[start:end]...)
	dst = e.appendNumbers(dst)
	return append(dst, '}')
}

// appendNumbers appends limit, window and retryAfter where they are set.
func (e *Error) appendNumbers(dst []byte) []byte {
	if e.Limit > 0 {
		dst = append(dst, `,"limit":`...)
		dst = strconv.AppendInt(dst, int64(e.Limit), 10)
	}
	if e.Window > 0 {
		dst = append(dst, `,"window":"`...)
		dst = append(dst, e.Window.String()...)
		dst = append(dst, '"')
	}
	if e.RetryAfter > 0 {
		dst = append(dst, `,"retryAfter":`...)
		dst = strconv.AppendInt(dst, int64(e.RetryAfter), 10)
	}
	return dst
}

func (e *Error) appendQuotedMessage(dst []byte) []byte {
	if e.Message != "" {
		return appendQuoted(dst, e.Message)
	}
	dst = append(dst, '"')
	dst = e.AppendMessage(dst) // our own sentences need no escaping; a test holds them to it
	return append(dst, '"')
}

// appendQuoted appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s)
			dst = utf8.AppendRune(dst, r)
			s = s[size:]
			continue
		}
		s = s[1:]
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"
