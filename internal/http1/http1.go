// Package http1 holds what both halves of the gateway's HTTP/1.1 must read in
// the same way: the grammar of header lines, and the chunked transfer coding. A
// difference between the two halves would be a hole.
//
// It must not know connections, and not which half asks.
package http1

import (
	"bytes"
	"encoding/binary"
)

// MalformedError is what is wrong with bytes that can't be understood. It never
// holds any of them.
type MalformedError string

func (m MalformedError) Error() string { return string(m) }

// IsTokenByte reports whether c may stand in a header name or a method
// (RFC 9110, section 5.6.2).
func IsTokenByte(c byte) bool { return tokens[c] }

var tokens = func() (t [256]bool) {
	for c := range 256 {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		t[c] = letter || digit || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return t
}()

const ones, tops = 0x0101010101010101, 0x8080808080808080

// IsFieldValue reports whether b has no control character but tabs. 32 bytes
// at a time: the values are most of a head.
func IsFieldValue(b []byte) bool {
	for ; len(b) >= 32; b = b[32:] {
		if (suspect(b)|suspect(b[8:])|suspect(b[16:])|suspect(b[24:]))&tops != 0 && !isFieldValueSlowly(b[:32]) {
			return false
		}
	}
	for ; len(b) >= 8; b = b[8:] {
		if suspect(b)&tops != 0 && !isFieldValueSlowly(b[:8]) {
			return false
		}
	}
	return isFieldValueSlowly(b)
}

// suspect sets the top bit of a byte where one of the first eight may be a control
// character.
func suspect(b []byte) uint64 {
	x := binary.LittleEndian.Uint64(b)
	del := x ^ ones*0x7f
	return (x-ones*0x20)&^x | (del-ones)&^del
}

func isFieldValueSlowly(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Trim removes the spaces and tabs around b.
func Trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
