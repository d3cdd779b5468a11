package limiter

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A candidate must say exactly what the same limit says alone, of the requests
// that the limits in force admit; and the limits must not notice it.
func TestACandidateCountsAsTheSameLimitWouldInShadowMode(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 3))
		live := Limit{Requests: 5, Window: time.Second}
		candidate := Limit{Requests: 1 + rng.IntN(7), Window: time.Second << rng.IntN(2), Shadow: true}
		with := live
		with.Candidate = &candidate
		m, plain, alone := NewMemory(8<<20), NewMemory(8<<20), NewMemory(8<<20)
		now := int64(0)
		for step := range 1500 {
			now += rng.Int64N(int64(300 * time.Millisecond))
			ip, key := id(rng.IntN(3)), id(10+rng.IntN(3))
			got := m.Take(now, Hit{ip, with}, Hit{key, live})
			want := plain.Take(now, Hit{ip, live}, Hit{key, live})
			if got.Admitted != want.Admitted || got.Refused != want.Refused || got.States[PerKey] != want.States[PerKey] || got.States[PerIP].Used != want.States[PerIP].Used {
				t.Fatalf("seed %d step %d: with a candidate %+v, without %+v", seed, step, got, want)
			}
			if !got.Admitted {
				if got.Trials != [ruleCount]Trial{} {
					t.Fatalf("seed %d step %d: a refused request was tried: %+v", seed, step, got)
				}
				continue
			}
			standing, candidateStanding := m.Look(now, PerIP, Hit{ip, with})
			d := alone.Take(now, Hit{ip, candidate}, Hit{})
			if d.States[PerIP].Over != (got.Trials[PerIP] == WouldRefuse) || got.Trials[PerKey] != NotTried || candidateStanding.Used != d.States[PerIP].Used ||
				len(candidateStanding.Times) != candidateStanding.Used || standing.Used != got.States[PerIP].Used || standing.Times[standing.Used-1] != now {
				t.Fatalf("seed %d step %d: %v and %+v, alone %+v", seed, step, got.Trials, standing, d.States[PerIP])
			}
		}
	}
}

func TestLookingAtACandidateCountsNothing(t *testing.T) {
	limit := Limit{Requests: 5, Window: time.Second, Candidate: &Limit{Requests: 1, Window: time.Second, Shadow: true}}
	m := NewMemory(1 << 20)
	for range 3 {
		if d := m.Peek(1, Hit{id(1), limit}, Hit{}); d.Trials[PerIP] != WouldAdmit {
			t.Errorf("got %v", d.Trials)
		}
	}
	if d := m.Take(1, Hit{id(1), limit}, Hit{}); d.Trials[PerIP] != WouldAdmit {
		t.Errorf("got %v", d.Trials)
	}
	if d := m.Take(2, Hit{id(1), limit}, Hit{}); d.Trials[PerIP] != WouldRefuse {
		t.Errorf("got %v", d.Trials)
	}
	live, candidate := m.Look(3, PerIP, Hit{id(1), limit})
	if !slices.Equal(live.Times, []int64{1, 2}) || live.Wait != 0 || !slices.Equal(candidate.Times, []int64{1}) || candidate.Wait != time.Second-2 {
		t.Errorf("got %+v and %+v", live, candidate)
	}
	if _, none := m.Look(2, PerIP, Hit{id(1), Limit{Requests: 5, Window: time.Second}}); none.Limit.Requests != 0 || none.Times != nil {
		t.Errorf("no candidate has a state: %+v", none)
	}
}

func TestACandidateStandsBesideTheGeneralLimitOnly(t *testing.T) {
	r := compiled(t, func(c *Config) {
		c.PerIP.Shadow = Candidate{Requests: 15}
		c.PerKey.Shadow = Candidate{Requests: 150, Window: time.Minute}
		c.Overrides = []Override{{User: "u", Requests: 1, Window: time.Second}}
	})
	var sum [32]byte
	if got := r.IP(netip.MustParseAddr("192.0.2.1")).Limit.Candidate; got == nil || *got != (Limit{Requests: 15, Window: time.Second, Shadow: true}) {
		t.Errorf("got %+v", got)
	}
	if got := r.Key(id(1), &sum, nil, false).Limit.Candidate; got == nil || *got != (Limit{Requests: 150, Window: time.Minute, Shadow: true}) {
		t.Errorf("got %+v", got)
	}
	if got := r.Key(id(1), &sum, []byte("u"), false).Limit; got.Candidate != nil || got.Requests != 1 {
		t.Errorf("got %+v", got)
	}
	if PerIP.Candidate() != "per_ip_shadow" || PerKey.Candidate() != "per_key_shadow" {
		t.Error("the candidates have other names")
	}
}

func TestMistakesInACandidate(t *testing.T) {
	f := func(c Candidate, want string) {
		t.Helper()
		cfg, got := DefaultConfig(), ""
		cfg.PerKey.Shadow = c
		cfg.Validate(func(path, problem string) { got += path + ": " + problem })
		if got != want {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
	f(Candidate{Requests: 15}, "")
	f(Candidate{Requests: 15, Window: time.Minute}, "")
	f(Candidate{Requests: -1}, "per_key.shadow.requests: must be greater than 0, got -1")
	f(Candidate{Window: time.Second}, "per_key.shadow.requests: must be greater than 0 for a candidate with a window of its own")
	f(Candidate{Requests: 1, Window: 1}, "per_key.shadow.window: must be from 1ms to 24h, got 1ns")
}
