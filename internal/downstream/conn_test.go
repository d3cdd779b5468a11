package downstream

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

const get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

func TestRequestsAreAnsweredInOrderHoweverTheyAreCut(t *testing.T) {
	const requests = get + "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" +
		"\r\n\r\nPOST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n" + get
	s := serve(t, new(echo), nil)
	for _, step := range []int{1, 2, 7, 40, len(requests)} {
		c := s.dial()
		for rest := requests; rest != ""; rest = rest[min(step, len(rest)):] {
			c.say(rest[:min(step, len(rest))])
			if step < 40 {
				time.Sleep(50 * time.Microsecond) // so that pieces arrive alone
			}
		}
		c.hear("GET /a 0 ")
		c.hear("POST /b 5 hello")
		c.hear("POST /c 7 abcdefg")
		c.hear("GET /a 0 ")
	}
}

func TestManyPipelinedRequestsGetOneAnswerEach(t *testing.T) {
	h := new(echo)
	c := serve(t, h, nil).dial()
	const n = 500 // several buffers full
	go c.send(strings.Repeat("POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", n))
	for range n {
		c.hear("POST /p 3 abc")
	}
	if got := len(h.requests()); got != n {
		t.Errorf("%d requests were handled, want %d", got, n)
	}
}

func TestAHalfClosedClientGetsItsAnswer(t *testing.T) {
	c := serve(t, new(echo), nil).dial()
	c.say(get)
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.hear("GET /a 0 ")
	c.closed()
}

func TestWhatIsNoRequestIsAnsweredOnceAndHungUpOn(t *testing.T) {
	h := new(echo)
	s := serve(t, h, nil)
	f := func(input, want string) {
		t.Helper()
		c := s.dial()
		c.say(input)
		c.hear(want)
		c.closed()
	}
	const line = "400 line"
	f("GET / HTTP/1.1\nHost: h\r\n\r\n", line)
	f("GET / HTTP/1.1\r\nHost: h\nX: 1\n\n", line)
	f("\n", line)
	f("\r\n\r\n\r\n"+get, line)
	f("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", line) // TLS
	f("GET /\r\n\r\n", line)
	f("GET  / HTTP/1.1\r\n\r\n", line)
	f("GET / x HTTP/1.1\r\n\r\n", line)
	f("GET /\t HTTP/1.1\r\n\r\n", line)
	f("GET / HTTP/1.1 \r\n\r\n", line)
	f(" GET / HTTP/1.1\r\n\r\n", line)
	f("GE(T / HTTP/1.1\r\n\r\n", line)
	f("GET / http/1.1\r\n\r\n", line)
	f("GET / HTTP/11\r\n\r\n", line)
	f("GET /\x00 HTTP/1.1\r\n\r\n", line)
	f("GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 9<<10), "431 large")
	f("GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 9<<10)+"\r\n\r\n"+get, "431 large")
	if got := h.requests(); len(got) > 0 {
		t.Errorf("these were taken for requests: %q", got)
	}
}

func TestOddHeadsThatHaveOneReadingPass(t *testing.T) {
	s := serve(t, new(echo), nil)
	f := func(input, want string) {
		t.Helper()
		c := s.dial()
		c.say(input)
		c.hear(want)
	}
	f("\r\n\r\n"+get, "GET /a 0 ")
	f("GET /a HTTP/1.1\r\n\r\n", "GET /a 0 ")
	f("BREW /pot HTTP/1.0\r\n\r\n", "BREW /pot 0 ")
	f("GET /a HTTP/9.9\r\n\r\n", "GET /a 0 ") // the handler's to refuse
	f("GET /"+strings.Repeat("x", 7<<10)+" HTTP/1.1\r\n\r\n", "GET /"+strings.Repeat("x", 7<<10)+" 0 ")
}

func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Run("head", func(t *testing.T) {
		c := serve(t, new(echo), func(c *Config) { c.HeaderTimeout = 100 * time.Millisecond }).dial()
		c.say("GET / HT")
		c.hear("408 late")
		c.closed()
	})
	t.Run("head that drips", func(t *testing.T) {
		c := serve(t, new(echo), func(c *Config) { c.HeaderTimeout = 200 * time.Millisecond }).dial()
		go func() {
			for range 40 {
				_, _ = c.Write([]byte("G"))
				time.Sleep(20 * time.Millisecond)
			}
		}()
		start := time.Now()
		c.hear("408 late")
		if took := time.Since(start); took > 600*time.Millisecond {
			t.Errorf("a dripping head lived %s", took)
		}
	})
	t.Run("body", func(t *testing.T) {
		c := serve(t, new(echo), func(c *Config) { c.ReadTimeout = 100 * time.Millisecond }).dial()
		c.say("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
		c.hear("cannot wait longer for the request body")
		c.closed()
	})
	t.Run("silence after a request", func(t *testing.T) {
		c := serve(t, new(echo), func(c *Config) { c.IdleTimeout = 100 * time.Millisecond }).dial()
		c.say(get)
		c.hear("GET /a 0 ")
		c.closed()
	})
	t.Run("silence from the start", func(t *testing.T) {
		c := serve(t, new(echo), func(c *Config) { c.HeaderTimeout = 100 * time.Millisecond }).dial()
		c.closed()
	})
	t.Run("an answer that nobody reads", func(t *testing.T) {
		result := make(chan error, 1)
		s := serve(t, &echo{before: func(c *Conn) bool {
			for {
				if err := c.Write(make([]byte, 1<<20), nil); err != nil {
					result <- err
					return true
				}
			}
		}}, func(c *Config) { c.WriteTimeout = 100 * time.Millisecond })
		s.dial().say(get)
		if err := <-result; err == nil {
			t.Error("no error")
		}
		eventually(t, "the connection is closed", func() bool { return s.Open() == 0 })
	})
}

func TestAFaultEndsOneConnectionOnly(t *testing.T) {
	h := new(echo)
	s := serve(t, h, nil)
	other := s.dial()
	other.say("GET /a HT")
	c := s.dial()
	c.say("GET / HTTP/1.1\r\nX-Panic: boom\r\n\r\n")
	c.closed()
	other.say("TP/1.1\r\n\r\n")
	other.hear("GET /a 0 ")
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) != 1 || h.faults[0] != "boom" {
		t.Errorf("reported %v, want boom once", h.faults)
	}
}

func TestIdleConnectionsHoldNeitherBufferNorStack(t *testing.T) {
	s := serve(t, new(echo), nil)
	const n = 400
	before, goroutines := heap(), runtime.NumGoroutine()
	for range n {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		var answer [len("GET /a 0 \n")]byte
		if _, err = io.WriteString(nc, get); err == nil {
			_, err = io.ReadFull(nc, answer[:])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if each := (heap() - before) / n; each >= firstBuffer {
		t.Errorf("an idle connection holds %d bytes of the heap, both ends together", each)
	}
	const few = 128 // for each loop: see loop.Task.Idle
	if now := runtime.NumGoroutine() - goroutines; now > few*len(s.loops) && n > few*len(s.loops) {
		t.Errorf("%d goroutines for %d idle connections", now, n)
	}
}

// heap is how many bytes are in use, without what only pools hold.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestShutdownAnswersWhatIsInFlight(t *testing.T) {
	going, release := make(chan bool), make(chan bool)
	s := serve(t, &echo{before: func(*Conn) bool {
		going <- true
		<-release
		return false
	}}, nil)
	waiting, busy := s.dial(), s.dial()
	busy.say(get)
	<-going
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	waiting.closed()
	close(release)
	busy.hear("GET /a 0 ")
	busy.closed()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A client that was accepted at the last moment is about to send its request.
func TestShutdownHearsWhoWasJustAccepted(t *testing.T) {
	s := serve(t, new(echo), nil)
	speaks, silent := s.dial(), s.dial()
	eventually(t, "both are accepted", func() bool { return s.Open() == 2 })
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	speaks.say(get)
	speaks.hear("GET /a 0 ")
	speaks.closed()
	silent.closed()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	s := serve(t, new(echo), nil)
	c := s.dial()
	c.say("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
	eventually(t, "the connection is busy", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for conn := range s.conns {
			return conn.state.Load() == busy
		}
		return false
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "cannot finish 1 connections") {
		t.Errorf("got %v", err)
	}
	eventually(t, "the connection is closed", func() bool { return s.Open() == 0 })
}

// Whether what is known of the lines is right, the harness looks at every head.
func TestWhereLinesEndIsKnownOfMostHeads(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		known       int
	}{
		{"none", "", 0},
		{"five", strings.Repeat("A: b\r\n", 5), 5},
		{"as many as are kept", strings.Repeat("A: b\r\n", maxEnds), maxEnds},
		{"more", strings.Repeat("A: b\r\n", maxEnds+9), maxEnds},
		{"more than the first buffer", strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 6), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := new(echo)
			s := serve(t, h, nil).dial()
			s.say("GET /a HTTP/1.1\r\n" + c.lines + "\r\n")
			s.hear("GET /a 0 ")
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.ends != c.known || len(h.faults) > 0 {
				t.Errorf("%d ends are known, want %d; faults: %v", h.ends, c.known, h.faults)
			}
		})
	}
}
