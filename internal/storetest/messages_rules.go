package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/loopguard"
)

func messagesModes(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s, func(c *loopguard.Config) {
		c.Identical.Mode, c.Identical.Messages, c.Consecutive.Messages = unit.Shadow, 2, 6
	})
	for i := range 6 {
		state := d.admits(bot, to("c", "a")...).States[loopguard.Identical]
		if state.Over != (i >= 2) || state.Used != min(i+1, 2) || state.Detected != (i == 2) {
			t.Errorf("message %d: %+v", i+1, state)
		}
	}
	d.refuses(loopguard.Consecutive, time.Hour, bot, to("c", "b")...)
	d.rules = rulesWith(func(c *loopguard.Config) { c.Consecutive.Mode, c.Identical.Mode = unit.Off, unit.Off })
	if state := d.admits(bot, to("c", "b")...).States[loopguard.Consecutive]; state.Limit.Messages != 0 || state.Used != 0 {
		t.Errorf("a rule that is off: %+v", state)
	}
	d.rules = rulesWith()
	d.counts(loopguard.Consecutive, 6, bot, to("c", "b")...)
	d.counts(loopguard.Identical, 0, bot, to("c", "b")...)
}

func messagesChanged(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for i := range 6 {
		d.now = time.Duration(i) * time.Second
		d.admits(bot, to("c", "a")...)
	}
	d.rules = rulesWith(func(c *loopguard.Config) { c.Identical.Messages = 3 })
	d.refuses(loopguard.Identical, 3*time.Minute-2*time.Second, bot, to("c", "a")...) // four of six have to leave
	d.rules = rulesWith(func(c *loopguard.Config) { c.Identical.Messages = 7 })
	d.admits(bot, to("c", "a")...)
	d.refuses(loopguard.Identical, 3*time.Minute-5*time.Second, bot, to("c", "a")...)
	d.rules = rulesWith(func(c *loopguard.Config) { c.Identical.Messages, c.Identical.Window = 7, 10*time.Second })
	d.now = 11 * time.Second
	d.counts(loopguard.Identical, 5, bot, to("c", "a")...) // those at 0 and 1 s have left a window of 10 s
	d.rules = rulesWith()
	d.now = 12 * time.Second
	d.counts(loopguard.Consecutive, 7, bot, to("c", "b")...)
}

// Half of the requests settle while the others still ask; some fail and give
// their places back for others to take.
func messagesTogether(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	flood := func(want int64, message func(i int) []loopguard.Message) {
		t.Helper()
		var created atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				decision, res := d.reserve(bot, message(i)...)
				if !decision.Admitted {
					return
				}
				if i%10 == 9 {
					s.GiveBack(res)
					return
				}
				created.Add(1)
				s.Keep(res)
			})
		}
		wg.Wait()
		if n := created.Load(); n > want {
			t.Errorf("%d messages were created, at most %d are allowed", n, want)
		}
		for i := 100; created.Load() < want && i < 150; i++ { // what was given back can be taken
			d.admits(bot, message(i)...)
			created.Add(1)
		}
		if decision, _ := d.reserve(bot, message(150)...); decision.Admitted || created.Load() != want {
			t.Errorf("after %d of %d messages: %+v", created.Load(), want, decision)
		}
	}
	flood(8, func(int) []loopguard.Message { return to("same", "a") })
	flood(20, func(i int) []loopguard.Message { return to("different", fmt.Sprint(i)) })
}
