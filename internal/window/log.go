package window

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Log is what a table knows of one key at one instant. The zero value is an
// empty log. It is valid until the table's next change.
type Log struct {
	N      int // live times
	table  *Table
	entry  *entry
	number uint32
	first  uint32 // index, from the oldest held time, of the oldest live one
	now    int64
}

func (t *Table) ticks(ns int64) int64 { return ns >> t.shift }

// live reports whether a time (in ticks) is inside the window at now (ns).
func (t *Table) live(at, now int64) bool { return t.ticks(now)-at < t.window }

// Live returns the times of a key that are inside the window at now and newer
// than after (use All for every one). Times that left the window are forgotten
// on the way: amortised, each is looked at once. It allocates nothing.
func (t *Table) Live(id digest.ID, now, after int64) Log {
	e, number := t.find(id)
	if e == nil {
		return Log{}
	}
	t.expire(e, now)
	l := Log{N: int(e.count()), table: t, entry: e, number: number, now: now}
	if after == All {
		return l
	}
	for tick := t.ticks(after); l.N > 0 && t.at(e, l.first) <= tick; l.N-- {
		l.first++
	}
	return l
}

// Newest is the newest time of the log, in ns; All when there is none. It is
// rounded down to the table's tick.
func (l *Log) Newest() int64 {
	if l.entry == nil || l.entry.count() == 0 {
		return All
	}
	return l.entry.last << l.table.shift
}

// Leaves returns how long it takes until the k-th oldest live time (from 1) has
// left the window; 0 when there are fewer than k.
func (l *Log) Leaves(k int) time.Duration {
	if k < 1 || k > l.N {
		return 0
	}
	t := l.table
	end := t.at(l.entry, l.first+uint32(k-1)) + t.window
	return max(0, time.Duration(end<<t.shift-l.now))
}

// Times appends the live times, oldest first, in ns rounded down to the table's
// tick.
func (l *Log) Times(dst []int64) []int64 {
	for i := range uint32(l.N) {
		dst = append(dst, l.table.at(l.entry, l.first+i)<<l.table.shift)
	}
	return dst
}

// Marked reports whether the key was marked. A mark goes with the key.
func (l *Log) Marked() bool { return l.entry != nil && l.entry.n&markBit != 0 }

// SetMark sets or clears the mark of the key, if the table holds it.
func (l *Log) SetMark(on bool) {
	switch {
	case l.entry == nil:
	case on:
		l.entry.n |= markBit
	default:
		l.entry.n &^= markBit
	}
}

// at is the i-th oldest time of an entry, in ticks.
func (t *Table) at(e *entry, i uint32) int64 {
	v := t.class(e.cap).ring(e.ring)[e.place(i)]
	return e.last - int64(uint32(e.last)-v)
}

// place is where in its ring the i-th oldest time of an entry is; i is at most the
// ring's size.
func (e *entry) place(i uint32) uint32 {
	if i += e.head; i >= e.cap { // a division would cost as much as a look into the table
		i -= e.cap
	}
	return i
}

// expire drops the times that left the window.
func (t *Table) expire(e *entry, now int64) {
	if !t.live(e.last, now) {
		e.head, e.n = 0, e.n&markBit
		return
	}
	if e.count() == 1 {
		return // it is the newest: no look into the ring, which may be far away
	}
	ring := t.class(e.cap).ring(e.ring)
	for e.count() > 0 {
		if t.live(e.last-int64(uint32(e.last)-ring[e.head]), now) {
			return
		}
		if e.head++; e.head == e.cap {
			e.head = 0
		}
		e.n--
	}
}

// Add records a time for a key whose limit is size times; now is the present.
// A time older than the newest finds its place. When the ring is full the
// oldest time goes; a changed size takes over the newest times. Adding to a key
// that exists allocates nothing.
func (t *Table) Add(id digest.ID, at int64, size int, now int64) {
	if size < 1 {
		panic("BUG: a log needs room for at least one time")
	}
	if !t.live(t.ticks(at), now) {
		return
	}
	e, number := t.find(id)
	if e == nil {
		e = t.insert(id, uint32(size), now)
	} else {
		t.expire(e, now)
		if e.cap != uint32(size) {
			t.resize(number, uint32(size))
		}
	}
	t.put(e, t.ticks(at))
}

// Append records a time, as Table.Add does, for the key of a log that was just
// made, whose limit is size times. It reports false, having done nothing, where
// the table does not hold the key yet, or with another limit.
func (l *Log) Append(at int64, size int) bool {
	t, e := l.table, l.entry
	if e == nil || e.cap != uint32(size) {
		return false
	}
	if t.live(t.ticks(at), l.now) {
		t.put(e, t.ticks(at))
	}
	return true
}

// put places a time in order.
func (t *Table) put(e *entry, tick int64) {
	n := e.count()
	if n == e.cap {
		if tick <= t.at(e, 0) {
			return // older than all of a full ring
		}
		if e.head++; e.head == e.cap {
			e.head = 0
		}
		n--
		e.n--
	}
	ring := t.class(e.cap).ring(e.ring)
	if n == 0 {
		e.last = tick
	}
	i := n
	for ; i > 0 && t.at(e, i-1) > tick; i-- {
		ring[e.place(i)] = ring[e.place(i-1)]
	}
	ring[e.place(i)] = uint32(tick)
	e.last = max(e.last, tick)
	e.n++
}

// Remove gives one recorded time of a key back. It reports whether it was there.
func (t *Table) Remove(id digest.ID, at, now int64) bool {
	e, number := t.find(id)
	if e == nil {
		return false
	}
	t.expire(e, now)
	n := e.count()
	tick := t.ticks(at)
	for i := range n {
		if t.at(e, i) != tick {
			continue
		}
		t.cut(e, i)
		if e.n == 0 { // no times, no mark
			t.remove(number)
		}
		return true
	}
	return false
}

// cut takes the i-th oldest time out of an entry.
func (t *Table) cut(e *entry, i uint32) {
	ring := t.class(e.cap).ring(e.ring)
	n := e.count()
	if i == n-1 && n > 1 { // the newest goes: the others are kept relative to it
		e.last = t.at(e, n-2)
	}
	for ; i+1 < n; i++ {
		ring[e.place(i)] = ring[e.place(i+1)]
	}
	e.n--
}

// resize gives an entry another ring, with the newest of its times.
func (t *Table) resize(number, size uint32) {
	e := t.entry(number)
	block := t.class(size).take()
	ring := t.class(size).ring(block)
	n := e.count()
	keep := min(n, size)
	for i := range keep {
		ring[i] = uint32(t.at(e, n-keep+i))
	}
	t.class(e.cap).give(e.ring)
	t.budget.add(cost(size)-cost(e.cap), 0)
	e.ring, e.cap, e.head, e.n = block, size, 0, e.n&markBit|keep
}

// Each calls f for every key with its live times, oldest first, in ns rounded
// down to the table's tick. The slice is reused.
func (t *Table) Each(now int64, f func(id digest.ID, times []int64)) {
	var times []int64
	for number := range t.made {
		e := t.entry(number)
		if e.cap == 0 {
			continue
		}
		t.expire(e, now)
		times = times[:0]
		for i := range e.count() {
			times = append(times, t.at(e, i)<<t.shift)
		}
		if len(times) > 0 {
			f(e.id, times)
		}
	}
}

// Move takes a key's live times over into a table of another window, for a
// limit of size times there, and forgets them here.
func (t *Table) Move(id digest.ID, to *Table, size int, now int64) {
	e, number := t.find(id)
	if e == nil {
		return
	}
	t.expire(e, now)
	for i := range e.count() {
		to.Add(id, t.at(e, i)<<t.shift, size, now)
	}
	t.remove(number)
}

// Clear forgets every key and gives its memory back to the budget.
func (t *Table) Clear() {
	for number := range t.made {
		if t.entry(number).cap > 0 {
			t.remove(number)
		}
	}
}
