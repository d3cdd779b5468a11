package proxy

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
)

// requestIDs makes ids that are unique among all gateways: 8 random bytes of
// this process and 8 bytes of a counter that starts anywhere, in hex.
type requestIDs struct {
	process [16]byte
	counter atomic.Uint64
}

func newRequestIDs() *requestIDs {
	var seed [16]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand aborts the program instead
	r := new(requestIDs)
	hex.Encode(r.process[:], seed[:8])
	r.counter.Store(binary.LittleEndian.Uint64(seed[8:]))
	return r
}

// append writes the next id, 32 hex digits.
func (r *requestIDs) append(dst []byte) []byte {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], r.counter.Add(1))
	return hex.AppendEncode(append(dst, r.process[:]...), n[:])
}
