package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/loopguard"
)

func messagesReply(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	other := loopguard.Sender{Bot: id("other bot"), Token: id("other token")}
	for i := range 20 {
		d.now += time.Millisecond
		d.admits(bot, to("c", fmt.Sprint(i%3))...)
		d.admits(other, to("c", fmt.Sprint(i%3))...)
	}
	if !d.reply(person, d.now) {
		t.Error("the reply resets nothing")
	}
	for _, from := range []loopguard.Sender{bot, other} {
		d.counts(loopguard.Consecutive, 0, from, to("c", "2")...)
		d.counts(loopguard.Identical, 6, from, to("c", "2")...)
	}
	d.admits(bot, to("d", "x")...)
	d.reply(person, d.now)
	d.counts(loopguard.Consecutive, 1, bot, to("d", "x")...)
}

func messagesReset(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for range 8 {
		d.admits(bot, to("c", "a")...)
		d.admits(bot, to("d", "a")...)
	}
	s.Reset(d.at(), d.rules, id("c"))
	d.counts(loopguard.Identical, 0, bot, to("c", "a")...)
	d.counts(loopguard.Consecutive, 0, bot, to("c", "a")...)
	d.counts(loopguard.Identical, 8, bot, to("d", "a")...)
	for range 8 {
		d.admits(bot, to("c", "a")...)
	}
	d.refuses(loopguard.Identical, 3*time.Minute, bot, to("c", "a")...)
}

func messagesAuthor(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	other := loopguard.Sender{Bot: id("integration"), Token: id("its token")}
	d.admits(bot, to("c", "a", "b")...)
	d.admits(other, to("c", "a", "b")...)
	d.now = time.Second
	d.reply(other.Bot, d.now) // it carries a consumer's words
	d.now = 2 * time.Second
	d.counts(loopguard.Consecutive, 0, bot, to("c", "c")...)
	d.counts(loopguard.Consecutive, 2, other, to("c", "c")...)
	d.reply(bot.Bot, d.now)
	d.now = 3 * time.Second
	d.counts(loopguard.Consecutive, 0, other, to("c", "c")...)
	d.admits(bot, to("c", "c")...)
	d.reply(bot.Bot, d.now)
	d.counts(loopguard.Consecutive, 1, bot, to("c", "d")...)
}

func messagesReplyTimes(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for i := range 10 {
		d.now = time.Duration(i) * time.Minute
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	flying := d.fly(bot, to("c", "slow")...) // at 9 minutes
	d.counts(loopguard.Consecutive, 11, bot, to("c", "probe")...)
	d.now = 20 * time.Minute
	for _, reply := range []struct {
		at    time.Duration
		reset bool
		left  int
	}{
		{4 * time.Minute, true, 6},
		{4 * time.Minute, false, 6},  // repeated
		{2 * time.Minute, false, 6},  // out of order
		{7 * time.Minute, true, 3},   // late, and newer
		{-2 * time.Hour, false, 3},   // from before the window
		{50 * time.Minute, true, 0},  // from the future: now
		{19 * time.Minute, false, 0}, // late again
	} {
		if got := d.reply(person, reply.at); got != reply.reset {
			t.Errorf("a reply at %v resets: %v", reply.at, got)
		}
		d.counts(loopguard.Consecutive, reply.left, bot, to("c", "probe")...)
	}
	s.Keep(flying) // the upstream answers at last; the reply came after the message
	d.counts(loopguard.Consecutive, 0, bot, to("c", "probe")...)
	d.now = 30 * time.Minute // the reply from the future must not clear this one
	d.admits(bot, to("c", "x")...)
	d.counts(loopguard.Consecutive, 1, bot, to("c", "probe")...)
	wall := loopguard.Reply{Conversation: id("c"), At: d.at(), Wall: d.at(), Window: time.Hour}
	if !s.Reply(d.at(), wall) || s.Reply(d.at()+int64(time.Minute), wall) {
		t.Error("a report of a reply that passed elsewhere is news once")
	}
	d.counts(loopguard.Consecutive, 0, bot, to("c", "probe")...)
}

// A reply and the messages around it may fall into one instant. Then the order in
// which they arrive decides.
func messagesReplyInstant(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	d.now = time.Hour
	for i := range 5 {
		d.admits(bot, to("c", fmt.Sprint(i))...)
		d.reply(person, d.now)
		d.reply(person, d.now)
	}
	for i := range 20 {
		if got := d.admits(bot, to("c", fmt.Sprint(i))...).States[loopguard.Consecutive]; got.Used != i+1 {
			t.Errorf("message %d: %+v", i+1, got)
		}
	}
}

func messagesDetected(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	detected := func(want bool, messages ...loopguard.Message) {
		t.Helper()
		decision, res := d.reserve(bot, messages...)
		s.Keep(res)
		if got := decision.States[loopguard.Identical].Detected; got != want {
			t.Errorf("at %v: detected %v, want %v", d.now, got, want)
		}
	}
	detected(false, to("c", "a", "a", "a", "a", "a", "a", "a", "a", "a")...) // too large, but not blocked
	for range 8 {
		detected(false, to("c", "a")...)
	}
	detected(true, to("c", "a")...)
	detected(false, to("c", "a")...)
	d.now = 3 * time.Minute
	detected(false, to("c", "a", "a", "a", "a", "a", "a", "a", "a")...)
	detected(true, to("c", "a")...)
}
