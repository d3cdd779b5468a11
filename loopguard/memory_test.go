package loopguard

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

func numbered(kind byte, i int) digest.ID {
	return testHasher.Sum(binary.BigEndian.AppendUint64([]byte{kind}, uint64(i)))
}

// fill lets a bot write once in each of n conversations, and a person answer.
func (d *desk) fill(n int) {
	d.t.Helper()
	var res Reservation
	messages := make([]Message, 1)
	for i := range n {
		d.now += time.Microsecond
		messages[0] = Message{Conversation: numbered('c', i), Content: idOf("hello")}
		if !d.guard.Reserve(int64(d.now), d.rules, bot, messages, &res).Admitted {
			d.t.Fatalf("conversation %d: refused", i)
		}
		d.guard.Keep(&res)
		d.guard.Reply(int64(d.now), Reply{Conversation: messages[0].Conversation, At: int64(d.now)})
	}
}

func TestMemoryIsBoundedAndEvictionIsCounted(t *testing.T) {
	const limit = 2 << 20
	d := newDesk(t)
	d.guard = NewMemory(limit)
	d.fill(20_000)
	if bytes := d.guard.Bytes(); bytes > limit {
		t.Errorf("%d bytes are taken, want at most %d", bytes, limit)
	}
	for rule := range Rule(RuleCount) {
		entries, capacity := d.guard.Entries(rule), d.guard.Capacity(rule)
		if entries > capacity || entries < capacity*8/10 {
			t.Errorf("%v: %d keys are kept, there is room for %d", rule, entries, capacity)
		}
		if evicted := d.guard.EvictedLive(rule); int64(evicted) < 20_000-capacity {
			t.Errorf("%v: %d live keys were evicted of 20000, with room for %d", rule, evicted, capacity)
		}
	}
}

// A flood of keys that were seen once pushes out its own, not the conversation
// in which a bot is looping.
func TestAFloodDoesNotMakeTheGuardForgetALoop(t *testing.T) {
	d := newDesk(t)
	d.guard = NewMemory(2 << 20)
	for i := range 20 {
		d.admits(bot, to("loop", fmt.Sprint(i%3))...)
	}
	d.fill(20_000)
	if d.send(bot, to("loop", "x")...).Admitted {
		t.Error("the loop is forgotten")
	}
}

func TestWhatIsOverMakesRoomAgain(t *testing.T) {
	d := newDesk(t)
	d.guard = NewMemory(2 << 20)
	d.fill(3000)
	before := d.guard.EvictedLive(Consecutive)
	for range 3 {
		d.now += 2 * time.Hour
		d.fill(3000)
	}
	if after := d.guard.EvictedLive(Consecutive); after != before {
		t.Errorf("%d live keys were evicted although all others had expired", after-before)
	}
}

func TestAChangedWindowKeepsTheAccount(t *testing.T) {
	d := newDesk(t)
	d.fill(500)
	entries, bytes := d.guard.Entries(Consecutive), d.guard.Bytes()
	for _, window := range []time.Duration{2 * time.Hour, 24 * time.Hour, time.Hour} {
		cfg := DefaultConfig()
		cfg.Consecutive.Window = window
		d.rules = Compile(cfg)
		for i := range 500 { // in every shard
			d.send(bot, Message{Conversation: numbered('c', i), Content: idOf("hello")})
		}
		if e, b := d.guard.Entries(Consecutive), d.guard.Bytes(); e != entries || b != bytes {
			t.Errorf("window %v: %d keys in %d bytes, want %d in %d", window, e, b, entries, bytes)
		}
	}
}

func TestCapacityFollowsTheLimitInForce(t *testing.T) {
	d := newDesk(t)
	before := d.guard.Capacity(Consecutive)
	cfg := DefaultConfig()
	cfg.Consecutive.Messages = 2000
	d.rules = Compile(cfg)
	d.admits(bot, to("c", "a")...)
	if after := d.guard.Capacity(Consecutive); after >= before/10 || after == 0 {
		t.Errorf("room for %d keys of 20 messages and %d of 2000", before, after)
	}
}

func TestAHugeBatchLeavesNoMemoryBehind(t *testing.T) {
	d := newDesk(t)
	messages := make([]Message, 20_000)
	for i := range messages {
		messages[i] = Message{Conversation: numbered('c', i), Content: idOf("hello")}
	}
	var res Reservation
	if !d.guard.Reserve(0, d.rules, bot, messages, &res).Admitted {
		t.Fatal("refused")
	}
	d.guard.Keep(&res)
	if cap(res.holds) != 0 || cap(res.sorted) != 0 {
		t.Errorf("a settled reservation holds on to %d holds and %d messages", cap(res.holds), cap(res.sorted))
	}
}
