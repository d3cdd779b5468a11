package proxy

import (
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

func TestTheMostRefusedAreThoseOfTheLastSpans(t *testing.T) {
	minute := int64(time.Minute)
	now := int64(time.Hour)
	o := newOffenders(now)
	who := func(n uint64) offender { return offender{rule: "per_ip", who: digest.ID{Hi: n << 16}, limit: 20} }
	want := func(n uint64, count uint64, since int64) {
		t.Helper()
		o.turn(now)
		list := o.top(offendingIP, 5)
		var got uint64
		for _, item := range list {
			if item.Who == who(n).who.Short() {
				got = item.Refused
			}
		}
		if got != count || o.started[1] != since {
			t.Errorf("after %v: %d times since %v, want %d since %v: %+v", time.Duration(now), got, time.Duration(o.started[1]), count, time.Duration(since), list)
		}
	}
	start := now
	o.add(now, offendingIP, who(1))
	now += 9 * minute
	o.add(now, offendingIP, who(1))
	want(1, 2, start)
	now += 5 * minute // the next span begins with the first who comes
	o.add(now, offendingIP, who(2))
	second := now
	want(1, 2, start)
	want(2, 1, start)
	now += 9 * minute
	want(1, 2, start)
	now += minute
	want(1, 0, second)
	want(2, 1, second)
	if _, ok := o.find(offendingIP, who(2).who.Short()); !ok {
		t.Error("who is listed is not found")
	}
	if _, ok := o.find(offendingKey, who(2).who.Short()); ok {
		t.Error("a client is found among the keys")
	}
	now += 45 * minute // nobody was refused for long
	want(2, 0, now)
	if _, ok := o.find(offendingIP, who(1).who.Short()); ok {
		t.Error("who is forgotten is found")
	}
}
