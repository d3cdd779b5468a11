package loopguard

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// fly reserves without settling.
func (d *desk) fly(from Sender, messages ...Message) *Reservation {
	d.t.Helper()
	res := new(Reservation)
	if decision := d.guard.Reserve(int64(d.now), d.rules, from, messages, res); !decision.Admitted {
		d.t.Errorf("at %v: refused: %+v", d.now, decision)
	}
	return res
}

func TestWhatIsGivenBackWasNeverThere(t *testing.T) {
	d := newDesk(t)
	for range 100 {
		d.guard.GiveBack(d.fly(bot, to("c", "a", "a", "b")...))
	}
	if s := d.admits(bot, to("c", "a")...).States; s[Identical].Used != 1 || s[Consecutive].Used != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestPlacesAreTakenBeforeTheUpstreamAnswers(t *testing.T) {
	d := newDesk(t)
	var flying []*Reservation
	for range 8 {
		flying = append(flying, d.fly(bot, to("c", "a")...))
	}
	d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
	d.guard.GiveBack(flying[3])
	d.admits(bot, to("c", "a")...)
	d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
}

func TestSettlingOutOfOrderIsExact(t *testing.T) {
	d := newDesk(t)
	var flying []*Reservation
	for i := range 8 {
		d.now = time.Duration(i) * time.Second
		flying = append(flying, d.fly(bot, to("c", "a")...))
	}
	for _, i := range []int{6, 0, 3} {
		d.guard.Keep(flying[i])
	}
	for _, i := range []int{7, 1, 5} {
		d.guard.GiveBack(flying[i])
	}
	flying[4].Unknown()
	d.guard.Keep(flying[2])
	// What counts was sent at 0, 2, 3, 4 and 6 seconds.
	d.admits(bot, to("c", "a", "a", "a")...)
	for _, sent := range []time.Duration{0, 2, 3, 4, 6, 7} {
		leaves := 3*time.Minute + sent*time.Second
		d.refuses(Identical, leaves-d.now, bot, to("c", "a")...)
		d.now = leaves
		d.admits(bot, to("c", "a")...)
	}
}

func TestSettlingTwiceDoesNothing(t *testing.T) {
	d := newDesk(t)
	res := d.fly(bot, to("c", "a")...)
	d.guard.Keep(res)
	d.guard.GiveBack(res)
	d.guard.Keep(res)
	res.Unknown()
	d.guard.Keep(new(Reservation))
	if s := d.admits(bot, to("c", "a")...).States[Identical]; s.Used != 2 {
		t.Errorf("got %+v", s)
	}
	refused := new(Reservation)
	nine := to("c", "b", "b", "b", "b", "b", "b", "b", "b", "b")
	d.guard.Reserve(int64(d.now), d.rules, bot, nine, refused)
	d.guard.Keep(refused)
	if s := d.admits(bot, to("c", "b")...).States[Identical]; s.Used != 1 {
		t.Errorf("a refused reservation was kept: %+v", s)
	}
}

// A message counts at the time at which it was sent, not at which the upstream
// answered.
func TestALateAnswerCountsAtTheTimeOfTheRequest(t *testing.T) {
	d := newDesk(t)
	res := d.fly(bot, to("c", "a")...)
	d.now = 2 * time.Minute
	d.guard.Keep(res)
	d.admits(bot, to("c", "a", "a", "a", "a", "a", "a", "a")...)
	d.refuses(Identical, time.Minute, bot, to("c", "a")...)

	late := d.fly(bot, to("d", "a")...)
	d.now += 2 * time.Hour
	d.admits(bot, to("d", "b")...)
	d.guard.Keep(late) // it left both windows while it was in flight
	if s := d.admits(bot, to("d", "a")...).States; s[Identical].Used != 1 || s[Consecutive].Used != 2 {
		t.Errorf("got %+v", s)
	}
}

// A forged token claims the bot's id. Whatever it does, the upstream refuses it.
func TestAForgedTokenNeitherSpendsNorBlocksNorResets(t *testing.T) {
	d := newDesk(t)
	forged := Sender{Bot: bot.Bot, Token: idOf("forged")}
	d.admits(bot, to("c", "a")...)
	var flying []*Reservation
	for range 7 {
		flying = append(flying, d.fly(forged, to("c", "a")...))
	}
	d.refuses(Identical, 3*time.Minute, forged, to("c", "a")...) // it blocks itself
	if s := d.admits(bot, to("c", "a")...).States[Identical]; s.Used != 2 {
		t.Errorf("while the forged requests are in flight: %+v", s)
	}
	flying[0].Unknown() // the upstream was too slow to refuse this one
	for _, res := range flying[1:] {
		d.guard.GiveBack(res)
	}
	if s := d.admits(bot, to("c", "a")...).States[Identical]; s.Used != 3 {
		t.Errorf("after the forged requests: %+v", s)
	}
}

func TestWhatIsConfirmedCountsForEveryTokenOfTheBot(t *testing.T) {
	d := newDesk(t)
	for i := range 8 {
		d.admits(Sender{Bot: bot.Bot, Token: idOf(fmt.Sprint("rotated ", i))}, to("c", "a")...)
	}
	d.refuses(Identical, 3*time.Minute, Sender{Bot: bot.Bot, Token: idOf("fresh")}, to("c", "a")...)
}

func TestAnUnknownOutcomeCountsForItsTokenOnly(t *testing.T) {
	d := newDesk(t)
	second := Sender{Bot: bot.Bot, Token: idOf("second token")}
	for range 8 {
		d.fly(bot, to("c", "a")...).Unknown()
	}
	d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
	d.admits(second, to("c", "a")...)
	d.now = 3 * time.Minute
	d.admits(bot, to("c", "a")...)
}

func TestAReservationReusedUnsettledIsUnknown(t *testing.T) {
	d := newDesk(t)
	res := d.fly(bot, to("c", "a")...)
	d.guard.Reserve(int64(d.now), d.rules, bot, to("d", "a"), res)
	d.guard.GiveBack(res)
	if s := d.admits(bot, to("c", "a")...).States[Identical]; s.Used != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestChargedMessagesCountAndAreNeverRefused(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Consecutive.Mode = unit.Shadow })
	d.now = time.Second
	d.guard.Charge(int64(d.now), d.rules, bot, to("c", "a", "a", "a", "b"))
	if s := d.admits(bot, to("c", "a")...).States; s[Identical].Used != 4 || s[Consecutive].Used != 5 {
		t.Errorf("got %+v", s)
	}
	for range 5 {
		d.guard.Charge(int64(d.now), d.rules, bot, to("c", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a"))
	}
	d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
	d.now = time.Second + 3*time.Minute
	if s := d.admits(bot, to("c", "a")...).States; s[Identical].Used != 1 || !s[Consecutive].Over {
		t.Errorf("got %+v", s)
	}
}

func TestAReplyResetsTheStreakAndNothingElse(t *testing.T) {
	d := newDesk(t)
	other := Sender{Bot: idOf("other bot"), Token: idOf("other token")}
	for i := range 20 {
		d.now++
		d.admits(bot, to("c", fmt.Sprint(i%3))...)
		d.admits(other, to("c", fmt.Sprint(i%3))...)
	}
	if !d.reply("c", person, d.now) {
		t.Error("the reply resets nothing")
	}
	for _, from := range []Sender{bot, other} {
		if s := d.admits(from, to("c", "2")...).States; s[Consecutive].Used != 1 || s[Identical].Used != 7 {
			t.Errorf("got %+v", s)
		}
	}
	if s := d.admits(bot, to("d", "x")...).States[Consecutive]; s.Used != 1 {
		t.Errorf("another conversation: %+v", s)
	}
}

func TestABotIsNotItsOwnConsumer(t *testing.T) {
	d := newDesk(t)
	other := Sender{Bot: idOf("integration"), Token: idOf("its token")}
	d.admits(bot, to("c", "a", "b")...)
	d.admits(other, to("c", "a", "b")...)
	d.now = time.Second
	d.reply("c", other.Bot, d.now) // it carries a consumer's words
	d.now = 2 * time.Second
	if s := d.admits(bot, to("c", "c")...).States[Consecutive]; s.Used != 1 {
		t.Errorf("the other bot's streak: %+v", s)
	}
	if s := d.admits(other, to("c", "c")...).States[Consecutive]; s.Used != 3 {
		t.Errorf("the author's own streak: %+v", s)
	}
}

func TestAReplyClearsByTimeAndNotByArrival(t *testing.T) {
	d := newDesk(t)
	used := func(want int) {
		t.Helper()
		var probe Reservation
		decision := d.guard.Reserve(int64(d.now), d.rules, bot, to("c", "probe"), &probe)
		d.guard.GiveBack(&probe)
		if got := decision.States[Consecutive].Used - 1; got != want {
			t.Errorf("at %v: %d messages count, want %d", d.now, got, want)
		}
	}
	for i := range 10 {
		d.now = time.Duration(i) * time.Minute
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	flying := d.fly(bot, to("c", "slow")...) // at 9 minutes
	used(11)
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
		if got := d.reply("c", person, reply.at); got != reply.reset {
			t.Errorf("a reply at %v resets: %v", reply.at, got)
		}
		used(reply.left)
	}
	d.guard.Keep(flying) // the upstream answers at last; the reply came after the message
	used(0)
	d.now = 30 * time.Minute // the reply from the future must not clear this one
	d.admits(bot, to("c", "x")...)
	used(1)
}

func TestAnOldReplyIsForgottenWithItsWindow(t *testing.T) {
	d := newDesk(t)
	d.reply("c", person, 0)
	before := d.guard.Bytes()
	for i := range 1000 {
		d.now = time.Hour + time.Duration(i)*time.Minute
		d.reply(fmt.Sprint("c", i), person, d.now)
	}
	if after := d.guard.Bytes(); after > before+shardCount*fewestReplies*2*replyBytes {
		t.Errorf("%d bytes for the replies of an hour, %d for one", after, before)
	}
}

// A reply and the messages around it may fall into the tick to which times are
// kept. Then the order in which they arrive decides.
func TestAReplyIsExactToTheOrderWithinATick(t *testing.T) {
	for _, window := range []time.Duration{time.Second, 3 * time.Minute, time.Hour, 24 * time.Hour} {
		d := newDesk(t, func(c *Config) { c.Consecutive.Window = window })
		d.now = window
		for i := range 5 {
			d.admits(bot, to("c", fmt.Sprint(i))...)
			d.reply("c", person, d.now)
			d.reply("c", person, d.now)
		}
		for i := range 20 {
			if s := d.admits(bot, to("c", fmt.Sprint(i))...).States[Consecutive]; s.Used != i+1 {
				t.Errorf("window %v, message %d: %+v", window, i+1, s)
			}
		}
	}
}
