package limiter

import (
	"fmt"
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

// BenchmarkTake: a joint decision on an address and a key that both have something left,
// of all that are tracked, and of a thousand among ten million (with -full, which takes
// 3 GB).
func BenchmarkTake(b *testing.B) {
	kinds := []struct{ used, tracked int }{{1000, 1000}, {1_000_000, 1_000_000}}
	if *full {
		kinds = append(kinds, struct{ used, tracked int }{1000, 10_000_000}, struct{ used, tracked int }{10_000_000, 10_000_000})
	}
	for _, k := range kinds {
		b.Run(fmt.Sprintf("%d_of_%d", k.used, k.tracked), func(b *testing.B) {
			m, limit := NewMemory(4<<30), Limit{Requests: 20, Window: time.Second}
			for i := range k.tracked {
				m.Take(0, Hit{id(i), limit}, Hit{id(-i), limit})
			}
			i, now, pause := 0, int64(limit.Window), int64(limit.Window)/19/int64(k.used)
			b.ReportAllocs()
			for b.Loop() {
				i = (i + 7919) % k.used
				now += pause
				if !m.Take(now, Hit{id(i), limit}, Hit{id(-i), limit}).Admitted {
					b.Fatal("refused")
				}
			}
		})
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
