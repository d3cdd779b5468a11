package limiter

import (
	"slices"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// used makes a store in which the key n has made uses[n] requests of limit.
func used(limit Limit, uses ...int) *Memory {
	m := NewMemory(1 << 26)
	for n, times := range uses {
		for range times {
			m.Take(1000, Hit{ID: digest.ID{Hi: 1, Lo: uint64(n)}, Limit: limit}, Hit{})
		}
	}
	return m
}

func TestASurveyFindsTheNearestToTheirLimit(t *testing.T) {
	m := used(Limit{Requests: 20, Window: time.Second}, 1, 20, 7, 19)
	m.Take(1000, Hit{ID: digest.ID{Hi: 2}, Limit: Limit{Requests: 2, Window: time.Minute}}, Hit{}) // an override: half used
	s := m.NewSurvey(PerIP)
	list, looked := s.Look(2000, 3)
	var shares []int
	for _, n := range list {
		shares = append(shares, n.Used*100/n.Limit)
	}
	if !slices.Equal(shares, []int{100, 95, 50}) || looked != 5 {
		t.Errorf("got %v after a look at %d", list, looked)
	}
	if list[0].Free != time.Second-1000 {
		t.Errorf("the nearest comes free in %v", list[0].Free)
	}
	if list, _ := s.Look(int64(2*time.Second), 3); len(list) != 1 || list[0].Limit != 2 {
		t.Errorf("a second later: %v", list)
	}
	if list, looked := m.NewSurvey(PerKey).Look(2000, 3); len(list) != 0 || looked != 0 {
		t.Errorf("nobody has sent a key, but %v are near", list)
	}
}

// What one look does not reach, the next ones do; and who was near is not
// forgotten meanwhile.
func TestASurveyOfVeryManyKeysIsBounded(t *testing.T) {
	const keys = 3 * surveySteps * surveyPieces
	m := NewMemory(1 << 30)
	for n := range uint64(keys) {
		m.Take(1000, Hit{ID: digest.ID{Hi: n, Lo: 1}, Limit: Limit{Requests: 20, Window: time.Hour}}, Hit{})
	}
	busy := digest.ID{Hi: 7, Lo: 7}
	for range 15 {
		m.Take(1000, Hit{ID: busy, Limit: Limit{Requests: 20, Window: time.Hour}}, Hit{})
	}
	s, total, found := m.NewSurvey(PerIP), int64(0), 0
	for range 8 {
		list, looked := s.Look(2000, 5)
		if looked > surveyPieces*surveySteps {
			t.Fatalf("one look looked at %d keys", looked)
		}
		total += looked
		if len(list) > 0 && list[0].ID == busy {
			found++
		} else if found > 0 {
			t.Fatalf("the busiest was forgotten: %v", list)
		}
	}
	if found == 0 || total < keys {
		t.Errorf("after a look at %d of %d keys the busiest was found %d times", total, keys, found)
	}
}

func BenchmarkSurvey(b *testing.B) {
	m := NewMemory(1 << 30)
	for n := range uint64(1 << 16) {
		m.Take(1000, Hit{ID: digest.ID{Hi: n, Lo: 1}, Limit: Limit{Requests: 20, Window: time.Hour}}, Hit{})
	}
	s := m.NewSurvey(PerIP)
	for b.Loop() {
		s.Look(2000, 8)
	}
}
