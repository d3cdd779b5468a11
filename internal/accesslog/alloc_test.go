//go:build !race

package accesslog

import (
	"io"
	"testing"
)

func TestALineAllocatesNothing(t *testing.T) {
	for _, format := range []Format{JSON, Text} {
		l := New(io.Discard, format)
		e := refused()
		e.RequestID = []byte("0123\"é\xff€😀-and-a-long-tail-that-is-longer-than-32-bytes")
		if n := testing.AllocsPerRun(2000, func() { l.Write(&e) }); n != 0 {
			t.Errorf("format %d: %v allocations", format, n)
		}
		closed(t, l)
	}
}

func BenchmarkWrite(b *testing.B) {
	l := New(io.Discard, JSON)
	e := refused()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Write(&e)
		}
	})
	_ = l.Close()
}
