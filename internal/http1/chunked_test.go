package http1

import (
	"strings"
	"testing"
)

// decode feeds the coding in pieces of n bytes.
func decode(text string, n int) (string, error) {
	var d Chunks
	var out strings.Builder
	for len(text) > 0 && !d.Done() {
		piece := text[:min(n, len(text))]
		data, used, err := d.Next([]byte(piece), 1<<20)
		if err != nil {
			return out.String(), err
		}
		out.Write(data)
		text = text[used:]
	}
	if !d.Done() {
		return out.String(), MalformedError("no end")
	}
	return out.String(), nil
}

func TestChunksAreDecodedWhereverTheyAreCut(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		for n := 1; n <= len(text); n++ {
			if got, err := decode(text, n); got != want || err != nil {
				t.Fatalf("%q in pieces of %d: got %q, %v, want %q", text, n, got, err, want)
			}
		}
	}
	f("0\r\n\r\n", "")
	f("3\r\nabc\r\n0\r\n\r\n", "abc")
	f("3;name=value\r\nabc\r\n002 \r\nde\r\n0\r\nX-Role: admin\r\n\r\n", "abcde")
	f("A\r\n0123456789\r\n1\r\nx\r\n0;last\r\n\r\n", "0123456789x")
}

// A line of extension may be 4 KiB, but a body can't be mostly extensions.
func TestExtensionsAreBoundedForTheWholeBody(t *testing.T) {
	chunk := "1;" + strings.Repeat("x", 1000) + "\r\na\r\n"
	if _, err := decode(strings.Repeat(chunk, 60)+"0\r\n\r\n", 1<<20); err != nil {
		t.Errorf("60 KB of extensions: %v", err)
	}
	if _, err := decode(strings.Repeat(chunk, 70)+"0\r\n\r\n", 1<<20); err != ErrChunkLine { //nolint:errorlint // returned unwrapped
		t.Errorf("70 KB of extensions: got %v, want %v", err, ErrChunkLine)
	}
	if _, err := decode(strings.Repeat("1\r\na\r\n", 200_000)+"0\r\n\r\n", 1<<20); err != nil {
		t.Errorf("200,000 chunks without extensions: %v", err)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("3;x\r\nabc\r\n0\r\nA: b\r\n\r\n", uint8(1))
	f.Add("ffffffffffffffff\r\n", uint8(3))
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		whole, wrong := decode(text, len(text)+1)
		cut, alsoWrong := decode(text, int(n)+1)
		if (wrong == nil) != (alsoWrong == nil) || wrong == nil && whole != cut {
			t.Errorf("%q: whole %q, %v; in pieces %q, %v", text, whole, wrong, cut, alsoWrong)
		}
	})
}
