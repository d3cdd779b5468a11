package storetest

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

type (
	lookAtRequests func(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing)
	lookAtMessages func(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) []loopguard.Standing
)

// limitsLooker is how a store is looked at: one of this process always can be, one
// that is shared may fail.
func limitsLooker(t *testing.T, s limiter.Store) lookAtRequests {
	t.Helper()
	switch s := s.(type) {
	case *limiter.Memory:
		return s.Look
	case interface {
		LookRequests(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing, err error)
	}:
		return func(now int64, r limiter.Rule, h limiter.Hit) (live, candidate limiter.Standing) {
			live, candidate, err := s.LookRequests(now, r, h)
			if err != nil {
				t.Error(err)
			}
			return live, candidate
		}
	}
	t.Fatalf("%T can't be looked at", s)
	return nil
}

func messagesLooker(t *testing.T, s loopguard.Store) lookAtMessages {
	t.Helper()
	switch s := s.(type) {
	case *loopguard.Memory:
		return s.Look
	case interface {
		LookMessages(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) ([]loopguard.Standing, error)
	}:
		return func(now int64, rules *loopguard.Rules, from loopguard.Sender, message loopguard.Message) []loopguard.Standing {
			list, err := s.LookMessages(now, rules, from, message)
			if err != nil {
				t.Error(err)
			}
			return list
		}
	}
	t.Fatalf("%T can't be looked at", s)
	return nil
}

// limitsLook looks before each of many requests, twice, and compares with what is
// decided and with what the memory store tells.
func limitsLook(t *testing.T, s limiter.Store) {
	rng := rand.New(rand.NewPCG(31, 32))
	look, memory := limitsLooker(t, s), limiter.NewMemory(16<<20)
	now := Epoch
	for step := range 1500 {
		now += int64(rng.IntN(5)) * int64(200*time.Millisecond) // often exactly when a time leaves the window
		hits := [rules]limiter.Hit{lookedAt(rng), lookedAt(rng)}
		var live, trial [rules]limiter.Standing
		for range 2 {
			for rule, h := range hits {
				if h.Limit.Requests == 0 {
					continue
				}
				live[rule], trial[rule] = look(now, limiter.Rule(rule), h)
				wantLive, wantTrial := memory.Look(now, limiter.Rule(rule), h)
				if !reflect.DeepEqual(live[rule], wantLive) || !reflect.DeepEqual(trial[rule], wantTrial) {
					t.Fatalf("step %d: got %+v and %+v\nwant %+v and %+v", step, live[rule], trial[rule], wantLive, wantTrial)
				}
			}
		}
		memory.Take(now, hits[0], hits[1])
		foretold(t, &live, &trial, s.Take(now, hits[0], hits[1]))
	}
}

// lookedAt is one of a few keys with a limit, a shadow, a candidate or nothing.
func lookedAt(rng *rand.Rand) limiter.Hit {
	const window = 2 * time.Second
	limits := []limiter.Limit{
		{Requests: 3, Window: window},
		{Requests: 2, Window: window, Shadow: true},
		{Requests: 4, Window: window, Candidate: &limiter.Limit{Requests: 2, Window: window, Shadow: true}},
		{},
	}
	kind := rng.IntN(len(limits)) // a key keeps its limit: what a changed one forgets is tested elsewhere
	return limiter.Hit{ID: id(string(rune('0' + kind))), Limit: limits[kind]}
}

// foretold compares what was seen with what was decided at the same instant.
func foretold(t *testing.T, live, trial *[rules]limiter.Standing, d limiter.Decision) {
	t.Helper()
	admitted := true
	for rule := range live {
		admitted = admitted && (!live[rule].Over || live[rule].Limit.Shadow)
	}
	if d.Admitted != admitted {
		t.Fatalf("seen %+v, and then %+v", live, d)
	}
	for rule := range live {
		want := live[rule].State
		if admitted && !want.Over && want.Limit.Requests > 0 { // it counts now
			want.Used++
			if want.Reset == 0 {
				want.Reset = want.Limit.Window
			}
		}
		if d.States[rule] != want {
			t.Fatalf("seen %+v, and then %+v", live[rule], d.States[rule])
		}
		if c := &trial[rule]; c.Limit.Requests > 0 && admitted && (d.Trials[rule] == limiter.WouldRefuse) != c.Over {
			t.Fatalf("seen %+v, and then the candidate says %v", c, d.Trials[rule])
		}
	}
}

func messagesLook(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	look := messagesLooker(t, s)
	sees := func(used, flying int, wait time.Duration, from loopguard.Sender) {
		t.Helper()
		for range 2 { // it changes nothing
			standing := look(d.at(), d.rules, from, to("c", "a")[0])[1]
			if standing.Rule != "identical" || standing.Used != used || len(standing.Kept) != used-flying ||
				len(standing.InFlight) != flying || (standing.Wait-wait).Abs() > precision {
				t.Errorf("at %v: got %+v, want %d used, %d of them in flight, a wait of %v", d.now, standing, used, flying, wait)
			}
		}
	}
	sees(0, 0, 0, bot)
	for range 7 {
		d.admits(bot, to("c", "a")...)
		d.now += time.Second
	}
	sees(7, 0, 0, bot)
	d.fly(bot, to("c", "a")...)
	sees(8, 1, 3*time.Minute-7*time.Second, bot)
	d.refuses(loopguard.Identical, 3*time.Minute-7*time.Second, bot, to("c", "a")...)
	sees(7, 0, 0, loopguard.Sender{Bot: bot.Bot, Token: id("another token")})
	if list := look(d.at(), d.rules, bot, loopguard.Message{Conversation: id("c")}); len(list) != 1 || list[0].Used != 8 {
		t.Errorf("without a content: %+v", list)
	}
	d.reply(person, d.now)
	if list := look(d.at(), d.rules, bot, to("c", "a")[0]); list[0].Used != 0 || list[1].Used != 8 {
		t.Errorf("after a reply: %+v", list)
	}
	s.Reset(d.at(), d.rules, id("c"))
	sees(0, 0, 0, bot)
}
