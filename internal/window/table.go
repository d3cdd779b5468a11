// Package window is the log of times behind every rule: a table that keeps, for
// each key, the times of what was admitted within one sliding window. It knows
// nothing of requests, messages, limits or locks: its owner decides what counts,
// cuts keys into shards and locks them.
//
// # Exactness
//
// A time t is live at now when now-t < window: the window is half-open, so what
// happened exactly one window ago no longer counts. Times are kept in ticks of
// 2^shift nanoseconds, with the smallest shift for which a window fits into 31
// bits: 1 ns for windows up to 2.1 s, 128 ns for 3 minutes, 2.048 µs for an
// hour. Within that tick nothing is approximated.
//
// # Memory
//
// A key costs 32 bytes and 4 for each time that its limit allows, rounded up to the
// lines of a processor's cache, and 5 to 11 bytes of index: about 136 bytes at 20
// times. So a decision waits for one place in memory, not for three. Chunks and index
// have no pointers in them: the garbage collector has a few hundred slices to look
// at, not millions of keys. A key whose newest time has left the
// window is found and freed by the sweep: 16 new keys look at 32 others.
//
// When the budget is used up a new key takes the place of one whose times have
// all expired, if there is one among the next 32, else of the weakest of them:
// the one with the fewest live times, and of those the one that was quiet for
// longest. A flood of new keys, each seen once, thereby pushes out its own. Each
// live key that had to go is counted in Budget.EvictedLive.
package window

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/hint"
)

const (
	none       = math.MaxUint32 // no entry
	numberBits = 24             // of a slot: see slotOf
	maxNumber  = 1<<numberBits - 1
	tagBits    = 4
	step       = 1 << numberBits // one place away from home
	most       = 15              // places away that a slot can tell
	far        = most * step     // as many, or more
	sweepSteps = 2               // others looked at for each new key
	sweepRow   = 32              // as many at once: they stand side by side, and memory is fast in a row
	searchRoom = 32              // others looked at when a key is new and the budget used up
	minSlots   = 8
)

// All is the reply time before every other: Live then counts the whole window.
const All int64 = math.MinInt64

// entry is one key's log, but for its ring.
type entry struct {
	id   digest.ID
	last int64  // newest time, in ticks
	head uint32 // place of the oldest time
	n    uint32 // times held, and the bits below
}

const (
	markBit = 1 << 31
	usedBit = 1 << 30 // not set in an entry that is free
)

func (e *entry) count() uint32 { return e.n &^ (markBit | usedBit) }

func (e *entry) used() bool { return e.n&usedBit != 0 }

// Table maps keys to logs of times within one window. It is not safe for
// concurrent use.
//
// What a look for a key needs stands at its beginning.
type Table struct {
	span    time.Duration // the window
	seed    [2]uint64
	slots   []uint32 // open addressing by linear probing: see slotOf; or none
	chunks  []chunk
	window  int64 // ticks
	shift   uint
	budget  *Budget
	keys    int    // entries in use
	places  uint32 // numbers that were ever used
	hand    uint32 // where the sweep goes on
	owed    uint32 // others that new keys have not looked at yet
	classes []class
}

// NewTable makes an empty table for one window, which must be greater than 0.
// What it holds counts against b, which several tables may share.
func NewTable(window time.Duration, b *Budget) *Table {
	t := new(Table)
	t.Init(window, b)
	return t
}

// Init makes the zero Table what NewTable returns.
func (t *Table) Init(window time.Duration, b *Budget) {
	if window <= 0 {
		panic("BUG: a window must be greater than 0")
	}
	t.budget, t.span, t.seed = b, window, [2]uint64{rand.Uint64(), rand.Uint64()}
	for int64(window)>>t.shift >= 1<<31 {
		t.shift++
	}
	t.window = (int64(window) + (1<<t.shift - 1)) >> t.shift
}

// Window is what the table was made for; 0 for the zero Table, which holds nothing.
func (t *Table) Window() time.Duration { return t.span }

// Len is how many keys the table holds, expired ones that were not yet swept
// included.
func (t *Table) Len() int { return t.keys }

// hash spreads an id. The seeds are secret, so nobody can choose keys that
// collide.
func (t *Table) hash(id digest.ID) uint64 {
	hi, lo := bits.Mul64(id.Hi^t.seed[0], id.Lo^t.seed[1])
	return hi ^ lo
}

// home is where the search for a hash begins.
func (t *Table) home(hash uint64) uint32 { return uint32(hash) & uint32(len(t.slots)-1) }

// slotOf is what the index holds of an entry: 4 bits of its hash, how many places it
// stands away from home (15 for more), and its number. Whoever looks for an entry has to
// look only at those with the same home and the same 4 bits; and whoever closes a gap
// knows what may move up without a look at what it is of.
func slotOf(hash uint64, away, number uint32) uint32 {
	return uint32(hash>>(64-tagBits))<<(32-tagBits) | min(away, most)*step | number
}

func numberIn(slot uint32) uint32 { return slot & maxNumber }

// farther is what a slot holds one place farther from home.
func farther(slot uint32) uint32 {
	if slot&far != far {
		slot += step
	}
	return slot
}

// away is how many places a slot is away from the home of what it holds.
func (t *Table) away(s uint32) uint32 {
	if away := t.slots[s] & far; away != far {
		return away / step
	}
	return (s - t.home(t.hash(t.cell(numberIn(t.slots[s])).id))) & uint32(len(t.slots)-1)
}

// find returns the cell of id and its number, or none.
func (t *Table) find(id digest.ID) (cell, uint32) {
	if len(t.slots) == 0 {
		return cell{}, none
	}
	mask, hash := uint32(len(t.slots)-1), t.hash(id)
	wanted := slotOf(hash, 0, 0)
	for s := t.home(hash); t.slots[s] != none; s = (s + 1) & mask {
		if t.slots[s]&^maxNumber == wanted {
			if c := t.cell(numberIn(t.slots[s])); c.id == id {
				return c, numberIn(t.slots[s])
			}
		}
		wanted = farther(wanted)
	}
	return cell{}, none
}

// Ahead asks for what will be looked at of a key soon, so that whoever looks need not
// wait for it.
func (t *Table) Ahead(id digest.ID) {
	if len(t.slots) == 0 {
		return
	}
	mask, hash := uint32(len(t.slots)-1), t.hash(id)
	wanted := slotOf(hash, 0, 0)
	for s := t.home(hash); t.slots[s] != none; s = (s + 1) & mask {
		if t.slots[s]&^maxNumber == wanted {
			hint.Lines(unsafe.Pointer(t.cell(numberIn(t.slots[s])).entry))
			return
		}
		wanted = farther(wanted)
	}
}

// insert makes an entry for an id that has none, with a ring of size times.
func (t *Table) insert(id digest.ID, size uint32, now int64) cell {
	if t.owed += sweepSteps; t.owed >= min(sweepRow, t.places) {
		t.sweep(now, t.owed)
		t.owed = 0
	}
	need := cost(size)
	if !t.budget.fits(need) {
		t.makeRoom(now)
	}
	if t.keys >= len(t.slots)/4*3 {
		t.grow()
	}
	number := t.take(size)
	c := t.cell(number)
	*c.entry = entry{id: id, n: usedBit}
	t.index(id, number)
	t.keys++
	t.budget.add(need, 1)
	return c
}

// index makes an entry findable.
func (t *Table) index(id digest.ID, number uint32) {
	mask, hash := uint32(len(t.slots)-1), t.hash(id)
	slot := slotOf(hash, 0, number)
	s := t.home(hash)
	for ; t.slots[s] != none; s = (s + 1) & mask {
		slot = farther(slot)
	}
	t.slots[s] = slot
}

// grow doubles the index. It goes through the entries as they stand in memory, which is
// fast in a row, not through the old index, which would jump among them.
func (t *Table) grow() {
	t.slots = make([]uint32, max(minSlots, 2*len(t.slots)))
	for i := range t.slots {
		t.slots[i] = none
	}
	t.all(func(c cell, number uint32) { t.index(c.id, number) })
}

// slot is the place in the index of an entry.
func (t *Table) slot(id digest.ID, number uint32) uint32 {
	s := t.home(t.hash(id))
	for numberIn(t.slots[s]) != number {
		s = (s + 1) & uint32(len(t.slots)-1)
	}
	return s
}

// remove frees an entry. Later entries of the same run move up in the index, so
// that a search never has to step over graves.
func (t *Table) remove(number uint32) {
	c := t.cell(number)
	mask := uint32(len(t.slots) - 1)
	hole := t.slot(c.id, number)
	for s := (hole + 1) & mask; t.slots[s] != none; s = (s + 1) & mask {
		if away, gap := t.away(s), (s-hole)&mask; away >= gap {
			t.slots[hole] = t.slots[s]&^far | min(away-gap, most)*step
			hole = s
		}
	}
	t.slots[hole] = none
	t.budget.add(-cost(uint32(len(c.ring))), -1)
	t.give(number)
	t.keys--
}

// turn moves the hand on and returns what it pointed at. There must be chunks.
func (t *Table) turn() (cell, uint32) {
	number := t.hand
	t.hand = t.after(number)
	return t.cell(number), number
}

// sweep looks at the next steps entries and frees those that expired.
func (t *Table) sweep(now int64, steps uint32) (freed bool) {
	for range min(steps, t.places) {
		if c, number := t.turn(); c.used() && !t.live(c.last, now) {
			t.remove(number)
			freed = true
		}
	}
	return freed
}

// makeRoom frees an expired entry, or else the weakest of those it looked at.
func (t *Table) makeRoom(now int64) {
	if t.keys == 0 || t.sweep(now, searchRoom) {
		return
	}
	weakest, fewest, oldest := uint32(none), uint32(math.MaxUint32), int64(math.MaxInt64)
	for range min(searchRoom, t.places) {
		c, number := t.turn()
		if !c.used() {
			continue
		}
		t.expire(c, now)
		if n := c.count(); n < fewest || (n == fewest && c.last < oldest) {
			weakest, fewest, oldest = number, n, c.last
		}
	}
	if weakest != none {
		t.budget.evictedLive.Add(1)
		t.remove(weakest)
	}
}
