package hint

import (
	"testing"
	"unsafe"
)

func TestAnyAddressWillDo(t *testing.T) {
	table := make([]uint64, 16)
	for i := range table {
		table[i] = uint64(i)
		Lines(unsafe.Pointer(&table[i]))
	}
	Lines(nil)
	for i := range table {
		if table[i] != uint64(i) {
			t.Errorf("word %d is %d", i, table[i])
		}
	}
}

func TestOnlyWholeLargePagesAreAskedFor(t *testing.T) {
	for _, c := range []struct{ at, size, from, length uintptr }{
		{0, 0, 0, 0},
		{0, largePage, 0, largePage},
		{1, largePage, largePage, 0},
		{1, 2 * largePage, largePage, largePage},
		{3*largePage - 64, 5*largePage + 64, 3 * largePage, 5 * largePage},
		{64, 100, largePage, 0},
	} {
		if from, length := whole(c.at, c.size); length != c.length || length > 0 && from != c.from {
			t.Errorf("%d bytes at %d: %d bytes at %d, want %d at %d", c.size, c.at, length, from, c.length, c.from)
		}
	}
}

func TestWhatIsInLargePagesStaysWhatItIs(t *testing.T) {
	table := make([]uint64, 4*largePage/8)
	for i := range table {
		table[i] = uint64(i)
	}
	Large(unsafe.Pointer(&table[0]), uintptr(len(table)*8))
	for i := range table {
		if table[i] != uint64(i) {
			t.Fatalf("word %d is %d", i, table[i])
		}
	}
}
