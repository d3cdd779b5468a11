package limiter

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

var full = flag.Bool("full", false, "flood with 10 million keys (scripts/reliability.sh)")

// heap is how much memory is in use, bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A client that has used up its limit is followed, all within its window, by a
// flood of keys and addresses that nobody has seen before. The store holds far
// fewer of them than come.
func TestFaultFloodOfRandomKeys(t *testing.T) {
	keys, budget := 300_000, int64(8<<20)
	if *full {
		keys, budget = 10_000_000, 256<<20
	}
	limit := Limit{Requests: 20, Window: time.Second}
	before := heap()
	m := NewMemory(budget)
	victim := [ruleCount]Hit{{digest.ID{Hi: 1, Lo: 1}, limit}, {digest.ID{Hi: 2, Lo: 2}, limit}}
	for range limit.Requests {
		if !m.Take(0, victim[PerIP], victim[PerKey]).Admitted {
			t.Fatal("the client is refused before its limit")
		}
	}
	rng, started := rand.New(rand.NewPCG(3, 4)), cpu()
	for i := range keys {
		now := int64(i) * (int64(limit.Window) - 1) / int64(keys)
		random := func() Hit { return Hit{digest.ID{Hi: rng.Uint64(), Lo: rng.Uint64()}, limit} }
		if !m.Take(now, random(), random()).Admitted {
			t.Fatal("a new client is refused")
		}
	}
	took := cpu() - started
	grown, refused := heap()-before, 0
	if d := m.Take(int64(limit.Window)-1, victim[PerIP], Hit{}); !d.Admitted {
		refused++
	}
	if d := m.Take(int64(limit.Window)-1, Hit{}, victim[PerKey]); !d.Admitted {
		refused++
	}
	if refused != int(ruleCount) {
		t.Errorf("after the flood the limited client is refused by %d of %d rules", refused, ruleCount)
	}
	for r := range ruleCount {
		if kept, gone := m.Entries(r), int64(m.EvictedLive(r)); kept+gone != int64(keys)+1 {
			t.Errorf("%s: %d kept and %d counted as evicted, want %d together", r, kept, gone, keys+1)
		}
	}
	if m.Bytes() > budget || grown > budget*5/4+4<<20 {
		t.Errorf("%d bytes by its own count and %d on the heap, with a budget of %d", m.Bytes(), grown, budget)
	}
	t.Logf("figure: limiter.Memory, %d random keys and addresses within one window, budget %d MiB: %d MiB on the heap, %d keys kept, %d evictions counted, %d ns of CPU each; the limited client refused by %d of %d rules",
		keys, budget>>20, grown>>20, m.Entries(PerKey), m.EvictedLive(PerKey), took.Nanoseconds()/int64(keys), refused, ruleCount)
}
