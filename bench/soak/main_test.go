package main

import (
	"strings"
	"testing"
)

func TestAPauseMakesTheRate(t *testing.T) {
	f := func(perSecond float64, want int) {
		t.Helper()
		if got := pauseFor(perSecond); got != want {
			t.Errorf("for %.0f a second a pause of %d ms, want %d", perSecond, got, want)
		}
	}
	f(256, 1000)
	f(25_600, 10)
	f(40_000, 6)
	f(1e9, 1)
}

func TestSeriesAreReadAndSummed(t *testing.T) {
	m, err := parse(strings.NewReader("# HELP a what it is\na{b=\"c\"} 2\na{b=\"d\"} 3.5\ng 1e3\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"a": 5.5, `a{b="c"}`: 2, "g": 1000, "absent": 0} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
}
