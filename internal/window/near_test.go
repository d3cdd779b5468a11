package window

import (
	"testing"
	"time"
)

func TestAWalkInPiecesSeesEveryLiveKeyOnce(t *testing.T) {
	table := NewTable(time.Second, NewBudget(1<<20))
	for i := range 1000 {
		for at := range int64(1 + i%3) {
			table.Add(id(i), at, 3, at)
		}
	}
	table.Add(id(5000), -2*int64(time.Second), 3, -2*int64(time.Second)) // long gone
	seen := make(map[uint64]int)
	for from, first := uint32(0), true; first || from > 0; first = false {
		from = table.Walk(from, 64, int64(time.Second), func(n Near) {
			seen[n.ID.Lo]++
			// At one second the time 0 has just left the window.
			if want := int(n.ID.Lo) % 3; n.Used != want || n.Limit != 3 || (want > 0 && n.Free != 1) {
				t.Fatalf("key %d: %+v, want %d used", n.ID.Lo, n, want)
			}
		})
	}
	for i := range uint64(1000) {
		if want := min(1, int(i)%3); seen[i] != want {
			t.Fatalf("key %d was seen %d times, want %d", i, seen[i], want)
		}
	}
	if len(seen) != 666 {
		t.Errorf("%d keys were seen", len(seen))
	}
}

func TestLookingChangesNothing(t *testing.T) {
	table := NewTable(time.Second, NewBudget(1<<20))
	table.Add(id(1), 10, 2, 10)
	table.Add(id(1), 20, 2, 20)
	late := int64(time.Second) + 15
	if n, ok := table.Stands(id(1), late); !ok || n.Used != 1 || n.Free != 5 {
		t.Errorf("got %+v %v", n, ok)
	}
	if log := table.Live(id(1), 20, All); log.N != 2 {
		t.Errorf("looking from the future forgot: %d times are left", log.N)
	}
	if _, ok := table.Stands(id(1), 2*late); ok {
		t.Error("what has left the window stands")
	}
	if _, ok := table.Stands(id(2), 20); ok {
		t.Error("an unknown key stands")
	}
}

// How long a lock is held for one piece of a walk: see limiter.surveySteps.
func BenchmarkWalk(b *testing.B) {
	table := NewTable(time.Second, NewBudget(1<<30))
	for i := range 1 << 16 {
		for at := range int64(10) {
			table.Add(id(i), at, 20, at)
		}
	}
	b.ReportAllocs()
	from, used := uint32(0), 0
	for b.Loop() {
		from = table.Walk(from, 256, 100, func(n Near) { used += n.Used })
	}
}
