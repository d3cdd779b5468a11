package identity

import "encoding/binary"

// Credential finds the API key in the value of an Authorization header, or
// returns nil when there is none. The key is the second word, whatever the
// first says (Bearer in any case, Basic, Token, …), or the only word, when that
// is not "Bearer" itself. Whatever is no visible ASCII parts words.
//
// This is deliberately wider than RFC 6750. Common frameworks take the second
// word as the token and look neither at the first nor at a third; to them
// "Bearer t", "bearer  t", "Bearer t x" and "xBearer t" are one key, so they
// must be one key here too: otherwise each spelling had an allowance of its
// own. A spelling that the upstream refuses loses nothing by it.
func Credential(value []byte) []byte {
	first, rest := word(value)
	if second, _ := word(rest); len(second) > 0 {
		return second
	}
	if len(first) == 0 || isBearer(first) {
		return nil
	}
	return first
}

// hasBearer reports whether the value has the scheme of an API key.
func hasBearer(value []byte) bool {
	first, _ := word(value)
	return isBearer(first)
}

func word(b []byte) (word, rest []byte) {
	for len(b) > 0 && (b[0] < '!' || b[0] > '~') {
		b = b[1:]
	}
	n := visible(b)
	return b[:n], b[n:]
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// visible returns how many bytes of visible ASCII ('!' to '~') b starts with.
// It looks at 32 at once: BenchmarkCredential has what that takes for a JWT.
func visible(b []byte) int {
	rest := b
	for len(rest) >= 32 && (shown(rest)&shown(rest[8:])&shown(rest[16:])&shown(rest[24:]))&highs == highs {
		rest = rest[32:]
	}
	for len(rest) >= 8 && shown(rest)&highs == highs {
		rest = rest[8:]
	}
	for len(rest) > 0 && rest[0] >= '!' && rest[0] <= '~' {
		rest = rest[1:]
	}
	return len(b) - len(rest)
}

// shown sets the high bit of each of the first eight bytes that is visible ASCII.
// Adding 0x5F sets the high bit of bytes from '!' on, adding 1 that of 0x7F; no sum
// carries into the next byte.
func shown(b []byte) uint64 {
	w := binary.LittleEndian.Uint64(b)
	low := w &^ highs
	return (low + lows*(0x80-'!')) &^ (low + lows) &^ w
}

func isBearer(word []byte) bool {
	const bearer = "bearer"
	if len(word) != len(bearer) {
		return false
	}
	for i := range bearer {
		if word[i]|0x20 != bearer[i] {
			return false
		}
	}
	return true
}
