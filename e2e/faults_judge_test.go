package e2e

import (
	"testing"
	"time"
)

// judgeWindows holds the answers of one client, in order, to the exact window. It
// counts what is proven in spite of not knowing when between sending and receiving
// a decision fell: free windows, in which more than limit were admitted, and
// refusals while fewer were.
func judgeWindows(all []answer, limit int, window time.Duration) (free, locked int) {
	var admitted []answer
	for _, a := range all {
		if a.status != 429 {
			admitted = append(admitted, a)
			if n := len(admitted) - limit - 1; n >= 0 && a.received.Sub(admitted[n].sent) < window {
				free++
			}
			continue
		}
		live := 0
		for _, b := range admitted[max(0, len(admitted)-limit):] {
			if a.sent.Sub(b.received) < window {
				live++
			}
		}
		if live < limit {
			locked++
		}
	}
	return free, locked
}

func TestTheJudgeOfWindows(t *testing.T) {
	start := time.Now()
	answers := func(gap time.Duration, statuses ...int) (all []answer) {
		for i, status := range statuses {
			at := start.Add(time.Duration(i) * gap)
			all = append(all, answer{status: status, sent: at, received: at.Add(time.Millisecond)})
		}
		return all
	}
	f := func(name string, all []answer, free, locked int) {
		t.Helper()
		if f, l := judgeWindows(all, 2, time.Second); f != free || l != locked {
			t.Errorf("%s: %d free, %d locked, want %d, %d", name, f, l, free, locked)
		}
	}
	f("kept", answers(400*time.Millisecond, 200, 200, 429, 200, 200, 429), 0, 0)
	f("a third in the window", answers(400*time.Millisecond, 200, 200, 200), 1, 0)
	f("refused without need", answers(400*time.Millisecond, 200, 429), 0, 1)
	f("refused too long", answers(400*time.Millisecond, 200, 200, 429, 429), 0, 1)
}
