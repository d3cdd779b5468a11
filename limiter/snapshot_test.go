package limiter

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// written is a snapshot of all shards.
func written(m *Memory, now int64) (data []byte) {
	for i := range m.Shards() {
		data = m.AppendShard(data, i, now)
	}
	return data
}

func numbered(n uint64) digest.ID {
	return digest.IDOf(binary.BigEndian.AppendUint64(make([]byte, 8, 16), n))
}

// traffic asks for a few hundred decisions, of two windows and with candidates.
func traffic(source *rand.Rand, decide func(now int64, ip, key Hit), now int64) int64 {
	for range 400 {
		now += source.Int64N(int64(20 * time.Millisecond))
		limit := Limit{Requests: 5, Window: time.Second}
		if source.IntN(3) == 0 {
			limit = Limit{Requests: 30, Window: time.Minute, Candidate: &Limit{Requests: 3, Window: time.Minute}}
		}
		decide(now, Hit{ID: numbered(source.Uint64N(4)), Limit: limit}, Hit{ID: numbered(10 + source.Uint64N(3)), Limit: limit})
	}
	return now
}

// A restart is invisible: every later decision is the one that would have been
// made without it.
func TestWhatWasWrittenDownGoesOnCounting(t *testing.T) {
	for seed := range uint64(20) {
		source := rand.New(rand.NewPCG(seed, 1))
		before := NewMemory(16 << 20)
		now := traffic(source, func(now int64, ip, key Hit) { before.Take(now, ip, key) }, 1_790_000_000_000_000_000)
		after := NewMemory(16 << 20)
		if err := after.Restore(written(before, now), now); err != nil {
			t.Fatal(err)
		}
		traffic(source, func(now int64, ip, key Hit) {
			a, b := before.Take(now, ip, key), after.Take(now, ip, key)
			if a.Admitted != b.Admitted || a.States != b.States {
				t.Fatalf("seed %d: without a restart %+v, with one %+v", seed, a, b)
			}
		}, now)
	}
}

func TestTimesOfAClockThatWasAheadAreTakenForNow(t *testing.T) {
	const now = int64(1_790_000_000_000_000_000)
	key := Hit{ID: numbered(1), Limit: Limit{Requests: 1, Window: time.Second}}
	ahead, m := NewMemory(1<<20), NewMemory(1<<20)
	ahead.Take(now+int64(time.Hour), Hit{}, key)
	if err := m.Restore(written(ahead, now+int64(time.Hour)), now); err != nil {
		t.Fatal(err)
	}
	if m.Take(now, Hit{}, key).Admitted || !m.Take(now+int64(time.Second), Hit{}, key).Admitted {
		t.Error("want the window to begin now")
	}
}

func TestADamagedSnapshotIsRefused(t *testing.T) {
	m := NewMemory(1 << 20)
	now := traffic(rand.New(rand.NewPCG(1, 2)), func(now int64, ip, key Hit) { m.Take(now, ip, key) }, 1)
	data := written(m, now)
	for cut := range len(data) {
		fresh := NewMemory(1 << 20)
		if err := fresh.Restore(data[:cut], now); err == nil && fresh.Entries(PerIP)+fresh.Entries(PerKey) >= m.Entries(PerIP)+m.Entries(PerKey) {
			t.Fatalf("%d of %d bytes were taken for all", cut, len(data))
		}
	}
	for _, bad := range [][]byte{{9}, make([]byte, 24), append([]byte{0xff}, data[1:]...), make([]byte, 100)} {
		if NewMemory(1<<20).Restore(bad, now) == nil {
			t.Errorf("%x is accepted", bad[:1])
		}
	}
}

func FuzzRestore(f *testing.F) {
	m := NewMemory(1 << 20)
	m.Take(5, Hit{ID: numbered(1), Limit: Limit{Requests: 3, Window: time.Second}}, Hit{})
	f.Add(written(m, 5))
	f.Fuzz(func(_ *testing.T, data []byte) {
		fresh := NewMemory(1 << 20)
		_ = fresh.Restore(data, 1<<60)
		fresh.Take(1<<60, Hit{ID: numbered(1), Limit: Limit{Requests: 3, Window: time.Second}}, Hit{})
	})
}

func TestADigestedClientCountsAsTheAddressDoes(t *testing.T) {
	r := compiled(t, nil)
	if hit := r.Digested(numbered(7)); hit.ID != numbered(7) || hit.Limit.Requests != 20 {
		t.Errorf("got %+v", hit)
	}
	if hit := r.Digested(digest.ID{}); hit.Limit.Requests != 0 {
		t.Errorf("nobody: got %+v", hit)
	}
}
