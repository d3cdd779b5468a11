package loopguard

import (
	"math/rand/v2"
	"testing"

	"github.com/chatshipper/gateway/internal/digest"
)

var person digest.ID

func idOf(name string) digest.ID { return testHasher.Sum([]byte(name)) }

func TestAReplyIsForEveryBotButItsAuthor(t *testing.T) {
	r := newReplies(1 << 20)
	c, ada, bob, eve := idOf("c"), idOf("ada"), idOf("bob"), idOf("eve")
	since := func(bot digest.ID, want int64) {
		t.Helper()
		if got := r.since(c, bot); got != want {
			t.Errorf("since is %d, want %d", got, want)
		}
	}
	add := func(author digest.ID, at int64, news bool) {
		t.Helper()
		if got := r.add(c, author, at, 0); got != news {
			t.Errorf("a reply at %d is news: %v, want %v", at, got, news)
		}
	}
	since(ada, never)
	add(ada, 10, true)
	since(ada, never)
	since(bob, 10)
	add(ada, 10, false) // heard twice
	add(bob, 20, true)
	since(ada, 20)
	since(bob, 10)
	since(eve, 20)
	add(ada, 15, true) // late: news to bob only
	since(ada, 20)
	since(bob, 15)
	since(eve, 20)
	add(ada, 12, false) // later still: news to nobody
	add(person, 18, true)
	since(bob, 18)
	since(ada, 20)
	add(person, 30, true)
	add(bob, 25, false) // everybody has had a later one
	since(ada, 30)
	since(bob, 30)
	add(eve, 40, true)
	add(eve, 50, true)
	since(eve, 30)
	since(ada, 50)
	if r.since(idOf("elsewhere"), ada) != never {
		t.Error("a reply counts in another conversation")
	}
}

func TestAReplyNowhereOrTooOldIsNone(t *testing.T) {
	r := newReplies(1 << 20)
	if r.add(digest.ID{}, person, 10, 0) || r.add(idOf("c"), person, 5, 5) || r.used != 0 {
		t.Error("a reply was kept that can't matter")
	}
	if r.since(digest.ID{}, idOf("ada")) != never {
		t.Error("there is a reply nowhere")
	}
}

// The table has to find everything that it holds, however it was filled, swept
// and grown; the naive one is a map that never forgets.
func TestRepliesAreFoundAsInAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r := newReplies(1 << 20)
	naive := map[digest.ID]int64{}
	const window = 2000
	for now := int64(window); now < 20_000; now++ {
		c := digest.ID{Hi: 1, Lo: uint64(rng.IntN(3000))}
		if rng.IntN(4) == 0 {
			c.Lo <<= 32 // the same home for all
		}
		at := now - int64(rng.IntN(window/2))
		r.add(c, person, at, now-window)
		naive[c] = max(naive[c], at)
		probe := digest.ID{Hi: 1, Lo: uint64(rng.IntN(3000))}
		want, ok := naive[probe]
		if !ok {
			want = never
		}
		if got := r.since(probe, idOf("bot")); got != want && (got != never || want > now-window) {
			t.Fatalf("at %d: since is %d, want %d", now, got, want)
		}
	}
	if r.evicted != 0 || r.used > 4000 {
		t.Errorf("%d replies are kept, %d were evicted", r.used, r.evicted)
	}
}

func TestAFullTableForgetsOldRepliesFirst(t *testing.T) {
	const room = 1 << 14
	r := newReplies(room)
	name := func(i int) digest.ID { return digest.ID{Hi: uint64(i), Lo: uint64(i) * 0x9E3779B97F4A7C15} }
	for i := 1; i <= 1000; i++ {
		r.add(name(i), person, int64(i), 0)
	}
	if r.bytes() > room || r.used < 190 || int(r.evicted) != 1000-r.used {
		t.Errorf("%d replies in %d bytes, %d evicted", r.used, r.bytes(), r.evicted)
	}
	kept := 0
	for i := 901; i <= 1000; i++ {
		if r.since(name(i), idOf("bot")) == int64(i) {
			kept++
		}
	}
	if kept < 80 {
		t.Errorf("only %d of the 100 newest replies are there", kept)
	}
	before := r.evicted
	for i := 2001; i <= 2100; i++ {
		r.add(name(i), person, int64(i), 2000) // all that was there is dead by now
	}
	if r.evicted != before {
		t.Errorf("%d live replies were evicted although there were dead ones", r.evicted-before)
	}
}

func TestTheSmallestTableHoldsSomething(t *testing.T) {
	r := newReplies(0)
	for i := range 100 {
		c := digest.ID{Hi: 1, Lo: uint64(i)}
		r.add(c, person, int64(i+1), 0)
		if r.since(c, idOf("bot")) != int64(i+1) {
			t.Fatalf("reply %d is forgotten at once", i)
		}
	}
	if len(r.slots) != fewestReplies {
		t.Errorf("%d slots", len(r.slots))
	}
}
