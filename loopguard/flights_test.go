package loopguard

import (
	"fmt"
	"testing"
	"time"
)

// manyAtOnce reserves a message in each of more conversations than the lists of what is
// in flight have places.
func manyAtOnce(d *desk) []*Reservation {
	d.t.Helper()
	list := make([]*Reservation, 3*mostFlights*shardCount)
	for i := range list {
		list[i] = new(Reservation)
		if !d.guard.Reserve(int64(d.now), d.rules, bot, to(fmt.Sprint("c", i), "a"), list[i]).Admitted {
			d.t.Fatalf("message %d is refused", i)
		}
	}
	return list
}

// uses wants one more message in each of these conversations to be counted as the n-th.
func (d *desk) uses(n, conversations int) {
	d.t.Helper()
	for i := range conversations {
		var res Reservation
		got := d.guard.Reserve(int64(d.now), d.rules, bot, to(fmt.Sprint("c", i), "a"), &res)
		d.guard.GiveBack(&res)
		if got.States[Consecutive].Used != n || got.States[Identical].Used != n {
			d.t.Fatalf("a message in conversation %d is counted as %+v, want %d", i, got.States, n)
		}
	}
}

func TestMoreInFlightThanTheListsHold(t *testing.T) {
	for name, settle := range map[string]func(d *desk, res *Reservation) (counted int){
		"kept":       func(d *desk, res *Reservation) int { d.guard.Keep(res); return 1 },
		"given back": func(d *desk, res *Reservation) int { d.guard.GiveBack(res); return 0 },
		"unknown":    func(_ *desk, res *Reservation) int { res.Unknown(); return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.now = time.Hour
			list := manyAtOnce(d)
			if n := d.guard.Entries(Consecutive); n != int64(len(list)) {
				t.Errorf("%d entries of %d messages in flight", n, len(list))
			}
			d.uses(2, len(list))
			d.now += time.Second
			counted := 0
			for _, res := range list {
				counted = settle(d, res)
			}
			d.uses(1+counted, len(list))
			if n := d.guard.Entries(Consecutive); n != int64(counted*len(list)) {
				t.Errorf("%d entries of %d messages that are settled", n, len(list))
			}
			d.now += 2 * time.Hour
			d.uses(1, len(list))
			if n := d.guard.EvictedLive(Consecutive) + d.guard.EvictedLive(Identical); n != 0 {
				t.Errorf("%d were forgotten for want of room", n)
			}
		})
	}
}

// What flew under rules that are no more is settled, and counts, all the same.
func TestAFlightOutlastsItsRules(t *testing.T) {
	d := newDesk(t)
	d.now = time.Hour
	list := manyAtOnce(d)
	d.rules = newDesk(t, func(cfg *Config) { cfg.Identical.Window = 10 * time.Minute }).rules
	d.uses(2, len(list))
	for _, res := range list {
		d.guard.Keep(res)
	}
	d.now += 5 * time.Minute
	d.uses(2, len(list))
}
