package http1

import (
	"errors"
	"strings"
	"testing"
)

// What two readers could read differently is refused, by the first byte that
// makes it so, and with what is wrong.
func TestMalformedChunksAreRefused(t *testing.T) {
	f := func(text string, want error) {
		t.Helper()
		for _, n := range []int{1, 2, 3, 7, len(text)} {
			if _, err := decode(text, n); !errors.Is(err, want) {
				t.Fatalf("%.60q in pieces of %d: got %v, want %v", text, n, err, want)
			}
		}
		if want.Error() == "" {
			t.Error("the error says nothing")
		}
	}
	f("\r\n", ErrChunkSize)
	f("g\r\n", ErrChunkSize)
	f("-1\r\n", ErrChunkSize)
	f("+1\r\n", ErrChunkSize)
	f("0x1\r\n", ErrChunkSize)
	f("1_0\r\n", ErrChunkSize)
	f(" 1\r\n", ErrChunkSize)
	f("1 2\r\n", ErrChunkSize)
	f("1 \x00\r\n", ErrChunkSize)
	f("8000000000000000\r\n", ErrChunkSize) // one more than an int64 has
	f("00000000000000001\r\n", ErrChunkSize)
	f("1\n", ErrChunkSize)
	f("1;a\nb\r\n", ErrChunkLine) // a line that ends for some readers
	f("1;a\x00\r\n", ErrChunkLine)
	f("1;a\x7f\r\n", ErrChunkLine)
	f("1\r\r\n", ErrChunkLine)
	f("1;"+strings.Repeat("x", MaxExtension+1)+"\r\n", ErrChunkLine)
	f("1\r\nab\r\n", ErrChunkEnd)
	f("1\r\na\n", ErrChunkEnd)
	f("1\r\na\r\r", ErrChunkEnd)
	f("0\r\n\n", ErrTrailer)
	f("0\r\n\r\r", ErrTrailer)
	f("0\r\n: b\r\n\r\n", ErrTrailer)
	f("0\r\n A: b\r\n\r\n", ErrTrailer)
	f("0\r\nA b\r\n\r\n", ErrTrailer)
	f("0\r\nA: b\n\r\n", ErrTrailer)
	f("0\r\nA: \x00\r\n\r\n", ErrTrailer)
	f("0\r\nA: b\rc", ErrTrailer)
	f("0\r\nA: "+strings.Repeat("x", MaxTrailers)+"\r\n\r\n", ErrTrailer)
}

// A reader may take the bytes of a chunk from elsewhere, straight into the memory
// where they belong.
func TestABodyMayBeReadPastTheDecoder(t *testing.T) {
	var d Chunks
	feed := func(text string, want int) {
		t.Helper()
		data, n, err := d.Next([]byte(text), 0)
		if err != nil || len(data) > 0 || n != want {
			t.Fatalf("%q: %q, %d, %v; want to go %d far", text, data, n, err, want)
		}
	}
	if d.Ahead() != 0 {
		t.Error("there are bytes ahead of the first size")
	}
	feed("5;x\r\nhello", 5) // up to the data, for which there is no room
	if got := d.Ahead(); got != 5 {
		t.Fatalf("%d bytes are ahead, want 5", got)
	}
	d.Take(2)
	if got := d.Ahead(); got != 3 {
		t.Errorf("%d bytes are ahead, want 3", got)
	}
	d.Take(3)
	if d.Ahead() != 0 || d.Done() {
		t.Error("the chunk has not ended, or the body has")
	}
	feed("\r\n0\r\n\r\nGET / HTTP/1.1\r\n", len("\r\n0\r\n\r\n")) // what follows is the next request's
	if !d.Done() {
		t.Error("the body has not ended")
	}
}
