package prefetch

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
