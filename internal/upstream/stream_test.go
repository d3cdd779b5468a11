package upstream

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// small makes a client stream what is larger than 4 KiB.
func small(cfg *Config) { cfg.StreamAbove = 4 << 10 }

// open makes a request whose answer must be streamed.
func open(t *testing.T, c *Client, req *Request) (io.ReadCloser, *Response) {
	t.Helper()
	resp := &Response{Body: make([]byte, 0, 64)}
	if err := c.Do(req, resp); err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	if resp.Stream == nil {
		t.Fatalf("a body of %d bytes was not streamed", len(resp.Body))
	}
	if len(resp.Body) != 0 {
		t.Fatalf("%d bytes are in Body, too", len(resp.Body))
	}
	return resp.Stream, resp
}

// longAnswers gives answers with a body of size bytes in every framing.
func longAnswers(size int, body string) map[string]string {
	var chunked strings.Builder
	for rest := body; rest != ""; {
		n := min(len(rest), 1+rand.IntN(20_000))
		fmt.Fprintf(&chunked, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	return map[string]string{
		"Content-Length":    fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body),
		"chunked":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked.String() + "0\r\n\r\n",
		"end of connection": "HTTP/1.1 200 OK\r\n\r\n" + body,
	}
}

func TestAStreamHasTheWholeBody(t *testing.T) {
	const size = 1 << 20
	random := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	for framing, answer := range longAnswers(size, string(random)) {
		b := play(t, func(p *peer) {
			for {
				p.request()
				p.say(answer)
				if framing == "end of connection" {
					return
				}
			}
		})
		c := b.client(small)
		for range 2 {
			stream, resp := open(t, c, get("/"))
			got, err := io.ReadAll(stream)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(random) {
				t.Errorf("%s: %d bytes and error %v, want the %d bytes sent", framing, len(got), err, size)
			}
			if framing == "Content-Length" && resp.ContentLength != size {
				t.Errorf("%s: the length is %d, want %d", framing, resp.ContentLength, size)
			}
			if n, err := stream.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s: behind the end there are %d bytes and error %v", framing, n, err)
			}
			_ = stream.Close()
		}
		_, dialled := b.seen()
		if want := map[bool]int{false: 1, true: 2}[framing == "end of connection"]; dialled != want {
			t.Errorf("%s: %d connections were made, want %d", framing, dialled, want)
		}
	}
}

func TestTheLastByteGivesTheConnectionBack(t *testing.T) {
	b := play(t, always("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"+strings.Repeat("x", 5000)))
	c := b.client(small)
	stream, _ := open(t, c, get("/"))
	if _, err := io.ReadFull(stream, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s != (Stats{Open: 1, Idle: 1}) {
		t.Errorf("got %+v, want the connection idle", s)
	}
	wantBody(t, c, get("/"), strings.Repeat("x", 5000))
	_ = stream.Close() // late: the connection is not the stream's any more
	wantBody(t, c, get("/"), strings.Repeat("x", 5000))
	if _, dialled := b.seen(); dialled != 1 {
		t.Errorf("%d connections were made, want 1", dialled)
	}
}

func TestAStreamClosedEarlyClosesItsConnection(t *testing.T) {
	for framing, answer := range longAnswers(1<<20, strings.Repeat("x", 1<<20)) {
		b := play(t, func(p *peer) {
			p.request()
			p.say(answer)
			p.gone()
		})
		c := b.client(small)
		stream, _ := open(t, c, get("/"))
		if _, err := stream.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := stream.Close(); err != nil {
				t.Errorf("%s: unexpected error: %v", framing, err)
			}
		}
		if n, err := stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: a closed stream gives %d bytes and error %v", framing, n, err)
		}
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("%s: %+v is left, want nothing", framing, s)
		}
	}
}

func TestAStreamClosedBeforeItsBodyCameClosesItsConnection(t *testing.T) {
	for _, head := range []string{"Content-Length: 5000", "Transfer-Encoding: chunked\r\nContent-Type: text/event-stream"} {
		b := play(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n")
			p.gone()
		})
		c := b.client(small)
		stream, _ := open(t, c, get("/"))
		_ = stream.Close()
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("%s: %+v is left, want nothing: what comes there is not for the next request", head, s)
		}
	}
}

func TestEventsComeAsTheyAreSent(t *testing.T) {
	heard := make(chan bool)
	b := play(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for i := range 3 {
			p.say(fmt.Sprintf("9\r\ndata: %d\n\n\r\n", i))
			<-heard
		}
		p.say("0\r\n\r\n")
		p.gone()
	})
	c := b.client()
	stream, _ := open(t, c, get("/"))
	buf := make([]byte, 1000)
	for i := range 3 {
		n, err := stream.Read(buf)
		if want := fmt.Sprintf("data: %d\n\n", i); err != nil || string(buf[:n]) != want {
			t.Fatalf("got %q and error %v, want %q", buf[:n], err, want)
		}
		heard <- true
	}
	if n, err := stream.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("got %q and error %v, want the end", buf[:n], err)
	}
	if s := c.Stats(); s.Idle != 1 {
		t.Errorf("got %+v, want the connection idle", s)
	}
}

func TestEveryReadOfAStreamHasItsOwnTimeout(t *testing.T) {
	b := play(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
		for range 20 { // longer than the timeout, all together
			p.say("x")
			<-time.After(25 * time.Millisecond)
		}
		p.gone()
	})
	c := b.client(small, func(cfg *Config) { cfg.Timeout = 300 * time.Millisecond })
	stream, _ := open(t, c, get("/"))
	got, err := io.ReadAll(stream)
	var failure *Error
	if !errors.As(err, &failure) || failure.Reason != ReasonTimeout || !failure.Sent || len(got) != 20 {
		t.Errorf("got %d bytes and error %v, want 20 and a timeout", len(got), err)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
}

func TestALargeStreamNeedsLittleMemory(t *testing.T) {
	const size = 64 << 20
	piece := bytes.Repeat([]byte{'x'}, 1<<16)
	chunk := fmt.Appendf(nil, "10000\r\n%s\r\n", piece)
	for _, head := range []string{fmt.Sprintf("Content-Length: %d", size), "Transfer-Encoding: chunked"} {
		b := play(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n")
			next := piece
			if head[0] == 'T' {
				next = chunk
			}
			for range size / len(piece) {
				_, _ = p.Write(next)
			}
			if head[0] == 'T' {
				p.say("0\r\n\r\n")
			}
		})
		c := b.client()
		stream, resp := open(t, c, get("/"))
		resp.Reset() // the stream outlives its answer
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, stream, make([]byte, 16<<10))
		runtime.ReadMemStats(&after)
		if n != size || err != nil {
			t.Errorf("%s: %d bytes and error %v, want %d", head, n, err, size)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes were allocated for a stream of %d", head, used, size)
		}
		_ = stream.Close()
	}
}
