package main

import "testing"

func TestQuantilesOfPairs(t *testing.T) {
	f := func(q, want float64, list ...float64) {
		t.Helper()
		if got := at(list, q); got != want {
			t.Errorf("quantile %v of %v is %v, want %v", q, list, got, want)
		}
	}
	f(.5, 2, 3, 1, 2)
	f(.5, 2.5, 4, 1, 2, 3)
	f(.25, 1.75, 4, 1, 2, 3)
	f(.75, 7, 7)
}
