package redisstore

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/loopguard"
)

// names gives every reservation of every gateway a name of its own.
type names struct {
	process uint64 // in the upper half: who reserved
	serial  *atomic.Uint32
}

func newNames() names { return names{process: uint64(rand.Uint32()) << 32, serial: new(atomic.Uint32)} }

// next is never 0, which is no name. A name comes again after 4 billion others,
// when what it stood for has long left its window.
func (n names) next() uint64 {
	name := n.process | uint64(n.serial.Add(1))
	if name == 0 {
		return n.next()
	}
	return name
}

func nameOf(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// appendID appends a digest as 22 letters.
func appendID(dst []byte, id digest.ID) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], id.Hi)
	binary.BigEndian.PutUint64(b[8:], id.Lo)
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

func idText(id digest.ID) string {
	var b [22]byte
	return string(appendID(b[:0], id))
}

// requestKey is where a request is counted; rule is i for the address, k for the
// API key, I and K for their candidates. All share a tag: see the package comment.
func requestKey(rule byte, id digest.ID) string {
	var b [32]byte
	return string(appendID(append(append(b[:0], "gw{l}"...), rule), id))
}

// The kinds of a conversation's keys.
const (
	kept    = 'k'
	sent    = 's'
	refused = 'b'
)

// messageKey is where a hold's messages are counted.
func messageKey(conversation digest.ID, rule loopguard.Rule, kind byte, id digest.ID) string {
	var b [64]byte
	return string(appendID(append(tag(b[:0], conversation), "icIC"[rule], kind), id))
}

// replyKey is where the replies of a conversation are kept.
func replyKey(conversation digest.ID) string {
	var b [32]byte
	return string(append(tag(b[:0], conversation), 'r'))
}

func tag(dst []byte, conversation digest.ID) []byte {
	return append(appendID(append(dst, "gw{"...), conversation), '}')
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
