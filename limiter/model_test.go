package limiter

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// model is the promise in its plainest form: a list of admitted times for each
// key of each rule.
type model [ruleCount]map[digest.ID][]int64

func newModel() (m model) {
	for r := range m {
		m[r] = make(map[digest.ID][]int64)
	}
	return m
}

// live lists the times of a key inside the window at now.
func (m *model) live(r int, h Hit, now int64) (times []int64) {
	for _, t := range m[r][h.ID] {
		if now-t < int64(h.Limit.Window) {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	return times
}

func (m *model) take(now int64, hits [ruleCount]Hit) (admitted bool, refused Rule, waits [ruleCount]time.Duration) {
	over := [ruleCount]bool{}
	admitted = true
	for r, h := range hits {
		if h.Limit.Requests == 0 {
			continue
		}
		if times := m.live(r, h, now); len(times) >= h.Limit.Requests {
			over[r] = true
			waits[r] = time.Duration(times[len(times)-h.Limit.Requests] + int64(h.Limit.Window) - now)
			if !h.Limit.Shadow && (admitted || waits[r] > waits[refused]) {
				admitted, refused = false, Rule(r)
			}
		}
	}
	for r, h := range hits {
		if admitted && h.Limit.Requests > 0 && !over[r] {
			m[r][h.ID] = append(m[r][h.ID], now)
		}
	}
	return admitted, refused, waits
}

func id(n int) digest.ID { return digest.ID{Hi: 7, Lo: uint64(n)} }

// Random arrivals of many keys, limits that change while they are counted,
// shadows, times out of order and times exactly on a boundary: every decision is
// the naive list's, to the nanosecond.
func TestDecisionsAreThoseOfANaiveList(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m, want := NewMemory(64<<20), newModel()
		now := int64(1_700_000_000_000_000_000)
		limits := []Limit{
			{Requests: 3, Window: time.Second},
			{Requests: 5, Window: time.Second},
			{Requests: 1, Window: time.Second},
			{Requests: 3, Window: time.Second, Shadow: true},
			{},
		}
		for step := range 2000 {
			switch rng.IntN(4) {
			case 0:
				now += rng.Int64N(int64(time.Second))
			case 1:
				now += rng.Int64N(int64(50 * time.Millisecond))
			case 2: // exactly when a time leaves the window, or 1 ns before
				if times := want[0][id(rng.IntN(4))]; len(times) > 0 {
					now = max(now, times[max(0, len(times)-3)]+int64(time.Second)-rng.Int64N(2))
				}
			}
			hits := [ruleCount]Hit{
				{id(rng.IntN(4)), limits[rng.IntN(len(limits))]},
				{id(rng.IntN(4)), limits[rng.IntN(len(limits))]},
			}
			at := now - rng.Int64N(2)*rng.Int64N(1000)
			got := m.Take(at, hits[0], hits[1])
			if got.At < at || got.At > now {
				t.Fatalf("seed %d step %d: decided at %d, asked at %d", seed, step, got.At, at)
			}
			admitted, refused, waits := want.take(got.At, hits)
			if got.Admitted != admitted || (!admitted && got.Refused != refused) {
				t.Fatalf("seed %d step %d: got %+v, want admitted %v refused %v", seed, step, got, admitted, refused)
			}
			for r := range got.States {
				if got.States[r].Wait != waits[r] {
					t.Fatalf("seed %d step %d: rule %d waits %v, want %v", seed, step, r, got.States[r].Wait, waits[r])
				}
			}
		}
	}
}

func TestHalfOpenWindow(t *testing.T) {
	m := NewMemory(1 << 20)
	key := Hit{id(1), Limit{Requests: 20, Window: time.Second}}
	for i := range int64(20) {
		if d := m.Take(1000+i, Hit{}, key); !d.Admitted || d.States[PerKey].Used != int(i)+1 {
			t.Fatalf("request %d: %+v", i, d)
		}
	}
	end := int64(1000 + time.Second)
	if d := m.Take(end-1, Hit{}, key); d.Admitted || d.Refused != PerKey || d.States[PerKey].Wait != 1 {
		t.Errorf("1 ns before the oldest leaves: %+v", d)
	}
	if d := m.Take(end, Hit{}, key); !d.Admitted {
		t.Errorf("when the oldest leaves: %+v", d)
	}
	if d := m.Take(end, Hit{}, key); d.Admitted {
		t.Errorf("the second oldest is still there: %+v", d)
	}
}

func TestRefusedByOneIsChargedToNone(t *testing.T) {
	m := NewMemory(1 << 20)
	one, many := Limit{Requests: 1, Window: time.Second}, Limit{Requests: 100, Window: time.Second}
	if !m.Take(0, Hit{id(1), one}, Hit{id(2), many}).Admitted {
		t.Fatal("the first is refused")
	}
	for range 50 {
		m.Take(1, Hit{id(1), one}, Hit{id(2), many})
	}
	if d := m.Peek(1, Hit{}, Hit{id(2), many}); d.States[PerKey].Used != 1 {
		t.Errorf("the key was charged %d times, want 1", d.States[PerKey].Used)
	}
}

func TestConcurrentCallersNeverOvershoot(t *testing.T) {
	m := NewMemory(1 << 20)
	limit := Limit{Requests: 20, Window: time.Hour}
	var admitted [64]int
	var wg sync.WaitGroup
	for g := range admitted {
		wg.Go(func() {
			for i := range int64(100) {
				if m.Take(i, Hit{id(1), limit}, Hit{id(2 + g%4), limit}).Admitted {
					admitted[g]++
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range admitted {
		total += n
	}
	if total != 20 {
		t.Errorf("%d admitted, want 20", total)
	}
}

func TestAChangedWindowKeepsWhatWasCounted(t *testing.T) {
	m := NewMemory(1 << 20)
	for range 5 {
		m.Take(0, Hit{}, Hit{id(1), Limit{Requests: 5, Window: time.Second}})
	}
	if m.Take(1, Hit{}, Hit{id(1), Limit{Requests: 5, Window: 3 * time.Second}}).Admitted {
		t.Error("a longer window forgot what was counted")
	}
	if m.Take(int64(2*time.Second), Hit{}, Hit{id(1), Limit{Requests: 5, Window: 3 * time.Second}}).Admitted {
		t.Error("the counted times do not obey the longer window")
	}
	if !m.Take(int64(2*time.Second), Hit{}, Hit{id(1), Limit{Requests: 5, Window: time.Second}}).Admitted {
		t.Error("a shorter window does not apply at once")
	}
}

func TestAFullStoreSaysWhatItForgets(t *testing.T) {
	m := NewMemory(2 * 128 * 600) // about 600 keys for each rule
	limit := Limit{Requests: 20, Window: time.Second}
	victim := Hit{id(-1), limit}
	for range 20 {
		m.Take(0, Hit{}, victim)
	}
	for i := range 5000 {
		m.Take(1, Hit{}, Hit{id(i), limit})
	}
	if n := m.Entries(PerKey); n > m.Capacity(PerKey)+1 {
		t.Errorf("%d keys, room for %d", n, m.Capacity(PerKey))
	}
	if n := m.EvictedLive(PerKey); n < 4000 {
		t.Errorf("%d live keys forgotten, %d were", n, 5001-m.Entries(PerKey))
	}
	if m.EvictedLive(PerIP) != 0 || m.Bytes() == 0 {
		t.Error("the rules are not counted apart")
	}
	if m.Take(2, Hit{}, victim).Admitted {
		t.Error("a flood of new keys pushed out a limited one")
	}
	for i := range 5000 {
		m.Take(int64(10*time.Second), Hit{}, Hit{id(10000 + i%300), limit})
	}
	if n := m.EvictedLive(PerKey); n > 5001 {
		t.Errorf("%d forgotten: expired keys were counted as live", n)
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 250, 251, 252})
	f.Add([]byte{9, 9, 9, 9, 9, 9, 9, 128, 9})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m, want := NewMemory(8<<20), newModel()
		now := int64(0)
		for i := 0; i+1 < len(steps); i += 2 {
			now += int64(steps[i]) * int64(time.Second) / 64
			hits := [ruleCount]Hit{
				{id(int(steps[i+1] & 3)), Limit{Requests: 1 + int(steps[i+1]>>2&3), Window: time.Second}},
				{id(int(steps[i+1] >> 4 & 3)), Limit{Requests: int(steps[i+1] >> 6 & 3), Window: time.Second, Shadow: i%5 == 0}},
			}
			admitted, refused, _ := want.take(now, hits)
			if got := m.Take(now, hits[0], hits[1]); got.Admitted != admitted || (!admitted && got.Refused != refused) {
				t.Fatalf("step %d: got %+v, want admitted %v refused %v", i, got, admitted, refused)
			}
		}
	})
}
