package downstream

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBodiesArriveWhole(t *testing.T) {
	s := serve(t, &echo{limit: 10 << 10}, nil) // what is larger is streamed
	for _, size := range []int{0, 1, 3000, 4096, 10 << 10, 10<<10 + 1, 300 << 10} {
		body := strings.Repeat("x", size)
		want := "POST / " + itoa(size) + " " + body[:min(size, 20)]
		c := s.dial()
		go c.send("POST / HTTP/1.1\r\nContent-Length: ", itoa(size), "\r\n\r\n", body, get)
		c.hear(want)
		c.hear("GET /a 0 ")
		for _, piece := range []int{1 << 20, 4000, 100} {
			c := s.dial()
			go func() {
				c.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
				for rest := body; rest != ""; rest = rest[min(piece, len(rest)):] {
					part := rest[:min(piece, len(rest))]
					c.send(hex(len(part))+"\r\n", part, "\r\n")
				}
				c.send("0\r\n\r\n" + get) // the next request may come with the last chunk
			}()
			c.hear(want)
			c.hear("GET /a 0 ")
		}
	}
}

func TestBodiesThatBreakOffAreNeverWhole(t *testing.T) {
	f := func(limit int64, input, want string) {
		t.Helper()
		c := serve(t, &echo{limit: limit}, nil).dial()
		c.say(input)
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		c.hear(want)
		c.closed()
	}
	const cut, bad = "cannot read the whole request body: the client ended the connection", "cannot read the request body: bad chunked coding"
	for _, limit := range []int64{1, 1 << 20} {
		f(limit, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", cut)
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", cut) // on a chunk's boundary
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", cut)
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", cut)
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", bad)
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", bad)
		f(limit, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", bad)
	}
}

// refusing answers without a look at the body.
func refusing(closing *atomic.Bool) *echo {
	return &echo{before: func(c *Conn) bool {
		if string(c.Method) == "GET" {
			return false
		}
		closing.Store(c.MustClose())
		_ = c.Write([]byte("refused\n"), nil)
		return true
	}}
}

func TestARefusedBodyIsSkippedOrTheConnectionEnds(t *testing.T) {
	f := func(head, body string, ends bool) {
		t.Helper()
		var closing atomic.Bool
		c := serve(t, refusing(&closing), nil).dial()
		c.say(head)
		hear := func() { c.hear("refused") }
		if len(body) < 20 {
			hear() // the answer does not wait for the body
			hear = func() {}
		}
		go func() { _, _ = c.Write([]byte(body + get)) }() // the end of the connection may cut it short
		hear()
		if closing.Load() != ends {
			t.Errorf("%q: the answer could say that the connection ends: %v, want %v", head, closing.Load(), ends)
		}
		if ends {
			c.closed()
		} else {
			c.hear("GET /a 0 ")
		}
	}
	f("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "hello", false)
	f("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n", strings.Repeat("x", 200000), false)
	f("POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n", strings.Repeat("x", 300000), true)
	f("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "", false)
	f("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "lo\r\n0\r\n\r\n", true)
	f("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "", true)
}

func TestABodyIsAskedForOnlyWhenItIsWanted(t *testing.T) {
	c := serve(t, new(echo), nil).dial()
	c.say("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	c.hear("HTTP/1.1 100 Continue\r")
	c.hear("\r")
	c.say("hello")
	c.hear("POST / 5 hello")
	c.say("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello") // it has come
	c.hear("POST / 5 hello")
}

// A client that pretends a large body costs no memory until it sends one.
func TestAClaimedLengthReservesNothing(t *testing.T) {
	b := body{left: 1 << 40}
	if got := b.want(1<<40, 0); got > firstBody {
		t.Errorf("the first room is %d bytes", got)
	}
	if got := b.want(1<<40, 100_000); got > 100_000 {
		t.Errorf("100 kB get %d bytes more", got)
	}
}

// An answer that a client could not read, because it was still sending, would
// be lost if the connection were closed at once.
func TestAClientThatIsStillSendingGetsItsAnswer(t *testing.T) {
	var closing atomic.Bool
	s := serve(t, refusing(&closing), nil)
	for range 20 {
		c := s.dial()
		sent := make(chan bool)
		go func() {
			defer close(sent)
			_, _ = c.Write([]byte("POST / HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + strings.Repeat("x", 900000)))
		}()
		<-sent
		c.hear("refused")
		c.closed()
	}
}

func TestALateBodyDoesNotBlockTheOthers(t *testing.T) {
	s := serve(t, new(echo), nil)
	for range 50 {
		s.dial().say("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
	}
	start := time.Now()
	c := s.dial()
	c.say(get)
	c.hear("GET /a 0 ")
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
