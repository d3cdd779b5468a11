// Package exact finds out how exactly a gateway keeps a limit of so many requests
// in any window of time, from the outside: it sends requests and looks at which
// are refused. It knows nothing of any gateway.
//
// When a gateway decided is known only to lie between sending and answer, so
// nothing is held against it that could have been the network's delay: a window
// counts as too full only if all its requests must have been in it, a refusal as
// wrong only if the window can't have been full.
package exact

import (
	"slices"
	"time"
)

// request is what is known of one.
type request struct {
	sent, answered time.Time
	refused        bool
}

// worst is the largest number of admitted requests that certainly were within
// one window.
func worst(all []request, window time.Duration) int {
	most := 0
	for _, first := range all {
		n := 0
		for _, r := range all {
			if !r.refused && !r.sent.Before(first.sent) && r.answered.Sub(first.sent) < window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// wrong counts refusals at whose time fewer than limit admitted requests can have
// been in the window before.
func wrong(all []request, limit int, window time.Duration) int {
	count := 0
	for _, refusal := range all {
		if refusal.refused && possible(all, refusal, window) < limit {
			count++
		}
	}
	return count
}

// possible is how many admitted requests can have been in the window before a refusal.
func possible(all []request, refusal request, window time.Duration) int {
	n := 0
	for _, r := range all {
		if !r.refused && refusal.sent.Sub(r.answered) < window && !r.sent.After(refusal.answered) {
			n++
		}
	}
	return n
}

func admitted(all []request) int {
	n := 0
	for _, r := range all {
		if !r.refused {
			n++
		}
	}
	return n
}

// span is the time from the first sending to the last answer.
func span(all []request) time.Duration {
	if len(all) == 0 {
		return 0
	}
	first := slices.MinFunc(all, func(a, b request) int { return a.sent.Compare(b.sent) })
	last := slices.MaxFunc(all, func(a, b request) int { return a.answered.Compare(b.answered) })
	return last.answered.Sub(first.sent)
}

// drought is the longest time without an admitted answer, the beginning and the
// end of the observation included.
func drought(all []request) time.Duration {
	var longest time.Duration
	var since time.Time
	for _, r := range slices.SortedFunc(slices.Values(all), func(a, b request) int { return a.answered.Compare(b.answered) }) {
		if since.IsZero() {
			since = r.sent
		}
		longest = max(longest, r.answered.Sub(since))
		if !r.refused {
			since = r.answered
		}
	}
	return longest
}
