package identity

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"unsafe"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/hint"
)

// near holds what the directory knows of a key in one line of a processor's cache,
// where a look into the fastcache touches half a dozen (a bucket, its map, its
// chunk): docs/performance.md has the figure. Like that it forgets, and it holds only
// what fits into a line: no refusal, no SHA-256, and no user's id but one of 24
// hexadecimal digits, as ChatShipper's are. All else is found in the fastcache.
//
// A key has a place in two sets of two lines: of 10,000 keys, which fill a third of the
// table, one in 200 is pushed out. With one set it was one in 20.
//
// A line is eight words that are read and written one by one, without a lock. The
// version in the first is odd while somebody writes, and another after that.
type near struct {
	sets *[nearSets]nearSet
	kept atomic.Int64 // how often
}

// newNear makes a table that fills large pages.
func newNear() *near {
	const size = nearSets * 128
	room := make([]nearSet, 2*nearSets)
	ahead := -uintptr(unsafe.Pointer(&room[0])) % size / 128
	return &near{sets: (*[nearSets]nearSet)(room[ahead:])}
}

// nearMany is how many keys are kept before the table is put into large pages: it has
// memory in nearly all of the small ones by then.
const nearMany = 4096

// nearSets makes 2 MiB, of which only what is used takes memory.
const nearSets = 1 << 14

type (
	nearSet  [2]nearLine
	nearLine [8]atomic.Uint64
)

// The words of a line. The user's id is a number of 96 bits.
const (
	nearFacts = iota // the flags, the role, and the version from bit 16 on
	nearKeyLo
	nearKeyHi
	nearUserLo
	nearUserHi
	nearUntil // ns since 1970; 0 for an empty line
	nearID
	nearIDAndEpoch // the id's last 32 bits, and the epoch above them

	nearRole        = 0xff
	nearHasID       = 1 << 8
	nearVerified    = 1 << 9
	nearNeedsAnswer = 1 << 10
	nearVersion     = 16
)

// places are the sets that may hold a key.
func (n *near) places(key digest.ID) [2]*nearSet {
	return [2]*nearSet{&n.sets[key.Hi%nearSets], &n.sets[key.Hi>>32%nearSets]}
}

// ahead asks for the lines in which a key is most likely.
func (n *near) ahead(key digest.ID) { hint.Lines(unsafe.Pointer(n.places(key)[0])) }

// line is the line of a key, or nil.
func (n *near) line(key digest.ID) *nearLine {
	for _, set := range n.places(key) {
		for i := range set {
			if l := &set[i]; l.holds(key) {
				return l
			}
		}
	}
	return nil
}

func (l *nearLine) holds(key digest.ID) bool {
	return l[nearKeyLo].Load() == key.Lo && l[nearKeyHi].Load() == key.Hi
}

// recall fills w, all but the SHA-256, when the key is held, was read in this epoch
// of the key set, and need not be read again at now.
func (n *near) recall(w *Who, key digest.ID, epoch uint32, now int64, scratch *Scratch) bool {
	l := n.line(key)
	if l == nil {
		return false
	}
	facts := l[nearFacts].Load()
	same := l.holds(key)
	user := digest.ID{Lo: l[nearUserLo].Load(), Hi: l[nearUserHi].Load()}
	until, id, rest := int64(l[nearUntil].Load()), l[nearID].Load(), l[nearIDAndEpoch].Load()
	if !same || facts>>nearVersion&1 != 0 || l[nearFacts].Load() != facts || now >= until || uint32(rest>>32) != epoch {
		return false
	}
	w.Key, w.User, w.Role = key, user, Role(facts&nearRole)
	w.Verified, w.NeedsIntrospection = facts&nearVerified != 0, facts&nearNeedsAnswer != 0
	if facts&nearHasID != 0 {
		scratch.value = appendPlain(scratch.value[:0], id, uint32(rest))
		w.UserID = scratch.value
	}
	return true
}

// keep holds an entry from now on, and nothing of its key when that does not fit.
func (n *near) keep(e *entry) {
	w := &e.who
	id, rest, fits := packed(w.UserID)
	l := n.line(w.Key)
	if !fits || e.failure != None {
		n.forget(w.Key, nil)
		return
	}
	if l == nil {
		l = n.victim(w.Key)
	}
	facts, until := uint64(w.Role), e.until
	if w.UserID != nil {
		facts |= nearHasID
	}
	if w.Verified {
		facts |= nearVerified
		until = min(until, e.expires)
	}
	if w.NeedsIntrospection {
		facts |= nearNeedsAnswer
	}
	l.write([8]uint64{facts, w.Key.Lo, w.Key.Hi, w.User.Lo, w.User.Hi, uint64(until), id, uint64(e.epoch)<<32 | uint64(rest)})
	if n.kept.Add(1) == nearMany {
		go hint.Large(unsafe.Pointer(n.sets), unsafe.Sizeof(*n.sets))
	}
	n.forget(w.Key, l) // which somebody may have kept elsewhere meanwhile
}

// forget empties the lines of a key, but not one of them.
func (n *near) forget(key digest.ID, except *nearLine) {
	for _, set := range n.places(key) {
		for i := range set {
			if l := &set[i]; l != except && l.holds(key) {
				l.write([8]uint64{})
			}
		}
	}
}

// victim is the line that a new key takes: an empty one, or one that the key chooses.
func (n *near) victim(key digest.ID) *nearLine {
	places := n.places(key)
	for _, set := range places {
		for i := range set {
			if set[i][nearUntil].Load() == 0 {
				return &set[i]
			}
		}
	}
	return &places[key.Lo%2][key.Lo/2%2]
}

// write replaces what a line holds, unless somebody else does so right now: then
// either may win, as it may in the fastcache.
func (l *nearLine) write(words [8]uint64) {
	old := l[nearFacts].Load()
	version := old >> nearVersion
	if version&1 != 0 || !l[nearFacts].CompareAndSwap(old, (version+1)<<nearVersion) {
		return
	}
	for i := nearKeyLo; i < len(words); i++ {
		l[i].Store(words[i])
	}
	l[nearFacts].Store(words[nearFacts] | (version+2)<<nearVersion)
}

// plainID is how many characters an id of ChatShipper's has.
const plainID = 24

// packed is the number that an id of 24 lower-case hexadecimal digits is, its first
// 16 and its last 8. No id is none.
func packed(id []byte) (first uint64, last uint32, fits bool) {
	if id == nil {
		return 0, 0, true
	}
	var raw [plainID / 2]byte
	if len(id) != plainID {
		return 0, 0, false
	}
	if _, err := hex.Decode(raw[:], id); err != nil || bytes.ContainsAny(id, "ABCDEF") {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(raw[:]), binary.BigEndian.Uint32(raw[8:]), true
}

// appendPlain appends the id of which packed made two numbers.
func appendPlain(dst []byte, first uint64, last uint32) []byte {
	var raw [plainID / 2]byte
	binary.BigEndian.PutUint64(raw[:], first)
	binary.BigEndian.PutUint32(raw[8:], last)
	return hex.AppendEncode(dst, raw[:])
}
