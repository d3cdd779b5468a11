package trace

import "encoding/hex"

// Context is where a request stands in a trace, as the W3C header traceparent
// says it.
type Context struct {
	TraceID [16]byte
	SpanID  [8]byte
	Flags   byte
}

// The flags that mean something to us; whatever else is set is not passed on.
const (
	Sampled = 0x01 // the caller may have recorded its span
	random  = 0x02 // the trace id's last 7 bytes are random
)

// The header's form: version 00, then the ids and the flags in lower-case hex.
const (
	headerLen = 55
	traceAt   = 3
	spanAt    = 36
	flagsAt   = 53
)

// Parse reads the value of a traceparent header. What is not well-formed by the
// W3C's recommendation, of any version that there is or may be, is none.
func Parse(b []byte) (c Context, ok bool) {
	if len(b) < headerLen || b[2] != '-' || b[spanAt-1] != '-' || b[flagsAt-1] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	if !unhex(version[:], b[:2]) || version[0] == 0xff ||
		!unhex(c.TraceID[:], b[traceAt:spanAt-1]) || c.TraceID == [16]byte{} ||
		!unhex(c.SpanID[:], b[spanAt:flagsAt-1]) || c.SpanID == [8]byte{} ||
		!unhex(flags[:], b[flagsAt:headerLen]) {
		return Context{}, false
	}
	if len(b) > headerLen && (version[0] == 0 || b[headerLen] != '-') {
		return Context{}, false // only a later version may have more, behind a hyphen
	}
	c.Flags = flags[0] & (Sampled | random)
	return c, true
}

// Append writes the value of a traceparent header, in version 00.
func (c *Context) Append(dst []byte) []byte {
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, c.TraceID[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, c.SpanID[:])
	dst = append(dst, '-')
	return hex.AppendEncode(dst, []byte{c.Flags})
}

// IsZero reports whether there is no trace.
func (c *Context) IsZero() bool { return c.TraceID == [16]byte{} }

// unhex decodes lower-case digits only, as the recommendation demands.
func unhex(dst, src []byte) bool {
	for i := range dst {
		high, low := digit(src[2*i]), digit(src[2*i+1])
		if high|low > 0x0f {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

// digit is the value of a hex digit, or 0xff.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
