package limiter

import (
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkRefuse: a client that does not stop when it is refused.
func BenchmarkRefuse(b *testing.B) {
	m, limit := NewMemory(8<<20), Limit{Requests: 20, Window: time.Second}
	ip, key := Hit{id(1), limit}, Hit{id(2), limit}
	for range limit.Requests {
		m.Take(0, ip, key)
	}
	b.ReportAllocs()
	for b.Loop() {
		if m.Take(1, ip, key).Admitted {
			b.Fatal("admitted")
		}
	}
}

// BenchmarkTakeNew: every request has a key and an address that were never seen.
func BenchmarkTakeNew(b *testing.B) {
	m, limit := NewMemory(64<<20), Limit{Requests: 20, Window: time.Second}
	now, i := int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		now += int64(100 * time.Microsecond)
		m.Take(now, Hit{id(i), limit}, Hit{id(-i), limit})
	}
}

// BenchmarkTakeParallel: each goroutine has a thousand clients of its own. Compare
// with -cpu 1,2: what one decision takes must fall with the cores.
func BenchmarkTakeParallel(b *testing.B) {
	m, limit := NewMemory(64<<20), Limit{Requests: 20, Window: time.Second}
	var number atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		first := int(number.Add(1)) * 1000
		now := int64(0)
		for i := 0; pb.Next(); i++ {
			k := first + i%1000
			now += int64(time.Millisecond)
			m.Take(now, Hit{id(k), limit}, Hit{id(-k), limit})
		}
	})
}
