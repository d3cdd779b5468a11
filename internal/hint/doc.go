// Package hint says what memory will be used, and how. What a request is judged by is
// somewhere in tables of megabytes: who knows early where can do something else until
// it is there, and in large pages it is found sooner. A hint changes nothing but time.
// It belongs to the cellar: it imports nothing of ours.
package hint

const largePage = 2 << 20

// whole is what of size bytes at an address is in whole large pages.
func whole(at, size uintptr) (from, length uintptr) {
	from = (at + largePage - 1) &^ (largePage - 1)
	end := (at + size) &^ (largePage - 1)
	return from, max(from, end) - from
}
