package topk

import (
	"cmp"
	"math/rand/v2"
	"testing"
)

// zipf draws keys of which few are frequent.
func zipf(seed uint64, keys uint64) func() uint64 {
	z := rand.NewZipf(rand.New(rand.NewPCG(seed, 1)), 1.1, 1, keys-1)
	return z.Uint64
}

func TestTheBoundsHoldAgainstAnExactCount(t *testing.T) {
	for seed := range uint64(5) {
		const size, events = 64, 10_000
		s := New[uint64](size, cmp.Compare[uint64])
		exact := make(map[uint64]uint64)
		for next := zipf(seed, 5_000); s.Total() < events; {
			key := next()
			s.Add(key)
			exact[key]++
		}
		items := s.Top(size)
		found := make(map[uint64]bool)
		for i, item := range items {
			found[item.Key] = true
			if want := exact[item.Key]; item.Count < want || item.Count-item.Error > want || item.Error > events/size {
				t.Fatalf("seed %d: %+v, but it happened %d times", seed, item, want)
			}
			if i > 0 && item.Count > items[i-1].Count {
				t.Fatalf("seed %d: not the heaviest first: %+v", seed, items)
			}
		}
		for key, count := range exact {
			if count > events/size && !found[key] {
				t.Fatalf("seed %d: key %d happened %d times and is not found", seed, key, count)
			}
		}
	}
}

func TestFewKeysAreCountedExactly(t *testing.T) {
	s := New[string](3, cmp.Compare[string])
	for _, key := range []string{"a", "b", "b", "c", "c", "c", "a"} {
		s.Add(key)
	}
	want := []Item[string]{{"c", 3, 0}, {"a", 2, 0}, {"b", 2, 0}}
	for i, item := range s.Top(5) {
		if item != want[i] {
			t.Errorf("place %d: %+v, want %+v", i, item, want[i])
		}
	}
	if got := s.Top(1); len(got) != 1 || got[0].Key != "c" {
		t.Errorf("the heaviest: %+v", got)
	}
	s.Add("d")
	s.Add("d")
	if got := s.Top(3)[0]; got.Key != "d" || got.Count != 4 || got.Error != 2 {
		t.Errorf("who takes a place takes its count as error: %+v", s.Top(3))
	}
	keys := 0
	s.Each(func(string) bool { keys++; return keys < 2 })
	s.Clear()
	if keys != 2 || s.Total() != 0 || len(s.Top(3)) != 0 {
		t.Errorf("not cleared: %+v", s.Top(3))
	}
}

func TestTheBoundsHoldForASum(t *testing.T) {
	for seed := range uint64(4) {
		a, b, exact := New[uint64](32, nil), New[uint64](48, nil), make(map[uint64]uint64)
		for next := zipf(seed, 500); a.Total() < 5000; {
			x, y := next(), next()+1
			a.Add(x)
			b.Add(y)
			exact[x]++
			exact[y]++
		}
		last := uint64(1 << 60)
		for _, item := range Merge(cmp.Compare[uint64], a, b) {
			if want := exact[item.Key]; item.Count < want || item.Count-item.Error > want || item.Count > last {
				t.Fatalf("seed %d: %+v after %d, but it happened %d times", seed, item, last, want)
			}
			last = item.Count
		}
	}
	few, none := New[uint64](4, nil), New[uint64](4, nil)
	few.Add(1)
	if got := Merge(nil, few, none); len(got) != 1 || got[0] != (Item[uint64]{1, 1, 0}) {
		t.Errorf("got %+v", got)
	}
}

func TestASketchWithoutRoomIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New[int](0, nil)
}

func FuzzSketch(f *testing.F) {
	f.Add([]byte{1, 2, 2, 3, 3, 3, 4, 1, 1})
	f.Fuzz(func(t *testing.T, events []byte) {
		s := New[byte](4, cmp.Compare[byte])
		exact := make(map[byte]uint64)
		for _, key := range events {
			s.Add(key)
			exact[key]++
		}
		for _, item := range s.Top(4) {
			if item.Count < exact[item.Key] || item.Count-item.Error > exact[item.Key] || item.Error > uint64(len(events))/4 {
				t.Fatalf("%+v, but it happened %d times", item, exact[item.Key])
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := New[[4]uint64](1024, nil)
	next := zipf(1, 1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		s.Add([4]uint64{next()})
	}
}
