package window

import (
	"sync/atomic"
	"unsafe"
)

const (
	entryBytes = 32 // before the ring
	timeBytes  = 4
	lineBytes  = 64 // of a processor's cache: an entry begins with one
	indexBytes = 8  // slots of 4 bytes, between three eighths and three quarters full
	chunkRoom  = 64 // numbers that a chunk has
	chunkBytes = 64 << 10
)

// linesOf is how many cache lines an entry with room for that many times takes.
func linesOf(times uint32) uint32 {
	return (entryBytes + timeBytes*times + lineBytes - 1) / lineBytes
}

// cost is what a key with a ring of that many times takes.
func cost(times uint32) int64 { return int64(linesOf(times))*lineBytes + indexBytes }

// Budget bounds the memory of several tables together and counts what they
// hold. It is safe for concurrent use.
type Budget struct {
	limit       int64
	used        atomic.Int64
	entries     atomic.Int64
	evictedLive atomic.Uint64
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Used is how many bytes the tables hold.
func (b *Budget) Used() int64 { return b.used.Load() }

// Entries is how many keys the tables hold.
func (b *Budget) Entries() int64 { return b.entries.Load() }

// EvictedLive is how many keys were forgotten while inside their window.
func (b *Budget) EvictedLive() uint64 { return b.evictedLive.Load() }

// Capacity is how many keys fit whose limit is that many times.
func (b *Budget) Capacity(times int) int64 { return b.limit / cost(uint32(times)) }

func (b *Budget) fits(bytes int64) bool { return b.used.Load()+bytes <= b.limit }

func (b *Budget) add(bytes, keys int64) {
	b.used.Add(bytes)
	if keys != 0 {
		b.entries.Add(keys)
	}
}

// line is the unit of which entries are made. It has the alignment of an entry.
type line [lineBytes / 8]uint64

// chunk is a row of entries with room for equally many times. It holds no pointer but
// that to its lines.
type chunk struct {
	lines []line
	size  uint32 // of an entry, in lines
	times uint32
	made  uint32 // entries that were ever used, the first ones
}

// cell is a log: its entry, and its ring, which stands behind it.
type cell struct {
	*entry
	ring []uint32 // of the times' last 32 bits; as long as the key's limit
}

// cell is the place of a number. It is in use unless its entry says otherwise.
func (t *Table) cell(number uint32) cell {
	c := &t.chunks[number/chunkRoom]
	first := unsafe.Pointer(&c.lines[number%chunkRoom*c.size])
	return cell{
		(*entry)(first),
		unsafe.Slice((*uint32)(unsafe.Add(first, entryBytes)), c.times),
	}
}

// class is what can be used for one size.
type class struct {
	times     uint32
	next, end uint32   // numbers never used
	free      []uint32 // numbers used before
}

// class finds or makes the class of a size. There is one for each distinct
// limit of the configuration, so a walk is faster than a map.
func (t *Table) class(times uint32) *class {
	for i := range t.classes {
		if t.classes[i].times == times {
			return &t.classes[i]
		}
	}
	t.classes = append(t.classes, class{times: times})
	return &t.classes[len(t.classes)-1]
}

// take returns a number whose cell has room for that many times, and is empty.
func (t *Table) take(times uint32) uint32 {
	k := t.class(times)
	if n := len(k.free); n > 0 {
		number := k.free[n-1]
		k.free = k.free[:n-1]
		return number
	}
	if k.next == k.end {
		size := linesOf(times)
		count := max(1, min(chunkRoom, chunkBytes/lineBytes/size))
		k.next = uint32(len(t.chunks)) * chunkRoom
		k.end = k.next + count
		if k.end > maxNumber { // 64 GiB of each table
			panic("BUG: a table has more entries than numbers")
		}
		t.chunks = append(t.chunks, chunk{lines: make([]line, count*size), size: size, times: times})
	}
	t.chunks[k.next/chunkRoom].made++
	t.places++
	k.next++
	return k.next - 1
}

// give makes a number usable again.
func (t *Table) give(number uint32) {
	c := t.cell(number)
	*c.entry = entry{}
	k := t.class(uint32(len(c.ring)))
	k.free = append(k.free, number)
}

// after returns the number that follows among those that were ever used, or 0 behind
// the last.
func (t *Table) after(number uint32) uint32 {
	chunk := number / chunkRoom
	if number++; number-chunk*chunkRoom < t.chunks[chunk].made {
		return number
	}
	if chunk++; int(chunk) == len(t.chunks) {
		return 0
	}
	return chunk * chunkRoom
}
