// Package digest turns what a stranger sent (a token, a user id, an address, a
// message) into a keyed 128-bit identifier, so that nothing of it is kept in
// clear and nobody without the key can choose two that collide. It belongs to
// the cellar: it imports nothing of ours.
package digest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/minio/highwayhash"
)

// ID is a keyed digest of 128 bits, or the zero value for "nobody".
type ID struct{ Hi, Lo uint64 }

// IsZero reports whether the ID stands for nobody.
func (id ID) IsZero() bool { return id.Hi|id.Lo == 0 }

// Join makes the ID of a pair, such as a bot in a conversation. The order of
// the two matters. Both must be digests of the same Hasher, which is what makes
// cheap arithmetic enough.
func (id ID) Join(other ID) ID {
	return ID{
		Hi: id.Hi*0x9E3779B97F4A7C15 + other.Hi*0xC2B2AE3D27D4EB4F + 1,
		Lo: id.Lo*0xD6E8FEB86659FD93 + other.Lo*0xA0761D6478BD642F + 1,
	}
}

// Append appends the 16 bytes of the ID, from which IDOf makes it again.
func (id ID) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, id.Hi), id.Lo)
}

// IDOf is the ID of which Append wrote the first 16 bytes of b.
func IDOf(b []byte) ID {
	return ID{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}

// Short is the form that logs and the console show: 12 hex digits.
func (id ID) Short() string { return string(id.AppendShort(nil)) }

// AppendShort appends the form that Short returns.
func (id ID) AppendShort(dst []byte) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id.Hi)
	return hex.AppendEncode(dst, b[:6])
}

// Hasher makes IDs. Two Hashers agree exactly when their secrets do.
type Hasher struct{ key [32]byte }

// NewHasher returns a Hasher for secret, or for a random secret of this process
// when secret is empty.
func NewHasher(secret string) *Hasher {
	h := new(Hasher)
	if secret == "" {
		_, _ = rand.Read(h.key[:]) // never fails: crypto/rand aborts the program instead
		return h
	}
	h.key = sha256.Sum256([]byte("chatshipper gateway digest key\x00" + secret))
	return h
}

// Sum returns the keyed digest of b. It allocates nothing and costs about 55 ns
// up to 300 bytes (BenchmarkSum).
func (h *Hasher) Sum(b []byte) ID {
	sum := highwayhash.Sum128(b, h.key[:])
	return ID{Hi: binary.LittleEndian.Uint64(sum[:8]), Lo: binary.LittleEndian.Uint64(sum[8:])}
}
