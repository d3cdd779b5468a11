package balance

import (
	"math/rand/v2"
	"testing"
)

const secondNs = 1_000_000_000

func TestAFewRetriesAreAlwaysAllowed(t *testing.T) {
	b := NewBudget(20, 3)
	at := int64(1700000000) * secondNs
	for range 30 {
		if !b.Take(at, 0) {
			t.Fatal("3 a second, over 10 seconds, are allowed without any request")
		}
	}
	if b.Take(at, 0) {
		t.Error("the 31st was allowed")
	}
	if b.Take(at+9*secondNs, 0) {
		t.Error("the window moved on too early")
	}
	if !b.Take(at+10*secondNs, 0) {
		t.Error("the window did not move on")
	}
	if b.Taken() != 31 || b.Refused() != 2 {
		t.Errorf("counted %d and %d", b.Taken(), b.Refused())
	}
}

func TestAShareOfTheRequestsIsAllowed(t *testing.T) {
	b := NewBudget(20, 0)
	at := int64(1700000000) * secondNs
	b.Sample(at, 1000)
	for range 20 {
		if !b.Take(at+secondNs/2, 1100) {
			t.Fatal("20 of 100 are allowed")
		}
	}
	if b.Take(at+secondNs/2, 1104) {
		t.Error("more than a fifth was allowed")
	}
	if !b.Take(at+secondNs/2, 1105) {
		t.Error("a fifth of 105 was refused")
	}
	if b.Take(at+60*secondNs, 1105) {
		t.Error("requests of a minute ago count")
	}
}

// The budget is what a list of every second since the start would give.
func TestTheBudgetIsThatOfANaiveList(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 7))
		percent, floor := random.IntN(50), random.IntN(5)
		b := NewBudget(percent, floor)
		base := random.Int64N(2) * 1_700_000_000 // process time, or since 1970
		requests, retries := map[int64]int64{}, map[int64]int64{}
		total := int64(0)
		allowed, refused := int64(0), int64(0)
		for tick := range int64(60 * 50) {
			s := base + tick/50
			b.Sample(s*secondNs+tick%50, total)
			n := random.Int64N(4)
			total += n
			requests[s] += n
			for range random.IntN(3) {
				inRequests, inRetries := int64(0), int64(1)
				for k := s - budgetWindow + 1; k <= s; k++ {
					inRequests, inRetries = inRequests+requests[k], inRetries+retries[k]
				}
				want := inRetries*100 <= int64(percent)*inRequests+int64(floor)*budgetWindow*100
				if got := b.Take(s*secondNs+tick%50, total); got != want {
					t.Fatalf("seed %d, second %d: got %v for %d of %d requests at %d %% and %d", seed, s-base, got, inRetries, inRequests, percent, floor)
				}
				if want {
					retries[s]++
					allowed++
				} else {
					refused++
				}
			}
		}
		if b.Taken() != allowed || b.Refused() != refused {
			t.Errorf("counted %d and %d, want %d and %d", b.Taken(), b.Refused(), allowed, refused)
		}
	}
}
