package loopguard

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// fewDigits is how many digits, sign included, always fit an int64. Converting
// one to float64 rounds as reading its digits does.
const fewDigits = 18

// number reads a number as the float64 that JavaScript makes of it: too large
// ones are Infinity, and -0 is 0.
func (p *parser) number() error {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	whole, err := p.integer()
	if err != nil {
		return err
	}
	digits := p.pos - start
	if err := p.fraction(); err != nil {
		return err
	}
	f := float64(whole)
	if digits != p.pos-start || digits > fewDigits {
		f = parseFloat(p.in[start:p.pos])
	} else if p.in[start] == '-' {
		f = -f
	}
	if f == 0 {
		f = 0 // 0 == -0, but their bits differ
	}
	p.out = binary.LittleEndian.AppendUint64(append(p.out, tagNumber), math.Float64bits(f))
	return nil
}

// integer reads 0, or digits that don't start with 0. whole is meaningless when
// there are more than fewDigits of them.
func (p *parser) integer() (whole int64, err error) {
	if p.peek() == '0' {
		p.pos++
		return 0, nil
	}
	start := p.pos
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		whole = whole*10 + int64(c-'0')
		p.pos++
	}
	if p.pos == start {
		return 0, p.unexpected()
	}
	return whole, nil
}

// fraction reads the fraction and the exponent of a number, when there are any.
func (p *parser) fraction() error {
	if p.peek() == '.' {
		p.pos++
		if err := p.digits(); err != nil {
			return err
		}
	}
	if p.peek()|0x20 != 'e' {
		return nil
	}
	p.pos++
	if c := p.peek(); c == '+' || c == '-' {
		p.pos++
	}
	return p.digits()
}

// digits skips one digit or more.
func (p *parser) digits() error {
	start := p.pos
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.pos++
	}
	if p.pos == start {
		return p.unexpected()
	}
	return nil
}

// parseFloat converts a number whose grammar has been checked. The only error
// left is a number out of range, for which ParseFloat returns ±Inf, as
// JavaScript does.
func parseFloat(b []byte) float64 {
	f, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	return f
}
