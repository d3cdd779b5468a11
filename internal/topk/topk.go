// Package topk finds the heaviest of very many keys in fixed memory. It belongs
// to the cellar: it imports nothing of ours, and knows neither what is counted
// nor why.
//
// It is the Space-Saving algorithm (Metwally, Agrawal and El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005). With m
// places and n counted events,
//
//   - a count is never too low, and too high by at most the item's Error, which
//     is at most n/m;
//   - every key with more than n/m events is among the items.
//
// It is written here because it takes a hundred lines, and because what it is
// needed for takes keys that are structs without pointers and no allocation per
// event: the libraries that were looked at take strings or bytes.
package topk

import (
	"cmp"
	"slices"
)

// Item is one of the heaviest keys.
type Item[K comparable] struct {
	Key   K
	Count uint64 // at most Error too high, never too low
	Error uint64
}

// Sketch keeps the heaviest keys. It is not safe for concurrent use.
type Sketch[K comparable] struct {
	heap  []Item[K] // the lightest first
	place map[K]int // of every key in the heap
	order func(a, b K) int
	total uint64
}

// New returns a Sketch of size places, at least 1. order breaks ties, so that
// the same events give the same list; it may be nil.
func New[K comparable](size int, order func(a, b K) int) *Sketch[K] {
	if size < 1 {
		panic("BUG: a sketch needs at least one place")
	}
	return &Sketch[K]{heap: make([]Item[K], 0, size), place: make(map[K]int, size), order: order}
}

// Add counts one event of a key.
func (s *Sketch[K]) Add(key K) {
	s.total++
	i, known := s.place[key]
	switch {
	case known:
	case len(s.heap) < cap(s.heap):
		i = len(s.heap)
		s.heap = append(s.heap, Item[K]{Key: key})
		s.place[key] = i
		s.heap[i].Count = 1
		s.up(i)
		return
	default: // the lightest gives way, and what it counted is the newcomer's error
		delete(s.place, s.heap[0].Key)
		s.place[key] = 0
		s.heap[0] = Item[K]{Key: key, Count: s.heap[0].Count, Error: s.heap[0].Count}
	}
	s.heap[i].Count++
	s.down(i)
}

// Total is how many events were counted.
func (s *Sketch[K]) Total() uint64 { return s.total }

// Top returns the n heaviest keys, the heaviest first.
func (s *Sketch[K]) Top(n int) []Item[K] {
	list := slices.Clone(s.heap)
	sortItems(list, s.order)
	return list[:min(n, len(list))]
}

func sortItems[K comparable](list []Item[K], order func(a, b K) int) {
	slices.SortFunc(list, func(a, b Item[K]) int {
		c := cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error))
		if c == 0 && order != nil {
			c = order(a.Key, b.Key)
		}
		return c
	})
}

// least is the most that a key without a place can have.
func (s *Sketch[K]) least() uint64 {
	if len(s.heap) < cap(s.heap) {
		return 0
	}
	return s.heap[0].Count
}

// Merge adds up two sketches, the heaviest first. A key that has a place in only
// one of them may have had as many in the other as its lightest, so that much is
// added to its count and to its error: the bounds hold for the sum.
func Merge[K comparable](order func(a, b K) int, a, b *Sketch[K]) []Item[K] {
	list := make([]Item[K], 0, len(a.heap)+len(b.heap))
	for _, item := range a.heap {
		other := Item[K]{Count: b.least(), Error: b.least()}
		if i, known := b.place[item.Key]; known {
			other = b.heap[i]
		}
		list = append(list, Item[K]{item.Key, item.Count + other.Count, item.Error + other.Error})
	}
	for _, item := range b.heap {
		if _, known := a.place[item.Key]; !known {
			list = append(list, Item[K]{item.Key, item.Count + a.least(), item.Error + a.least()})
		}
	}
	sortItems(list, order)
	return list
}

// Each calls f for every key that has a place, in no order, until it returns
// false.
func (s *Sketch[K]) Each(f func(key K) bool) {
	for i := range s.heap {
		if !f(s.heap[i].Key) {
			return
		}
	}
}

// Clear forgets everything and keeps the memory.
func (s *Sketch[K]) Clear() {
	s.heap, s.total = s.heap[:0], 0
	clear(s.place)
}

func (s *Sketch[K]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].Count <= s.heap[i].Count {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s *Sketch[K]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			return
		}
		if child+1 < len(s.heap) && s.heap[child+1].Count < s.heap[child].Count {
			child++
		}
		if s.heap[i].Count <= s.heap[child].Count {
			return
		}
		s.swap(i, child)
		i = child
	}
}

func (s *Sketch[K]) swap(i, j int) {
	s.heap[i], s.heap[j] = s.heap[j], s.heap[i]
	s.place[s.heap[i].Key], s.place[s.heap[j].Key] = i, j
}
