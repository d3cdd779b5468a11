package rehearse

import (
	"cmp"
	"time"
)

// A log has a line when its request ended, and rules go by when it began. So
// lines are held back until nothing can come any more that began before them: for
// holdFor, and at most holdMost lines (16 MiB).
const (
	holdFor  = int64(time.Minute)
	holdMost = 1 << 17
)

// queue brings lines into the order of their times. Lines of one instant keep
// the order in which they came.
type queue struct {
	most   int // lines held back; holdMost when 0
	heap   []turn
	lines  []Line
	free   []uint32
	serial uint64
	newest int64 // time of the newest line that came
	gone   int64 // time of the newest line that left

	jumbled uint64 // lines that came after one that began later
	late    uint64 // lines that came too late to be brought into order
}

// turn is a line's place in the order.
type turn struct {
	time   int64
	serial uint64
	slot   uint32
}

func (t *turn) before(u *turn) bool {
	return t.time < u.time || t.time == u.time && t.serial < u.serial
}

// push takes a line in, and hands out those whose turn it is.
func (q *queue) push(l *Line, out func(l *Line)) {
	if l.Time < q.newest {
		q.jumbled++
	}
	if l.Time < q.gone { // the rules take the latest time that they have seen for the present
		q.late++
		l.Time = q.gone
	}
	q.newest = max(q.newest, l.Time)
	q.add(l)
	for len(q.heap) > cmp.Or(q.most, holdMost) || len(q.heap) > 0 && q.heap[0].time <= q.newest-holdFor {
		q.pop(out)
	}
}

// drain hands out all that is left.
func (q *queue) drain(out func(l *Line)) {
	for len(q.heap) > 0 {
		q.pop(out)
	}
}

func (q *queue) add(l *Line) {
	slot := uint32(len(q.lines))
	if n := len(q.free); n > 0 {
		slot, q.free = q.free[n-1], q.free[:n-1]
		q.lines[slot] = *l
	} else {
		q.lines = append(q.lines, *l)
	}
	q.serial++
	q.heap = append(q.heap, turn{l.Time, q.serial, slot})
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.heap[i].before(&q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

func (q *queue) pop(out func(l *Line)) {
	first := q.heap[0]
	last := len(q.heap) - 1
	moved := q.heap[last]
	q.heap = q.heap[:last]
	if last > 0 {
		q.sink(moved)
	}
	q.gone = first.time
	q.free = append(q.free, first.slot)
	out(&q.lines[first.slot])
}

// sink puts a turn in the place of the first.
func (q *queue) sink(moved turn) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if child+1 < len(q.heap) && q.heap[child+1].before(&q.heap[child]) {
			child++
		}
		if !q.heap[child].before(&moved) {
			break
		}
		q.heap[i] = q.heap[child]
		i = child
	}
	q.heap[i] = moved
}
