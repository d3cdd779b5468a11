package loopguard

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// written is a snapshot of all shards.
func written(m *Memory, now int64) (data []byte) {
	for i := range ShardCount {
		data = m.AppendShard(data, i, now)
	}
	return data
}

// chatter has two bots send, succeed, fail and be lost, and people answer.
func (d *desk) chatter(source *rand.Rand, each func(from Sender, m []Message) *Reservation) {
	for range 300 {
		d.now += time.Duration(source.Int64N(int64(20 * time.Second)))
		where := fmt.Sprint("c", source.IntN(3))
		if source.IntN(10) == 0 {
			d.reply(where, digest.ID{}, d.now)
			continue
		}
		from := Sender{Bot: numbered('b', source.IntN(2)), Token: numbered('t', source.IntN(3))}
		if res := each(from, to(where, fmt.Sprint(source.IntN(2)))); res != nil {
			switch source.IntN(4) {
			case 0:
				d.guard.GiveBack(res)
			case 1:
				res.Unknown()
			default:
				d.guard.Keep(res)
			}
		}
	}
}

// A restart is invisible: every later decision is the one that would have been
// made without it.
func TestWhatWasWrittenDownIsRemembered(t *testing.T) {
	for seed := range uint64(20) {
		source := rand.New(rand.NewPCG(seed, 3))
		d := newDesk(t)
		d.now = time.Duration(1_790_000_000_000_000_000)
		d.chatter(source, func(from Sender, m []Message) *Reservation {
			res := new(Reservation)
			if !d.guard.Reserve(int64(d.now), d.rules, from, m, res).Admitted {
				return nil
			}
			return res
		})
		after := NewMemory(16 << 20)
		if err := after.Restore(written(d.guard, int64(d.now)), int64(d.now)); err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			d.now += time.Duration(source.Int64N(int64(20 * time.Second)))
			from := Sender{Bot: numbered('b', source.IntN(2)), Token: numbered('t', source.IntN(3))}
			m := to(fmt.Sprint("c", source.IntN(3)), fmt.Sprint(source.IntN(2)))
			var one, other Reservation
			a, b := d.guard.Reserve(int64(d.now), d.rules, from, m, &one), after.Reserve(int64(d.now), d.rules, from, m, &other)
			if a.Admitted != b.Admitted || a.States[Consecutive].Used != b.States[Consecutive].Used || a.States[Identical].Used != b.States[Identical].Used {
				t.Fatalf("seed %d, step %d: without a restart %+v, with one %+v", seed, i, a, b)
			}
			if a.Admitted {
				d.guard.Keep(&one)
				after.Keep(&other)
			}
		}
	}
}

func TestADamagedSnapshotIsRefused(t *testing.T) {
	d := newDesk(t)
	d.now = time.Hour
	for range 5 {
		d.admits(bot, to("c", "a")...)
	}
	d.reply("c", digest.ID{}, d.now)
	data := written(d.guard, int64(d.now))
	for cut := range min(len(data), 4000) {
		_ = NewMemory(1<<20).Restore(data[:cut], int64(d.now)) // whatever it says, it must not fail in another way
	}
	for _, bad := range [][]byte{{0}, make([]byte, 17), {200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, append([]byte{0, 255}, make([]byte, 60)...), make([]byte, 60)} {
		if NewMemory(1<<20).Restore(bad, int64(d.now)) == nil {
			t.Errorf("%d bytes that begin with %x are accepted", len(bad), bad[:1])
		}
	}
}

func FuzzRestore(f *testing.F) {
	m := NewMemory(1 << 20)
	rules := Compile(DefaultConfig())
	var res Reservation
	m.Reserve(5, rules, bot, to("c", "a"), &res)
	m.Keep(&res)
	f.Add(written(m, 5))
	f.Fuzz(func(_ *testing.T, data []byte) {
		fresh := NewMemory(1 << 20)
		_ = fresh.Restore(data, 1<<60)
		var res Reservation
		fresh.Reserve(1<<60, rules, bot, to("c", "a"), &res)
		fresh.GiveBack(&res)
	})
}

// Earlier versions had more shards, each with the rules that it had seen last. What
// two of them wrote down that are one today is remembered whole.
func TestTheShardsOfAnEarlierVersionAreRemembered(t *testing.T) {
	long := func(cfg *Config) { cfg.Identical.Window = 10 * time.Minute }
	one, other, number := "c0", "", shardOf(idOf("c0"))
	for n := 1; other == ""; n++ {
		if name := fmt.Sprint("c", n); shardOf(idOf(name)) == number {
			other = name
		}
	}
	slow, quick := newDesk(t, long), newDesk(t)
	slow.admits(bot, to(one, "a", "a", "a", "a", "a")...)
	slow.now, quick.now = 5*time.Minute, 5*time.Minute
	quick.admits(bot, to(other, "a", "a", "a")...)
	data := slow.guard.shards[number].append(nil, byte(number), int64(slow.now))
	data = quick.guard.shards[number].append(data, byte(number+shardCount), int64(slow.now))

	after := newDesk(t, long)
	after.now = slow.now
	if err := after.guard.Restore(data, int64(after.now)); err != nil {
		t.Fatal(err)
	}
	for conversation, sent := range map[string]int{one: 5, other: 3} {
		if d := after.send(bot, to(conversation, "a")...); d.States[Identical].Used != sent+1 || d.States[Consecutive].Used != sent+1 {
			t.Errorf("after %d messages one more is counted as %+v", sent, d.States)
		}
	}
}
