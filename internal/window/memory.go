package window

import "sync/atomic"

const (
	entryChunk = 64
	ringChunk  = 64 // rings in one piece
	entryBytes = 40
	timeBytes  = 4
	indexBytes = 8 // slots of 4 bytes, between three eighths and three quarters full
)

// cost is what a key with a ring of that many times takes.
func cost(times uint32) int64 { return entryBytes + indexBytes + timeBytes*int64(times) }

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

// class hands out rings of one size from pieces without pointers.
type class struct {
	size   uint32
	pieces [][]uint32
	made   uint32
	free   []uint32
}

// class finds or makes the class of a size. There is one for each distinct
// limit of the configuration, so a walk is faster than a map.
func (t *Table) class(size uint32) *class {
	for i := range t.classes {
		if t.classes[i].size == size {
			return &t.classes[i]
		}
	}
	t.classes = append(t.classes, class{size: size})
	return &t.classes[len(t.classes)-1]
}

func (c *class) take() uint32 {
	if n := len(c.free); n > 0 {
		block := c.free[n-1]
		c.free = c.free[:n-1]
		return block
	}
	if c.made%ringChunk == 0 {
		c.pieces = append(c.pieces, make([]uint32, ringChunk*c.size))
	}
	c.made++
	return c.made - 1
}

func (c *class) give(block uint32) { c.free = append(c.free, block) }

func (c *class) ring(block uint32) []uint32 {
	start := block % ringChunk * c.size
	return c.pieces[block/ringChunk][start : start+c.size : start+c.size]
}
