package e2e

import (
	"testing"
	"time"
)

// tooSlow ends a scenario that a busy machine has stretched over the window it
// is about.
type tooSlow struct{}

// inTime runs a scenario that means something only when it is done within a
// second; on a busy machine it tries again, with a fresh gateway.
func inTime(t *testing.T, scenario func()) {
	t.Helper()
	for range 8 {
		if tried(scenario) {
			return
		}
	}
	t.Fatal("the machine is too slow: no try was done within its second")
}

func tried(scenario func()) (done bool) {
	defer func() {
		failure := recover()
		if _, slow := failure.(tooSlow); failure != nil && !slow {
			panic(failure)
		}
	}()
	scenario()
	return true
}

// mustBeWithinASecond gives the scenario up when it has taken too long to prove anything.
func mustBeWithinASecond(started time.Time) {
	if time.Since(started) >= time.Second {
		panic(tooSlow{})
	}
}

// wantLimited expects a refusal because of what was sent since started; it
// gives the scenario up when that may be longer ago than the window of a second.
func wantLimited(t *testing.T, started time.Time, a answer, code string) map[string]any {
	t.Helper()
	if a.status != 429 {
		mustBeWithinASecond(started)
	}
	return wantOurError(t, a, 429, code)
}
