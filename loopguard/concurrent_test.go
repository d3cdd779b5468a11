package loopguard

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// allAtOnce lets n senders start together and counts the admitted.
func allAtOnce(n int, send func(i int) (admitted bool)) int64 {
	var admitted atomic.Int64
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			if send(i) {
				admitted.Add(1)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return admitted.Load()
}

func TestOfAHundredIdenticalPostsAtOnceEightPass(t *testing.T) {
	for round := range 20 {
		d := newDesk(t)
		if got := allAtOnce(100, func(int) bool { return d.send(bot, to("c", "a")...).Admitted }); got != 8 {
			t.Fatalf("round %d: %d were admitted", round, got)
		}
	}
}

func TestOfAHundredDifferentPostsAtOnceTwentyPass(t *testing.T) {
	for round := range 20 {
		d := newDesk(t)
		if got := allAtOnce(100, func(i int) bool { return d.send(bot, to("c", fmt.Sprint(i))...).Admitted }); got != 20 {
			t.Fatalf("round %d: %d were admitted", round, got)
		}
	}
}

// Batches over many shards, replies, charges, reloads and scrapes, all at once:
// nobody waits for ever, and nothing is lost.
func TestEverythingAtOnceLosesNothing(t *testing.T) {
	d := newDesk(t)
	var everywhere, backwards []Message
	for i := range 100 {
		everywhere = append(everywhere, to(fmt.Sprint("c", i), "a")...)
		backwards = append(backwards, to(fmt.Sprint("c", 99-i), "a")...)
	}
	cfg := DefaultConfig()
	cfg.Consecutive.Window = 50 * time.Minute
	changed := Compile(cfg)
	admitted := allAtOnce(64, func(i int) bool {
		var res Reservation
		messages, rules := everywhere, d.rules
		if i%2 == 0 {
			messages = backwards
		}
		if i%4 == 0 {
			rules = changed
		}
		decision := d.guard.Reserve(int64(i), rules, bot, messages, &res)
		d.guard.Reply(int64(i), Reply{Conversation: idOf("elsewhere"), At: int64(i)})
		d.guard.Charge(int64(i), d.rules, bot, to("charged", "a"))
		_ = d.guard.Bytes() + d.guard.Entries(Identical) + int64(d.guard.EvictedLive(Consecutive))
		d.guard.Keep(&res)
		return decision.Admitted
	})
	if admitted != 8 {
		t.Errorf("%d batches of 64 were admitted", admitted)
	}
	for i := range 100 {
		if s := d.admits(bot, to(fmt.Sprint("c", i), "b")...).States[Consecutive]; s.Used != 9 {
			t.Fatalf("conversation %d: %+v", i, s)
		}
	}
	if d.send(bot, to("charged", "a")...).Admitted {
		t.Error("what was charged is lost")
	}
}
