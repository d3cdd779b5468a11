//go:build !race

package limiter

import (
	"testing"
	"time"
)

func TestTakeAllocatesNothingForKnownKeys(t *testing.T) {
	m := NewMemory(8 << 20)
	ip, key := Hit{id(1), Limit{Requests: 20, Window: time.Second}}, Hit{id(2), Limit{Requests: 20, Window: time.Second}}
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += int64(30 * time.Millisecond) // some admitted, some refused
		m.Take(now, ip, key)
	}); n != 0 {
		t.Errorf("%v allocations for each decision, want none", n)
	}
}
