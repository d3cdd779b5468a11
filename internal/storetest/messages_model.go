package storetest

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/chatshipper/gateway/loopguard"
)

// pair is one request, as the store under test and the memory store hold it.
type pair struct{ got, want *loopguard.Reservation }

// messagesModel does the same things, chosen at random, with the store under test
// and with the memory store, whose every decision is compared with a naive list
// elsewhere. Windows of 2 s are exact to the nanosecond in both. Before each step
// both are looked at, and tell the same.
func messagesModel(t *testing.T, s loopguard.Store) {
	rng := rand.New(rand.NewPCG(21, 22))
	memory, look := loopguard.NewMemory(16<<20), messagesLooker(t, s)
	d := newDesk(t, s)
	var flying []pair
	for step := range 2500 {
		if step%250 == 0 {
			d.rules = randomRules(rng)
		}
		d.now += time.Duration(rng.IntN(4)*rng.IntN(100)+1) * time.Millisecond
		asker, about := randomMessages(rng)
		got, want := look(d.at(), d.rules, asker, about[0]), memory.Look(d.at(), d.rules, asker, about[0])
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: looking tells %+v\nwant %+v", step, got, want)
		}
		switch rng.IntN(10) {
		default:
			from, messages := randomMessages(rng)
			p := pair{new(loopguard.Reservation), new(loopguard.Reservation)}
			got := s.Reserve(d.at(), d.rules, from, messages, p.got)
			if want := memory.Reserve(d.at(), d.rules, from, messages, p.want); got != want {
				t.Fatalf("step %d: got %+v\nwant %+v", step, got, want)
			}
			flying = append(flying, p)
		case 5, 6, 7:
			if len(flying) > 0 {
				i := rng.IntN(len(flying))
				settleBoth(s, memory, flying[i], rng.IntN(5))
				flying[i] = flying[len(flying)-1]
				flying = flying[:len(flying)-1]
			}
		case 8:
			at := d.now - time.Duration(rng.IntN(3)*rng.IntN(1000))*time.Millisecond
			r := loopguard.Reply{Conversation: id(conversations[rng.IntN(3)]), At: Epoch + int64(at), Ago: d.now - at, Window: 2 * time.Second}
			if rng.IntN(2) == 0 {
				r.Author = id(bots[rng.IntN(2)])
			}
			if got, want := s.Reply(d.at(), r), memory.Reply(d.at(), r); got != want {
				t.Fatalf("step %d: a reply %v ago resets: %v, want %v", step, r.Ago, got, want)
			}
		case 9:
			if rng.IntN(4) == 0 {
				where := id(conversations[rng.IntN(3)])
				s.Reset(d.at(), d.rules, where)
				memory.Reset(d.at(), d.rules, where)
				d.now += time.Millisecond
			}
			from, messages := randomMessages(rng)
			s.Charge(d.at(), d.rules, from, messages)
			memory.Charge(d.at(), d.rules, from, messages)
		}
	}
}

var conversations, bots = []string{"c", "d", "e"}, []string{"ada", "bob"}

func randomRules(rng *rand.Rand) *loopguard.Rules {
	return rulesWith(func(c *loopguard.Config) {
		c.Identical.Messages, c.Identical.Window = 1+rng.IntN(4), 2*time.Second
		c.Consecutive.Messages, c.Consecutive.Window = 2+rng.IntN(6), 2*time.Second
		if rng.IntN(2) == 0 {
			c.Identical.Shadow = loopguard.Candidate{Messages: 1 + rng.IntN(4), Window: 2 * time.Second}
			c.Consecutive.Shadow = loopguard.Candidate{Messages: 1 + rng.IntN(6)}
		}
		_ = c.Identical.Mode.UnmarshalText([]byte([]string{"enforce", "shadow", "enforce", "off"}[rng.IntN(4)]))
		_ = c.Consecutive.Mode.UnmarshalText([]byte([]string{"enforce", "shadow", "enforce", "off"}[rng.IntN(4)]))
	})
}

func randomMessages(rng *rand.Rand) (from loopguard.Sender, messages []loopguard.Message) {
	name := bots[rng.IntN(2)]
	from = loopguard.Sender{Bot: id(name), Token: id(name + string(rune('0'+rng.IntN(2))))}
	where := conversations[rng.IntN(3)]
	for range 1 + rng.IntN(2)*rng.IntN(4) {
		if rng.IntN(4) == 0 {
			where = conversations[rng.IntN(3)]
		}
		messages = append(messages, to(where, string(rune('a'+rng.IntN(2))))...)
	}
	return from, messages
}

func settleBoth(s, memory loopguard.Store, p pair, how int) {
	switch how {
	case 0:
		p.got.Unknown()
		p.want.Unknown()
	case 1:
		s.GiveBack(p.got)
		memory.GiveBack(p.want)
	default:
		s.Keep(p.got)
		memory.Keep(p.want)
	}
}
