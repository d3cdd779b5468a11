package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/loopguard"
)

func messagesGiveBack(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for range 30 {
		s.GiveBack(d.fly(bot, to("c", "a", "a", "b")...))
	}
	d.counts(loopguard.Identical, 0, bot, to("c", "a")...)
	d.counts(loopguard.Consecutive, 0, bot, to("c", "a")...)
}

func messagesInFlight(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	var flying []*loopguard.Reservation
	for range 8 {
		flying = append(flying, d.fly(bot, to("c", "a")...))
	}
	d.refuses(loopguard.Identical, 3*time.Minute, bot, to("c", "a")...)
	s.GiveBack(flying[3])
	d.admits(bot, to("c", "a")...)
	d.refuses(loopguard.Identical, 3*time.Minute, bot, to("c", "a")...)
}

func messagesForged(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	forged := loopguard.Sender{Bot: bot.Bot, Token: id("forged")}
	d.admits(bot, to("c", "a")...)
	var flying []*loopguard.Reservation
	for range 7 {
		flying = append(flying, d.fly(forged, to("c", "a")...))
	}
	d.refuses(loopguard.Identical, 3*time.Minute, forged, to("c", "a")...) // it blocks itself
	d.counts(loopguard.Identical, 1, bot, to("c", "a")...)
	d.counts(loopguard.Consecutive, 1, bot, to("c", "a")...)
	flying[0].Unknown() // the upstream was too slow to refuse this one
	for _, res := range flying[1:] {
		s.GiveBack(res)
	}
	d.counts(loopguard.Identical, 1, bot, to("c", "a")...)
	d.counts(loopguard.Identical, 2, forged, to("c", "a")...)
}

func messagesConfirmed(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for i := range 8 {
		d.admits(loopguard.Sender{Bot: bot.Bot, Token: id(fmt.Sprint("rotated ", i))}, to("c", "a")...)
	}
	d.refuses(loopguard.Identical, 3*time.Minute, loopguard.Sender{Bot: bot.Bot, Token: id("fresh")}, to("c", "a")...)
}

func messagesUnknown(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	second := loopguard.Sender{Bot: bot.Bot, Token: id("second token")}
	for range 8 {
		d.fly(bot, to("c", "a")...).Unknown()
	}
	d.refuses(loopguard.Identical, 3*time.Minute, bot, to("c", "a")...)
	d.counts(loopguard.Identical, 0, second, to("c", "a")...)
	d.now = 3 * time.Minute
	d.admits(bot, to("c", "a")...)
	d.counts(loopguard.Consecutive, 9, bot, to("c", "b")...)
	d.now = time.Hour
	d.counts(loopguard.Consecutive, 1, bot, to("c", "b")...)
}

func messagesLate(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	res := d.fly(bot, to("c", "a")...)
	d.now = 2 * time.Minute
	s.Keep(res)
	d.admits(bot, to("c", "a", "a", "a", "a", "a", "a", "a")...)
	d.refuses(loopguard.Identical, time.Minute, bot, to("c", "a")...)

	late := d.fly(bot, to("d", "a")...)
	d.now += 2 * time.Hour
	d.admits(bot, to("d", "b")...)
	s.Keep(late) // it left both windows while it was in flight
	d.counts(loopguard.Identical, 0, bot, to("d", "a")...)
	d.counts(loopguard.Consecutive, 1, bot, to("d", "a")...)
}

func messagesSettling(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	var flying []*loopguard.Reservation
	for i := range 8 {
		d.now = time.Duration(i) * time.Second
		flying = append(flying, d.fly(bot, to("c", "a")...))
	}
	for _, i := range []int{6, 0, 3} {
		s.Keep(flying[i])
		s.GiveBack(flying[i]) // settled already
	}
	for _, i := range []int{7, 1, 5} {
		s.GiveBack(flying[i])
		s.Keep(flying[i])
	}
	flying[4].Unknown()
	s.Keep(flying[2])
	s.Keep(new(loopguard.Reservation))
	// What counts was sent at 0, 2, 3, 4 and 6 seconds.
	d.admits(bot, to("c", "a", "a", "a")...)
	for _, sent := range []int{0, 2, 3, 4, 6, 7} {
		leaves := 3*time.Minute + time.Duration(sent)*time.Second
		d.refuses(loopguard.Identical, leaves-d.now, bot, to("c", "a")...)
		d.now = leaves
		d.admits(bot, to("c", "a")...)
	}
}

func messagesCharged(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	d.now = time.Second
	s.Charge(d.at(), d.rules, bot, to("c", "a", "a", "a", "b"))
	d.counts(loopguard.Identical, 3, bot, to("c", "a")...)
	d.counts(loopguard.Consecutive, 4, bot, to("c", "a")...)
	for range 5 {
		s.Charge(d.at(), d.rules, bot, append(to("c", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a"), to("d", "e")...))
	}
	d.refuses(loopguard.Consecutive, time.Hour, bot, to("c", "x")...)
	d.counts(loopguard.Identical, 5, bot, to("d", "e")...)
	d.now = time.Second + time.Hour
	d.counts(loopguard.Consecutive, 0, bot, to("c", "x")...)
}
