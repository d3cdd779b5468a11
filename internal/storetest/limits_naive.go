package storetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
)

const rules = 2

// listed is the promise in its plainest form: a list of admitted times for each
// key of each rule.
type listed [rules]map[digest.ID][]int64

func (l *listed) live(rule int, h limiter.Hit, now int64) (times []int64) {
	for _, at := range l[rule][h.ID] {
		if now-at < int64(h.Limit.Window) {
			times = append(times, at)
		}
	}
	return times
}

// take is Take, written down without any thought of speed.
func (l *listed) take(now int64, hits [rules]limiter.Hit) limiter.Decision {
	d := limiter.Decision{Admitted: true}
	for rule, h := range hits {
		if h.Limit.Requests == 0 {
			continue
		}
		times := l.live(rule, h, now)
		l[rule][h.ID] = times
		s := limiter.State{Limit: h.Limit, Used: len(times), Over: len(times) >= h.Limit.Requests}
		if len(times) > 0 {
			s.Reset = time.Duration(times[0] + int64(h.Limit.Window) - now)
		}
		if s.Over {
			s.Wait = time.Duration(times[len(times)-h.Limit.Requests] + int64(h.Limit.Window) - now)
			if !h.Limit.Shadow && (d.Admitted || s.Wait > d.States[d.Refused].Wait) {
				d.Admitted, d.Refused = false, limiter.Rule(rule)
			}
		}
		d.States[rule] = s
	}
	for rule, h := range hits {
		if s := &d.States[rule]; d.Admitted && h.Limit.Requests > 0 && !s.Over {
			l[rule][h.ID] = append(l[rule][h.ID], now)
			s.Used++
			if s.Reset == 0 {
				s.Reset = h.Limit.Window
			}
		}
	}
	return d
}

// Random arrivals of a few keys, limits that change while they are counted,
// shadows, and times exactly on a boundary.
func limitsNaive(t *testing.T, s limiter.Store) {
	rng := rand.New(rand.NewPCG(11, 12))
	want := listed{{}, {}}
	limits := []limiter.Limit{
		{Requests: 3, Window: 2 * time.Second},
		{Requests: 5, Window: 2 * time.Second},
		{Requests: 1, Window: 2 * time.Second},
		{Requests: 3, Window: 2 * time.Second, Shadow: true},
		{},
	}
	now := Epoch
	for step := range 3000 {
		switch rng.IntN(3) {
		case 0:
			now += int64(rng.IntN(1000)) * int64(time.Millisecond)
		case 1: // exactly when a time leaves the window, or 1 µs before
			if times := want[0][id("0")]; len(times) > 0 {
				now = max(now, times[0]+int64(2*time.Second)-rng.Int64N(2)*int64(time.Microsecond))
			}
		}
		hits := [rules]limiter.Hit{}
		for rule := range hits {
			hits[rule] = limiter.Hit{ID: id(string(rune('0' + rng.IntN(4)))), Limit: limits[rng.IntN(len(limits))]}
		}
		got, expected := s.Take(now, hits[0], hits[1]), want.take(now, hits)
		got.At = 0
		if !expected.Admitted {
			expected.At = 0
		}
		if got != expected {
			t.Fatalf("step %d: got %+v\nwant %+v", step, got, expected)
		}
	}
}
