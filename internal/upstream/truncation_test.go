package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// cut is one way to break an answer off.
type cut struct {
	name string
	says string // all that the upstream sends
}

// cuts breaks off an answer whose body is size bytes long, at every boundary
// and between them.
func cuts(size int) []cut {
	half := strings.Repeat("x", size/2)
	length := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
	const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	one := fmt.Sprintf("%x\r\n%s\r\n", size/2, half)
	return []cut{
		{"Content-Length, before the body", length},
		{"Content-Length, in the body", length + half},
		{"Content-Length, before the last byte", length + half + half[1:]},
		{"chunked, before the body", chunks},
		{"chunked, in a size", chunks + one + fmt.Sprintf("%x", size/2)},
		{"chunked, behind a size", chunks + one + fmt.Sprintf("%x\r\n", size/2)},
		{"chunked, in a chunk", chunks + one + fmt.Sprintf("%x\r\n%s", size/2, half[1:])},
		{"chunked, before the end of a chunk", chunks + one + fmt.Sprintf("%x\r\n%s", size/2, half)},
		{"chunked, in the end of a chunk", chunks + one + fmt.Sprintf("%x\r\n%s\r", size/2, half)},
		{"chunked, between two chunks", chunks + one},
		{"chunked, in the last chunk", chunks + one + one + "0"},
		{"chunked, behind the last chunk", chunks + one + one + "0\r\n"},
		{"chunked, in the trailers", chunks + one + one + "0\r\nX: 1\r\n"},
		{"chunked, in the last line", chunks + one + one + "0\r\nX: 1\r\n\r"},
	}
}

func TestAnAnswerThatBreaksOffIsNeverASuccess(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		size := 1 << 10
		if streamed {
			size = 100 << 10
		}
		for _, x := range cuts(size) {
			for _, reset := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, streamed=%v, reset=%v", x.name, streamed, reset), func(t *testing.T) {
					breakOff(t, x.says, reset)
				})
			}
		}
	}
}

func breakOff(t *testing.T, says string, reset bool) {
	read := make(chan bool)
	b := play(t, func(p *peer) {
		p.request()
		p.say(says)
		if reset {
			<-read // a reset may overtake what was said
			p.reset()
		}
	})
	c := b.client(func(cfg *Config) { cfg.StreamAbove = 16 << 10 })
	var resp Response
	if reset {
		go func() { read <- true }()
	}
	err := c.Do(post("x"), &resp)
	if err == nil && resp.Stream != nil {
		_, err = io.ReadAll(resp.Stream)
		if again, same := resp.Stream.Read(make([]byte, 1)); again != 0 || same != err { //nolint:errorlint // the very same
			t.Errorf("a second read gives %d and %v, want 0 and %v", again, same, err)
		}
		_ = resp.Stream.Close()
	}
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %d and error %v, want an *Error", resp.Status, err)
	}
	if failure.Reason != ReasonTruncated && (!reset || failure.Reason != ReasonReset) || !failure.Sent {
		t.Errorf("got %s (sent: %v), want truncated and sent", failure.Reason, failure.Sent)
	}
	if !reset && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF in it", err)
	}
	requests, _ := b.seen()
	if s := c.Stats(); len(requests) != 1 || s != (Stats{}) {
		t.Errorf("%d requests were sent and %+v is left, want 1 and nothing", len(requests), s)
	}
}

func TestAHeadThatBreaksOffIsTruncated(t *testing.T) {
	for _, says := range []string{"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n", "HTTP/1.1 100 Continue\r\n\r\n"} {
		b := play(t, func(p *peer) {
			p.request()
			p.say(says)
		})
		wantError(t, b.client(), get("/"), ReasonTruncated, true)
		if requests, _ := b.seen(); len(requests) != 1 {
			t.Errorf("%q: %d requests were sent, want 1", says, len(requests))
		}
	}
}
