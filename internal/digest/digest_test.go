package digest

import (
	"strings"
	"testing"
)

func TestDigestsAreKeyed(t *testing.T) {
	a, again, b, random := NewHasher("a"), NewHasher("a"), NewHasher("b"), NewHasher("")
	x := []byte("token")
	if a.Sum(x) != again.Sum(x) {
		t.Error("two Hashers of one secret must agree")
	}
	if a.Sum(x) == b.Sum(x) || a.Sum(x) == random.Sum(x) || NewHasher("").Sum(x) == random.Sum(x) {
		t.Error("Hashers of different secrets must not agree")
	}
	if a.Sum(x) == a.Sum([]byte("tokem")) || a.Sum(nil).IsZero() || !(ID{}).IsZero() {
		t.Error("different inputs must differ, and none is nobody")
	}
}

func TestJoinHasAnOrder(t *testing.T) {
	h := NewHasher("a")
	x, y, z := h.Sum([]byte("x")), h.Sum([]byte("y")), h.Sum([]byte("z"))
	if x.Join(y) == y.Join(x) || x.Join(y) == x.Join(z) || x.Join(y).Join(z) == x.Join(y.Join(z)) || x.Join(ID{}) == x {
		t.Error("pairs that differ must have IDs that differ")
	}
}

func TestShort(t *testing.T) {
	id := ID{Hi: 0x0123456789abcdef, Lo: 1}
	if got := id.Short(); got != "0123456789ab" {
		t.Errorf("got %q", got)
	}
	if got := string(id.AppendShort([]byte("key="))); got != "key=0123456789ab" {
		t.Errorf("got %q", got)
	}
}

func TestSumAllocatesNothing(t *testing.T) {
	h, token := NewHasher(""), []byte(strings.Repeat("x", 300))
	if n := testing.AllocsPerRun(100, func() { h.Sum(token) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkSum(b *testing.B) {
	h, token := NewHasher(""), []byte(strings.Repeat("x", 300))
	b.SetBytes(int64(len(token)))
	for b.Loop() {
		h.Sum(token)
	}
}
