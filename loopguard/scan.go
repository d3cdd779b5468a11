package loopguard

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// peek is the byte at pos, or 0, which JSON allows nowhere, at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

// space skips white space: JSON knows four kinds, and no others.
func (p *parser) space() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// skipBOM skips one UTF-8 byte order mark at the start.
func (p *parser) skipBOM() {
	if len(p.in) >= 3 && string(p.in[:3]) == "\xEF\xBB\xBF" {
		p.pos = 3
	}
}

// text reads the string whose opening quote is at pos.
func (p *parser) text() error {
	start := len(p.out)
	p.out = append(p.out, tagString, 0, 0, 0, 0)
	p.pos++
	for {
		n := plain(p.in[p.pos:])
		p.out = append(p.out, p.in[p.pos:p.pos+n]...)
		p.pos += n
		switch p.peek() {
		case '"':
			p.pos++
			binary.LittleEndian.PutUint32(p.out[start+1:], uint32(len(p.out)-start-stringHead))
			return nil
		case '\\':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			return p.unexpected() // a raw control character, or the end
		}
	}
}

// plain is how many bytes b starts with that stand for themselves in a string:
// none of ", \ and the control characters. It looks at 8 bytes at once, which
// reads long texts at 3 times the speed of a loop over bytes (BenchmarkRead).
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// A byte's high bit is set where it is below 0x20, or equal to " or \.
		// Borrows may set it in a byte behind the first hit, never before it.
		hit := ((w - ones*0x20) &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
		if hit &= highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			break
		}
	}
	return i
}

// escape reads the escape whose backslash is at pos.
func (p *parser) escape() error {
	p.pos++
	c := p.peek()
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return p.unicode()
	default:
		return p.unexpected()
	}
	p.pos++
	p.out = append(p.out, c)
	return nil
}

// unicode reads the rest of an escape whose u is at pos. A high surrogate and
// the low one that follows it are one character; any other surrogate is kept as
// the code unit that it is in JavaScript, in the form that is called WTF-8.
func (p *parser) unicode() error {
	r, n := codeUnit(p.in[p.pos:])
	if p.pos += n; n < 5 {
		return p.unexpected()
	}
	if !utf16.IsSurrogate(r) {
		p.out = utf8.AppendRune(p.out, r)
		return nil
	}
	if p.peek() == '\\' {
		if low, n := codeUnit(p.in[p.pos+1:]); n == 5 {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				p.pos += 1 + n
				p.out = utf8.AppendRune(p.out, pair)
				return nil
			}
		}
	}
	p.out = append(p.out, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	return nil
}

// codeUnit reads u and four hex digits. n is how many of these five bytes are there.
func codeUnit(b []byte) (r rune, n int) {
	if len(b) == 0 || b[0] != 'u' {
		return 0, 0
	}
	for n = 1; n < 5 && n < len(b) && isHex(b[n]); n++ {
		digit := rune(b[n] & 0x0F)
		if b[n] >= 'A' {
			digit += 9
		}
		r = r<<4 | digit
	}
	return r, n
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
