package window

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

func id(n int) digest.ID { return digest.ID{Hi: 1, Lo: uint64(n)} }

// naive is the table in its plainest form: a sorted list of times for each key.
type naive struct {
	window int64
	times  map[digest.ID][]int64
}

func (m *naive) live(id digest.ID, now, after int64) (live []int64) {
	for _, t := range m.times[id] {
		if now-t < m.window && t > after {
			live = append(live, t)
		}
	}
	return live
}

func (m *naive) add(id digest.ID, at int64, size int, now int64) {
	live := m.live(id, now, All)
	if now-at < m.window {
		live = append(live, at)
		slices.Sort(live)
	}
	m.times[id] = live[max(0, len(live)-size):]
}

func (m *naive) remove(id digest.ID, at, now int64) bool {
	live := m.live(id, now, All)
	i := slices.Index(live, at)
	if i >= 0 {
		live = slices.Delete(live, i, i+1)
	}
	m.times[id] = live
	return i >= 0
}

// Additions out of order, removals, changing sizes, replies and boundaries: the
// table holds what the lists hold, in ticks of 1 ns and of 128 ns.
func TestTheTableIsANaiveList(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		window, tick := time.Second, int64(1)
		if seed%2 == 1 {
			window, tick = 3*time.Minute/128*128, 128
		}
		table := NewTable(window, NewBudget(1<<30))
		want := naive{int64(window), make(map[digest.ID][]int64)}
		now := int64(1_700_000_000_000_000_000) / tick * tick
		for step := range 3000 {
			now += rng.Int64N(int64(window)/4/tick) * rng.Int64N(2) * tick
			key := id(rng.IntN(8))
			at := max(now-rng.Int64N(int64(window)/tick)*rng.Int64N(2)*tick, now-2*int64(window))
			switch rng.IntN(4) {
			case 0:
				size := 1 + rng.IntN(6)
				if log := table.Live(key, now, All); step%2 == 0 || !log.Append(at, size) {
					table.Add(key, at, size, now)
				}
				want.add(key, at, size, now)
			case 1:
				if times := want.live(key, now, All); len(times) > 0 {
					at = times[rng.IntN(len(times))]
				}
				if got, want := table.Remove(key, at, now), want.remove(key, at, now); got != want {
					t.Fatalf("seed %d step %d: removed %v, want %v", seed, step, got, want)
				}
			default:
				after := []int64{All, at}[rng.IntN(2)]
				log, times := table.Live(key, now, after), want.live(key, now, after)
				if log.N != len(times) {
					t.Fatalf("seed %d step %d: %d live, want %v", seed, step, log.N, times)
				}
				if got := log.Times(nil); !slices.Equal(got, times) {
					t.Fatalf("seed %d step %d: %v, want %v", seed, step, got, times)
				}
				for k := range times {
					if got, want := log.Leaves(k+1), time.Duration(times[k]+int64(window)-now); got != want {
						t.Fatalf("seed %d step %d: number %d leaves in %v, want %v", seed, step, k+1, got, want)
					}
				}
			}
		}
	}
}

// Keys come and go in an index that is nearly as full as it gets: what is held is found,
// what went is not, and every slot tells how far it stands from home.
func TestTheIndexIsASet(t *testing.T) {
	const keys = 27_500 // of which seven eighths are held, in 32,768 slots
	rng := rand.New(rand.NewPCG(1, 7))
	table, want := NewTable(time.Second, NewBudget(1<<30)), make(map[digest.ID]bool)
	for range 20 * keys {
		key := id(rng.IntN(keys))
		if rng.IntN(8) > 0 {
			table.Add(key, 1, 1, 1)
			want[key] = true
		} else if table.Remove(key, 1, 1) != want[key] {
			t.Fatalf("%v was held: %v", key, want[key])
		} else {
			delete(want, key)
		}
	}
	for i := range keys {
		if log := table.Live(id(i), 1, All); (log.N == 1) != want[id(i)] {
			t.Fatalf("key %d is held: %v", i, !want[id(i)])
		}
	}
	far := 0
	for s, slot := range table.slots {
		if slot == none {
			continue
		}
		hash := table.hash(table.cell(numberIn(slot)).id)
		away := (uint32(s) - table.home(hash)) & uint32(len(table.slots)-1)
		if slot != slotOf(hash, away, numberIn(slot)) {
			t.Fatalf("slot %d, %d from home, holds %x", s, away, slot)
		}
		if away > most {
			far++
		}
	}
	if far == 0 {
		t.Error("nothing stands so far from home that a slot can't tell")
	}
}

func TestEmptyLogs(t *testing.T) {
	table := NewTable(time.Second, NewBudget(1<<20))
	log := table.Live(id(1), 0, All)
	log.SetMark(true)
	if log.N != 0 || log.Leaves(1) != 0 || log.Marked() || log.Newest() != All || table.Remove(id(1), 0, 0) {
		t.Errorf("an unknown key has %+v", log)
	}
	table.Add(id(1), 0, 3, int64(time.Second)) // already outside of the window
	if table.Len() != 0 {
		t.Error("an expired time made an entry")
	}
	table.Add(id(1), 5, 1, 5)
	table.Add(id(1), 3, 1, 5) // older than all of a full ring
	if log := table.Live(id(1), 5, All); log.N != 1 || log.Newest() != 5 || log.Leaves(2) != 0 {
		t.Errorf("got %+v", log)
	}
}

func TestAMarkGoesWithItsKey(t *testing.T) {
	table := NewTable(time.Second, NewBudget(1<<20))
	table.Add(id(1), 0, 3, 0)
	log := table.Live(id(1), 0, All)
	log.SetMark(true)
	table.Add(id(1), 1, 5, 1) // another size
	if log = table.Live(id(1), 1, All); !log.Marked() || log.N != 2 {
		t.Errorf("marked %v, %d live", log.Marked(), log.N)
	}
	log.SetMark(false)
	if log = table.Live(id(1), 1, All); log.Marked() {
		t.Error("the mark stays")
	}
}

func TestMoveKeepsTheNewestThatFit(t *testing.T) {
	b := NewBudget(1 << 20)
	short, long := NewTable(time.Second, b), NewTable(time.Hour, b)
	for i := range int64(5) {
		short.Add(id(1), i*4096, 5, i*4096)
	}
	short.Move(id(1), long, 3, 5*4096)
	short.Move(id(2), long, 3, 5*4096)
	if log := long.Live(id(1), 5*4096, All); log.N != 3 || short.Len() != 0 {
		t.Errorf("%d moved, %d stay", log.N, short.Len())
	}
}

func TestEachShowsWhatIsLive(t *testing.T) {
	table := NewTable(time.Second, NewBudget(1<<20))
	table.Add(id(1), 10, 3, 10)
	table.Add(id(1), 20, 3, 20)
	table.Add(id(2), 0, 3, 0)
	seen := make(map[digest.ID][]int64)
	table.Each(int64(time.Second), func(id digest.ID, times []int64) { seen[id] = slices.Clone(times) })
	if len(seen) != 1 || !slices.Equal(seen[id(1)], []int64{10, 20}) {
		t.Errorf("got %v", seen)
	}
}

func TestExpiredKeysMakeRoomByThemselves(t *testing.T) {
	b := NewBudget(1 << 20)
	table := NewTable(time.Second, b)
	for i := range 1000 {
		table.Add(id(i), 0, 20, 0)
	}
	for i := range 600 { // each new key looks at two others
		table.Add(id(5000+i), int64(2*time.Second), 20, int64(2*time.Second))
	}
	if table.Len() > 650 || b.Entries() != int64(table.Len()) || b.EvictedLive() != 0 {
		t.Errorf("%d keys, %d counted, %d evicted", table.Len(), b.Entries(), b.EvictedLive())
	}
}

func TestAFloodPushesOutItsOwn(t *testing.T) {
	b := NewBudget(cost(20) * 100)
	table := NewTable(time.Second, b)
	for i := range 20 {
		table.Add(id(-1), int64(i), 20, int64(i))
	}
	for i := range 10000 {
		table.Add(id(i), 100, 20, 100)
	}
	if log := table.Live(id(-1), 100, All); log.N != 20 {
		t.Errorf("the limited key holds %d times, want 20", log.N)
	}
	if table.Len() > 100 || b.Used() > cost(20)*100 || b.EvictedLive() != uint64(10001-table.Len()) || b.Capacity(20) != 100 {
		t.Errorf("%d keys, %d bytes, %d evicted, room for %d", table.Len(), b.Used(), b.EvictedLive(), b.Capacity(20))
	}
}

func TestBytesPerKey(t *testing.T) {
	const keys, shards = 1 << 20, 256
	tables := make([]*Table, shards)
	b := NewBudget(1 << 40)
	for i := range tables {
		tables[i] = NewTable(time.Second, b)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keys {
		tables[i%shards].Add(id(i), 1, 20, 1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := float64(after.HeapAlloc-before.HeapAlloc) / keys; per > 150 {
		t.Errorf("%.1f bytes for each key at 20 times, at most 150 are promised", per)
	}
	t.Logf("%.1f bytes for each of %d keys", float64(after.HeapAlloc-before.HeapAlloc)/keys, keys)
	runtime.KeepAlive(tables)
}

func TestAWindowMustBeGreaterThanZero(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewTable(0, NewBudget(1))
}

func BenchmarkLive(b *testing.B) {
	table := NewTable(time.Second, NewBudget(1<<30))
	for i := range 20 {
		table.Add(id(1), int64(i), 20, int64(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		table.Live(id(1), 100, All)
	}
}

func TestClearGivesEverythingBack(t *testing.T) {
	b := NewBudget(1 << 20)
	table := NewTable(time.Second, b)
	for i := range 100 {
		table.Add(id(i), int64(i), 1+i%3, int64(i))
	}
	table.Clear()
	if table.Len() != 0 || b.Used() != 0 || b.Entries() != 0 {
		t.Errorf("%d keys, %d counted, %d bytes", table.Len(), b.Entries(), b.Used())
	}
	table.Add(id(1), 200, 3, 200)
	if log := table.Live(id(1), 200, All); log.N != 1 {
		t.Error("a cleared table can't be used again")
	}
}

// BenchmarkChurn: every key is new, and leaves its window after 100,000 others came.
func BenchmarkChurn(b *testing.B) {
	table := NewTable(100_000, NewBudget(1<<30))
	rng := rand.New(rand.NewPCG(1, 2))
	now := int64(0)
	add := func() {
		now++
		table.Add(digest.ID{Hi: rng.Uint64(), Lo: rng.Uint64()}, now, 8, now)
	}
	for range 300_000 {
		add()
	}
	b.ReportAllocs()
	for b.Loop() {
		add()
	}
}

// BenchmarkFill: a key of a table that grows to 100,000 of them.
func BenchmarkFill(b *testing.B) {
	var table *Table
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%100_000 == 0 {
			table = NewTable(time.Second, NewBudget(1<<30))
		}
		table.Add(digest.ID{Hi: uint64(i) * 0x9E3779B97F4A7C15, Lo: uint64(i)}, 1, 8, 1)
	}
}
