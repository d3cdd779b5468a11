package window

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Log is what a table knows of one key at one instant. The zero value is an
// empty log. It is valid until the table's next change.
type Log struct {
	N     int // live times
	table *Table
	cell  cell
	first uint32 // index, from the oldest held time, of the oldest live one
	now   int64
}

func (t *Table) ticks(ns int64) int64 { return ns >> t.shift }

// live reports whether a time (in ticks) is inside the window at now (ns).
func (t *Table) live(at, now int64) bool { return t.ticks(now)-at < t.window }

// Live returns the times of a key that are inside the window at now and newer
// than after (use All for every one). Times that left the window are forgotten
// on the way: amortised, each is looked at once. It allocates nothing.
func (t *Table) Live(id digest.ID, now, after int64) Log {
	c, _ := t.find(id)
	if c.entry == nil {
		return Log{}
	}
	t.expire(c, now)
	l := Log{N: int(c.count()), table: t, cell: c, now: now}
	if after == All {
		return l
	}
	for tick := t.ticks(after); l.N > 0 && c.at(l.first) <= tick; l.N-- {
		l.first++
	}
	return l
}

// Newest is the newest time of the log, in ns; All when there is none. It is
// rounded down to the table's tick.
func (l *Log) Newest() int64 {
	if l.cell.entry == nil || l.cell.count() == 0 {
		return All
	}
	return l.cell.last << l.table.shift
}

// Leaves returns how long it takes until the k-th oldest live time (from 1) has
// left the window; 0 when there are fewer than k.
func (l *Log) Leaves(k int) time.Duration {
	if k < 1 || k > l.N {
		return 0
	}
	end := l.cell.at(l.first+uint32(k-1)) + l.table.window
	return max(0, time.Duration(end<<l.table.shift-l.now))
}

// Times appends the live times, oldest first, in ns rounded down to the table's
// tick.
func (l *Log) Times(dst []int64) []int64 {
	for i := range uint32(l.N) {
		dst = append(dst, l.cell.at(l.first+i)<<l.table.shift)
	}
	return dst
}

// Marked reports whether the key was marked. A mark goes with the key.
func (l *Log) Marked() bool { return l.cell.entry != nil && l.cell.n&markBit != 0 }

// SetMark sets or clears the mark of the key, if the table holds it.
func (l *Log) SetMark(on bool) {
	switch {
	case l.cell.entry == nil:
	case on:
		l.cell.n |= markBit
	default:
		l.cell.n &^= markBit
	}
}

// at is the i-th oldest time, in ticks.
func (c cell) at(i uint32) int64 {
	return c.last - int64(uint32(c.last)-c.ring[c.place(i)])
}

// place is where in the ring the i-th oldest time is; i is at most the ring's size.
func (c cell) place(i uint32) uint32 {
	if i += c.head; i >= uint32(len(c.ring)) { // a division would cost as much as a look into the table
		i -= uint32(len(c.ring))
	}
	return i
}

// drop forgets the oldest time.
func (c cell) drop() {
	if c.head++; c.head == uint32(len(c.ring)) {
		c.head = 0
	}
	c.n--
}

// expire drops the times that left the window.
func (t *Table) expire(c cell, now int64) {
	if !t.live(c.last, now) {
		c.head, c.n = 0, c.n&(markBit|usedBit)
		return
	}
	for c.count() > 0 && !t.live(c.at(0), now) {
		c.drop()
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
	c, number := t.find(id)
	if c.entry == nil {
		c = t.insert(id, uint32(size), now)
	} else {
		t.expire(c, now)
		if len(c.ring) != size {
			c = t.resize(number, uint32(size))
		}
	}
	c.put(t.ticks(at))
}

// Append records a time, as Table.Add does, for the key of a log that was just
// made, whose limit is size times. It reports false, having done nothing, where
// the table does not hold the key yet, or with another limit.
func (l *Log) Append(at int64, size int) bool {
	t, c := l.table, l.cell
	if c.entry == nil || len(c.ring) != size {
		return false
	}
	if t.live(t.ticks(at), l.now) {
		c.put(t.ticks(at))
	}
	return true
}

// put places a time in order.
func (c cell) put(tick int64) {
	if c.count() == uint32(len(c.ring)) {
		if tick <= c.at(0) {
			return // older than all of a full ring
		}
		c.drop()
	}
	n := c.count()
	if n == 0 {
		c.last = tick
	}
	i := n
	for ; i > 0 && c.at(i-1) > tick; i-- {
		c.ring[c.place(i)] = c.ring[c.place(i-1)]
	}
	c.ring[c.place(i)] = uint32(tick)
	c.last = max(c.last, tick)
	c.n++
}

// Remove gives one recorded time of a key back. It reports whether it was there.
func (t *Table) Remove(id digest.ID, at, now int64) bool {
	c, number := t.find(id)
	if c.entry == nil {
		return false
	}
	t.expire(c, now)
	tick := t.ticks(at)
	for i := range c.count() {
		if c.at(i) != tick {
			continue
		}
		c.cut(i)
		if c.n == usedBit { // no times, no mark
			t.remove(number)
		}
		return true
	}
	return false
}

// cut takes the i-th oldest time out.
func (c cell) cut(i uint32) {
	n := c.count()
	if i == n-1 && n > 1 { // the newest goes: the others are kept relative to it
		c.last = c.at(n - 2)
	}
	for ; i+1 < n; i++ {
		c.ring[c.place(i)] = c.ring[c.place(i+1)]
	}
	c.n--
}

// resize moves a key to a cell of another size, with the newest of its times.
func (t *Table) resize(number, size uint32) cell {
	moved := t.take(size)
	old, c := t.cell(number), t.cell(moved)
	n := old.count()
	keep := min(n, size)
	*c.entry = entry{id: old.id, last: old.last, n: old.n&(markBit|usedBit) | keep}
	for i := range keep {
		c.ring[i] = uint32(old.at(n - keep + i))
	}
	s := t.slot(old.id, number)
	t.slots[s] = t.slots[s]&^maxNumber | moved
	t.budget.add(cost(size)-cost(uint32(len(old.ring))), 0)
	t.give(number)
	return c
}

// all calls f for every key.
func (t *Table) all(f func(c cell, number uint32)) {
	if len(t.chunks) == 0 {
		return
	}
	for number := uint32(0); ; {
		if c := t.cell(number); c.used() {
			f(c, number)
		}
		if number = t.after(number); number == 0 {
			return
		}
	}
}

// Each calls f for every key with its live times, oldest first, in ns rounded
// down to the table's tick. The slice is reused.
func (t *Table) Each(now int64, f func(id digest.ID, times []int64)) {
	var times []int64
	t.all(func(c cell, _ uint32) {
		t.expire(c, now)
		times = times[:0]
		for i := range c.count() {
			times = append(times, c.at(i)<<t.shift)
		}
		if len(times) > 0 {
			f(c.id, times)
		}
	})
}

// Move takes a key's live times over into a table of another window, for a
// limit of size times there, and forgets them here.
func (t *Table) Move(id digest.ID, to *Table, size int, now int64) {
	c, number := t.find(id)
	if c.entry == nil {
		return
	}
	t.expire(c, now)
	for i := range c.count() {
		to.Add(id, c.at(i)<<t.shift, size, now)
	}
	t.remove(number)
}

// Clear forgets every key and gives its memory back to the budget.
func (t *Table) Clear() {
	t.all(func(_ cell, number uint32) { t.remove(number) })
}
