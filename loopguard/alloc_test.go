// The race detector takes memory of its own, so these tests go without it.

//go:build !race

package loopguard

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestReadingAllocatesNothing(t *testing.T) {
	var batch Batch
	f := func(name, body string) {
		t.Helper()
		in, path := []byte(body), []byte("65aa0e00aabbccddeeff0001")
		if n := testing.AllocsPerRun(100, func() {
			if err := testReader.Read(&batch, in, path); err != nil {
				t.Fatal(err)
			}
			if err := testReader.ReadEmbedded(&batch, in); in[0] == '{' && err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	f("typical", typical)
	f("escapes and fractions", `{"text":"a\n\ud83d\ude00\ud800","n":[1.5,-0,12345678901234567890,1e-7],"meta":{"b":{},"a":null}}`)
	f("a long text", `{"text":"`+strings.Repeat("Your order left the depot. ", 1000)+`"}`)
	f("many keys", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"z":1,"y":1,"x":1}`)
	t.Run("array", func(t *testing.T) {
		in := []byte("[" + strings.Repeat(`{"text":"a"},`, 50) + typical + "]")
		if n := testing.AllocsPerRun(100, func() {
			if err := testReader.Read(&batch, in, nil); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestReservingAndSettlingAllocatesNothing(t *testing.T) {
	d := newDesk(t)
	other := idOf("somebody")
	f := func(name string, messages []Message, settle func(*Reservation)) {
		t.Helper()
		var res Reservation
		if n := testing.AllocsPerRun(200, func() {
			d.now += 20 * time.Minute
			d.guard.Reserve(int64(d.now), d.rules, bot, messages, &res)
			settle(&res)
			d.guard.Reply(int64(d.now), Reply{Conversation: messages[0].Conversation, Author: other, At: int64(d.now)})
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	f("a message kept", to("c", "a"), d.guard.Keep)
	f("a message given back", to("c", "a"), d.guard.GiveBack)
	f("a message of unknown outcome", to("c", "a"), (*Reservation).Unknown)
	f("a batch", append(to("c", "a", "b", "a"), to("d", "b")...), d.guard.Keep)
	f("a refused batch", to("c", "a", "a", "a", "a", "a", "a", "a", "a", "a"), d.guard.Keep)
}

func TestTheLongestTextIsBounded(t *testing.T) {
	var batch Batch
	err := testReader.Read(&batch, make([]byte, maxText+1), nil)
	if err == nil || err.Error() != "longer than 256 MiB at byte 268435456" {
		t.Errorf("got %v", err)
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestAConversationTakesAtMost400Bytes(t *testing.T) {
	const conversations = 100_000
	d := newDesk(t)
	before := heap()
	d.guard = NewMemory(256 << 20)
	d.fill(conversations)
	taken := heap() - before
	t.Logf("%d conversations take %d bytes of heap each, %d by our own account",
		conversations, taken/conversations, d.guard.Bytes()/conversations)
	if taken/conversations > 400 {
		t.Errorf("a conversation takes %d bytes, want at most 400", taken/conversations)
	}
	if accounted := d.guard.Bytes(); accounted > taken*11/10 || accounted < taken/2 {
		t.Errorf("Bytes says %d, the heap says %d", accounted, taken)
	}
	if n := d.guard.Entries(Identical) + d.guard.Entries(Consecutive); n != 2*conversations {
		t.Errorf("%d keys are kept, want %d", n, 2*conversations)
	}
	if n := d.guard.EvictedLive(Identical) + d.guard.EvictedLive(Consecutive); n != 0 {
		t.Errorf("%d live keys were evicted", n)
	}
	runtime.KeepAlive(d.guard)
}
