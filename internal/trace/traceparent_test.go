package trace

import (
	"strings"
	"testing"
)

const wellFormed = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAWellFormedTraceparentIsRead(t *testing.T) {
	f := func(header string, flags byte) {
		t.Helper()
		c, ok := Parse([]byte(header))
		if !ok || c.Flags != flags || c.TraceID[0] != 0x4b || c.TraceID[15] != 0x36 || c.SpanID[1] != 0xf0 || c.SpanID[7] != 0xb7 {
			t.Errorf("%q is read as %+v, %v", header, c, ok)
		}
	}
	f(wellFormed, Sampled)
	f(strings.Replace(wellFormed, "-01", "-00", 1), 0)
	f(strings.Replace(wellFormed, "-01", "-ff", 1), Sampled|random) // what else is set is not ours to pass on
	f("01"+wellFormed[2:], Sampled)                                 // of a version to come
	f("fe"+wellFormed[2:], Sampled)
	f("cc"+wellFormed[2:]+"-what-the-future-brings", Sampled)
}

func TestAnythingElseIsNoTraceparent(t *testing.T) {
	f := func(header string) {
		t.Helper()
		if c, ok := Parse([]byte(header)); ok || !c.IsZero() {
			t.Errorf("%q is read as %+v, %v", header, c, ok)
		}
	}
	for i := range len(wellFormed) {
		f(wellFormed[:i])
		f(wellFormed[:i] + "g" + wellFormed[i+1:])
	}
	f(strings.ToUpper(wellFormed))
	f("ff" + wellFormed[2:])
	f(wellFormed + "-")
	f(wellFormed + "-00")
	f("01" + wellFormed[2:] + "00")
	f(" " + wellFormed)
	f("00-" + strings.Repeat("0", 32) + wellFormed[35:])
	f(wellFormed[:36] + strings.Repeat("0", 16) + "-01")
}

func TestWhatIsWrittenIsWhatWasRead(t *testing.T) {
	c, _ := Parse([]byte(wellFormed))
	if got := string(c.Append(nil)); got != wellFormed {
		t.Errorf("got %q, want %q", got, wellFormed)
	}
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		c, _ := Parse([]byte(wellFormed))
		c.Append(dst)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add([]byte(wellFormed))
	f.Add([]byte("cc" + wellFormed[2:] + "-more"))
	f.Fuzz(func(t *testing.T, header []byte) {
		c, ok := Parse(header)
		if !ok {
			return
		}
		again, ok := Parse(c.Append(nil))
		if !ok || again != c {
			t.Errorf("%q is read as %+v, and written and read again as %+v, %v", header, c, again, ok)
		}
	})
}
