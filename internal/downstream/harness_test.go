package downstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every request with its method, target and body.
type echo struct {
	mu     sync.Mutex
	seen   []string
	faults []any
	ends   int   // of lines that were known
	limit  int64 // of a body in memory
	before func(c *Conn) bool
}

type echoed struct {
	h   *echo
	c   *Conn
	why string
}

func (h *echo) Understand(c *Conn) Exchange {
	h.checkEnds(c)
	length, continues := int64(0), false
	for line := range strings.SplitSeq(string(c.Block), "\r\n") {
		switch name, value, _ := strings.Cut(strings.ToLower(line), ": "); name {
		case "content-length":
			length, _ = strconv.ParseInt(value, 10, 64)
		case "transfer-encoding":
			length = Chunked
		case "expect":
			continues = true
		case "x-panic":
			panic(value)
		}
	}
	c.Expect(length, continues)
	return &echoed{h: h, c: c}
}

// checkEnds makes what LineEnds has wrong a fault.
func (h *echo) checkEnds(c *Conn) {
	at := 0
	for _, end := range c.LineEnds {
		if at += bytes.IndexByte(c.Block[at:], '\n') + 1; int(end) != at {
			panic(fmt.Sprintf("a line of %q ends at %d, not at %d", c.Block, at, end))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends += len(c.LineEnds)
}

func (h *echo) Unread(c *Conn, why Fault) Exchange {
	return &echoed{h: h, c: c, why: [...]string{"400 line", "431 large", "408 late"}[why]}
}

func (h *echo) Refusal(why Fault) []byte {
	return []byte(map[Fault]string{TooManyConnections: "503 full", TooManyOfAddress: "503 yours"}[why])
}

func (h *echo) Panicked(fault any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fault)
}

func (h *echo) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.seen...)
}

func (e *echoed) Handle() {
	if e.why != "" {
		_ = e.c.Write([]byte(e.why+"\n"), nil)
		return
	}
	what := string(e.c.Method) + " " + string(e.c.Target)
	e.h.mu.Lock()
	e.h.seen = append(e.h.seen, what)
	before, limit := e.h.before, e.h.limit
	e.h.mu.Unlock()
	if before != nil && before(e.c) {
		return
	}
	if limit == 0 {
		limit = 1 << 20
	}
	data, whole, err := e.c.Body(limit)
	if err != nil {
		_ = e.c.Write([]byte(err.Error()+"\n"), nil)
		return
	}
	text := string(data)
	for piece := make([]byte, 1000); !whole; {
		n, err := e.c.Read(piece)
		text += string(piece[:n])
		if err != nil {
			if whole = errors.Is(err, io.EOF); !whole {
				_ = e.c.Write([]byte(err.Error()+"\n"), nil)
				return
			}
		}
	}
	_ = e.c.Write([]byte(what), []byte(fmt.Sprintf(" %d %s\n", len(text), text[:min(len(text), 20)])))
}

// served is a server on a real socket.
type served struct {
	*Server
	t    *testing.T
	addr string
}

func serve(t *testing.T, h *echo, change func(*Config)) *served {
	t.Helper()
	cfg := Config{
		MaxHead: 8 << 10, HeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		IdleTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IPv6Prefix: 64,
	}
	if change != nil {
		change(&cfg)
	}
	s := &served{Server: New(cfg, h), t: t}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		eventually(t, "all connections are closed", func() bool { return s.Open() == 0 && s.lingering.Load() == 0 })
	})
	return s
}

// client is one connection.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *served) dial() *client {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{nc, s.t, bufio.NewReader(nc)}
}

func (c *client) say(text ...string) {
	c.t.Helper()
	for _, s := range text {
		if _, err := io.WriteString(c.Conn, s); err != nil {
			c.t.Fatal(err)
		}
	}
}

// send is say for another goroutine: what goes wrong shows in what is heard.
func (c *client) send(text ...string) { _, _ = io.WriteString(c.Conn, strings.Join(text, "")) }

func (c *client) hear(want string) {
	c.t.Helper()
	if got, err := c.in.ReadString('\n'); got != want+"\n" {
		c.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// closed wants the end of the connection.
func (c *client) closed() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %q, %v, want the end of the connection", rest, err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("it never became true that %s", what)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
