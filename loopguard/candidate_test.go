package loopguard

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
)

// beside is the documented rules with candidates beside them.
func beside(identical, consecutive Candidate) Config {
	cfg := DefaultConfig()
	cfg.Identical.Shadow, cfg.Consecutive.Shadow = identical, consecutive
	return cfg
}

// A candidate must say exactly what the same limit says in shadow mode, of the
// messages that the limits in force admit.
func TestACandidateCountsAsTheSameLimitWouldInShadowMode(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 7))
		candidates := [RuleCount]Candidate{{Messages: 1 + rng.IntN(10), Window: time.Minute}, {Messages: 1 + rng.IntN(25)}}
		alone := DefaultConfig()
		alone.Identical.Messages, alone.Identical.Window, alone.Identical.Mode = candidates[0].Messages, time.Minute, unit.Shadow
		alone.Consecutive.Messages, alone.Consecutive.Mode = candidates[1].Messages, unit.Shadow
		both, shadow := Compile(beside(candidates[0], candidates[1])), Compile(alone)
		m, want := NewMemory(8<<20), NewMemory(8<<20)
		now, tried := int64(time.Hour), 0
		for step := range 2000 {
			now += rng.Int64N(int64(20 * time.Second))
			conversation := digest.ID{Hi: uint64(rng.IntN(3)) + 1}
			if rng.IntN(30) == 0 {
				m.Reply(now, Reply{Conversation: conversation, Author: digest.ID{}, At: now})
				want.Reply(now, Reply{Conversation: conversation, Author: digest.ID{}, At: now})
				continue
			}
			from := Sender{Bot: digest.ID{Lo: 1}, Token: digest.ID{Lo: uint64(rng.IntN(2)) + 1}}
			var messages []Message
			for range 1 + rng.IntN(3) {
				messages = append(messages, Message{Conversation: conversation, Content: digest.ID{Lo: uint64(rng.IntN(4)) + 1}})
			}
			var held, heldToo Reservation
			got := m.Reserve(now, both, from, messages, &held)
			if !got.Admitted {
				if got.Trials != [RuleCount]Trial{} {
					t.Fatalf("seed %d step %d: refused messages were tried: %+v", seed, step, got)
				}
				continue
			}
			expected := want.Reserve(now, shadow, from, messages, &heldToo)
			for rule := range got.Trials {
				tried++
				if (got.Trials[rule] == WouldRefuse) != expected.States[rule].Over || got.Trials[rule] == NotTried {
					t.Fatalf("seed %d step %d: %v makes %v of it, in shadow mode %+v", seed, step, Rule(rule), got.Trials[rule], expected.States[rule])
				}
			}
			switch rng.IntN(4) {
			case 0:
				m.GiveBack(&held)
				want.GiveBack(&heldToo)
			case 1:
				held.Unknown()
				heldToo.Unknown()
			default:
				m.Keep(&held)
				want.Keep(&heldToo)
			}
		}
		if tried < 100 {
			t.Fatalf("seed %d: only %d trials", seed, tried)
		}
	}
}

// Whatever the candidates are, the limits decide as if they were not there.
func TestACandidateChangesNoDecision(t *testing.T) {
	with := Compile(beside(Candidate{Messages: 2, Window: 24 * time.Hour}, Candidate{Messages: 3}))
	without := Compile(DefaultConfig())
	m, want := NewMemory(8<<20), NewMemory(8<<20)
	rng := rand.New(rand.NewPCG(1, 7))
	now := int64(time.Hour)
	for range 2000 {
		now += rng.Int64N(int64(10 * time.Second))
		messages := []Message{{Conversation: digest.ID{Hi: uint64(rng.IntN(3)) + 1}, Content: digest.ID{Lo: uint64(rng.IntN(3)) + 1}}}
		if rng.IntN(20) == 0 {
			m.Reply(now, Reply{Conversation: messages[0].Conversation, Author: digest.ID{}, At: now})
			want.Reply(now, Reply{Conversation: messages[0].Conversation, Author: digest.ID{}, At: now})
		}
		var held, heldToo Reservation
		from := Sender{Bot: digest.ID{Lo: 1}, Token: digest.ID{Lo: 1}}
		got, expected := m.Reserve(now, with, from, messages, &held), want.Reserve(now, without, from, messages, &heldToo)
		got.Trials = [RuleCount]Trial{}
		if fmt.Sprint(got) != fmt.Sprint(expected) {
			t.Fatalf("with candidates %+v, without %+v", got, expected)
		}
		m.Keep(&held)
		want.Keep(&heldToo)
	}
}

func TestACandidateThatIsTakenAwayForgets(t *testing.T) {
	tried, plain := Compile(beside(Candidate{}, Candidate{Messages: 1})), Compile(DefaultConfig())
	again := Compile(beside(Candidate{}, Candidate{Messages: 1}))
	m := NewMemory(8 << 20)
	now := int64(time.Hour)
	from := Sender{Bot: digest.ID{Lo: 1}, Token: digest.ID{Lo: 1}}
	f := func(rules *Rules, want Trial) {
		t.Helper()
		now++
		var held Reservation
		d := m.Reserve(now, rules, from, []Message{{Conversation: digest.ID{Hi: 1}, Content: digest.ID{Lo: uint64(now)}}}, &held)
		if m.Keep(&held); d.Trials[Consecutive] != want || d.Trials[Identical] != NotTried {
			t.Errorf("got %v, want %v", d.Trials, want)
		}
	}
	f(tried, WouldAdmit)
	f(tried, WouldRefuse)
	f(plain, NotTried)
	f(again, WouldAdmit)
	f(again, WouldRefuse)
}

func TestMistakesInACandidate(t *testing.T) {
	f := func(cfg Config, want string) {
		t.Helper()
		got := ""
		cfg.Validate(func(path, problem string) { got += path + ": " + problem + "\n" })
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(beside(Candidate{Messages: 5}, Candidate{Messages: 5, Window: time.Minute}), "")
	f(beside(Candidate{Window: time.Minute}, Candidate{Messages: -1}), "identical.shadow.messages: must be greater than 0 for a candidate with a window of its own\nconsecutive.shadow.messages: must be between 1 and 10000, got -1\n")
	f(beside(Candidate{Messages: 1, Window: time.Nanosecond}, Candidate{}), "identical.shadow.window: must be between 1s and 24h, got 1ns\n")
}

func TestCandidatesHaveNames(t *testing.T) {
	if Identical.Candidate() != "identical_shadow" || Consecutive.Candidate() != "consecutive_shadow" {
		t.Errorf("got %s, %s", Identical.Candidate(), Consecutive.Candidate())
	}
}
