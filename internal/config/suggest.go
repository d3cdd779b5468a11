package config

import (
	"fmt"
	"strings"
)

// Meant is what a sentence about an unknown word ends in: "; did you mean …?", or
// nothing when no known word is near.
func Meant(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// nearest returns the known word that was probably meant by word: one that
// differs in spelling only (maxBodyBytes), by a slip or two, or that is an
// abbreviation or a longer form. It returns "" when there is none.
func nearest(word string, known []string) string {
	word = fold(word)
	if len(word) > 64 { // no key of ours, and distance is quadratic
		return ""
	}
	best, bestDistance := "", 3
	if len(word) <= 4 {
		bestDistance = 2 // two slips in a short word make it any other word
	}
	for _, k := range known {
		if d := distance(word, fold(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" || len(word) < 3 {
		return best
	}
	for _, k := range known {
		if folded := fold(k); strings.HasPrefix(folded, word) || strings.HasPrefix(word, folded) {
			return k
		}
	}
	return ""
}

// fold makes max_body_bytes, max-body-bytes and maxBodyBytes the same.
func fold(word string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(word))
}

// distance counts the letters to insert, delete, change or swap with their
// neighbour (once each) that turn a into b.
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			change := previous[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			current[j] = min(change, previous[j]+1, current[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
