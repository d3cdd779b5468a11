package window

import (
	"encoding/binary"
	"slices"
	"testing"
)

func TestTimesAreReadAsTheyWereWritten(t *testing.T) {
	f := func(times ...int64) {
		t.Helper()
		data := AppendTimes([]byte("before"), times)[len("before"):]
		got, rest, ok := ReadTimes(append(slices.Clone(data), "after"...))
		if !ok || !slices.Equal(got, times) || string(rest) != "after" {
			t.Errorf("%v became %v, %q, %v", times, got, rest, ok)
		}
		for n := range data {
			if got, _, ok := ReadTimes(data[:n]); ok {
				t.Errorf("%d of %d bytes of %v are read as %v", n, len(data), times, got)
			}
		}
	}
	f(0)
	f(1_700_000_000_000_000_000)
	f(-5, -5, -1, 0, 127, 128, 1<<40)
	f(All+1, 0, 1<<62)
}

func TestTimesOfNobodyAndOfTooManyAreRefused(t *testing.T) {
	for _, n := range []uint64{0, mostTimes + 1, 1 << 63} {
		if times, _, ok := ReadTimes(append(binary.AppendUvarint(nil, n), make([]byte, mostTimes+8)...)); ok {
			t.Errorf("%d times are read: %d", n, len(times))
		}
	}
	if times, rest, ok := ReadTimes(append(binary.AppendUvarint(nil, mostTimes), make([]byte, mostTimes+7)...)); !ok || len(times) != mostTimes || len(rest) != 0 {
		t.Errorf("the largest limit: %d times, %d bytes, %v", len(times), len(rest), ok)
	}
}
