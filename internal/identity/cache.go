package identity

import (
	"encoding/binary"

	"github.com/chatshipper/gateway/internal/digest"
)

// entry is what was read of one token.
type entry struct {
	who     Who
	failure Failure
	epoch   uint32 // of the key set that verified it
	until   int64  // ns since 1970: from then on it must be read again
	expires int64  // ns since 1970: the token's own expiry
}

// The form of an entry in the cache: fixed fields, then the user's id.
const (
	atRole    = 0
	atFlags   = 1
	atFailure = 2
	atEpoch   = 3
	atUntil   = atEpoch + 4
	atExpires = atUntil + 8
	atUser    = atExpires + 8
	atSHA256  = atUser + 16
	atUserID  = atSHA256 + 32

	flagVerified           = 1
	flagNeedsIntrospection = 2
)

// recall fills e with what the cache knows of a key, if it knows it. e's user
// id lives in the scratch.
func (d *Directory) recall(e *entry, key digest.ID, scratch *Scratch) bool {
	b, ok := d.cache.HasGet(scratch.value[:0], scratch.keyed(key))
	scratch.value = b
	if !ok || len(b) < atUserID {
		return false
	}
	e.who = Who{
		Key:                key,
		User:               digest.ID{Hi: binary.LittleEndian.Uint64(b[atUser:]), Lo: binary.LittleEndian.Uint64(b[atUser+8:])},
		SHA256:             [32]byte(b[atSHA256:atUserID]),
		Role:               Role(b[atRole]),
		Verified:           b[atFlags]&flagVerified != 0,
		NeedsIntrospection: b[atFlags]&flagNeedsIntrospection != 0,
	}
	if len(b) > atUserID {
		e.who.UserID = b[atUserID:]
	}
	e.failure = Failure(b[atFailure])
	e.epoch = binary.LittleEndian.Uint32(b[atEpoch:])
	e.until = int64(binary.LittleEndian.Uint64(b[atUntil:]))
	e.expires = int64(binary.LittleEndian.Uint64(b[atExpires:]))
	return true
}

// remember puts an entry in the cache, unless nothing is gained by it.
func (d *Directory) remember(e *entry, scratch *Scratch) {
	if d.closed.Load() || e.failure == Unavailable {
		return
	}
	w := &e.who
	var flags byte
	if w.Verified {
		flags |= flagVerified
	}
	if w.NeedsIntrospection {
		flags |= flagNeedsIntrospection
	}
	b := append(make([]byte, 0, atUserID+len(w.UserID)), byte(w.Role), flags, byte(e.failure))
	b = binary.LittleEndian.AppendUint32(b, e.epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.until))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.expires))
	b = binary.LittleEndian.AppendUint64(b, w.User.Hi)
	b = binary.LittleEndian.AppendUint64(b, w.User.Lo)
	b = append(b, w.SHA256[:]...)
	d.cache.Set(scratch.keyed(w.Key), append(b, w.UserID...))
	d.near.keep(e)
}

// keyed writes the key of an entry. It is a digest under a secret, so that
// nobody can aim at one bucket of the cache, whose own hash has no seed.
func (s *Scratch) keyed(key digest.ID) []byte {
	binary.LittleEndian.PutUint64(s.key[:8], key.Hi)
	binary.LittleEndian.PutUint64(s.key[8:], key.Lo)
	return s.key[:]
}
