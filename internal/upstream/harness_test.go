package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// fasthttp, which only a benchmark uses, forgets idle connections at its leisure
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
}

// backend is an upstream on a real socket. It plays a script on every connection
// and keeps the requests that it read.
type backend struct {
	t    testing.TB
	ln   net.Listener
	wrap func(net.Conn) net.Conn

	mu       sync.Mutex
	requests []string
	dialled  int
	open     map[net.Conn]bool
	scripts  sync.WaitGroup
}

// peer is one connection as the upstream sees it. Its methods end the script
// when the client has gone.
type peer struct {
	net.Conn
	tcp *net.TCPConn
	in  *bufio.Reader
	b   *backend
	n   int // which connection it is, from 0
}

var errGone = errors.New("the client has gone")

// play starts an upstream; script gets every connection.
func play(t testing.TB, script func(p *peer)) *backend {
	return playOver(t, func(nc net.Conn) net.Conn { return nc }, script)
}

func playOver(t testing.TB, wrap func(net.Conn) net.Conn, script func(p *peer)) *backend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{t: t, ln: ln, wrap: wrap, open: map[net.Conn]bool{}}
	b.scripts.Go(func() { b.accept(script) })
	t.Cleanup(b.stop)
	return b
}

func (b *backend) accept(script func(p *peer)) {
	for {
		nc, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		p := &peer{Conn: b.wrap(nc), tcp: nc.(*net.TCPConn), b: b, n: b.dialled}
		p.in = bufio.NewReader(p.Conn)
		b.dialled++
		b.open[nc] = true
		b.mu.Unlock()
		b.scripts.Go(func() {
			defer b.closed(nc)
			defer func() {
				if r := recover(); r != nil && r != errGone { //nolint:errorlint // our own
					panic(r)
				}
			}()
			script(p)
		})
	}
}

func (b *backend) closed(nc net.Conn) {
	_ = nc.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, nc)
}

func (b *backend) stop() {
	_ = b.ln.Close()
	b.mu.Lock()
	for nc := range b.open {
		_ = nc.Close()
	}
	b.mu.Unlock()
	b.scripts.Wait()
}

// seen returns the requests read so far, and how many connections were made.
func (b *backend) seen() (requests []string, dialled int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...), b.dialled
}

func (b *backend) url() string { return "http://" + b.ln.Addr().String() }

// client makes a client of the upstream and closes it in the end.
func (b *backend) client(change ...func(*Config)) *Client {
	b.t.Helper()
	cfg := DefaultConfig()
	cfg.URL, cfg.Timeout = b.url(), 10*time.Second
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

// request reads one request, head and body, and returns it.
func (p *peer) request() string {
	var text strings.Builder
	length := 0
	for {
		line, err := p.in.ReadString('\n')
		text.WriteString(line)
		if err != nil {
			panic(errGone)
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if line == "\r\n" {
			break
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(p.in, body); err != nil {
		panic(errGone)
	}
	text.Write(body)
	p.b.mu.Lock()
	p.b.requests = append(p.b.requests, text.String())
	p.b.mu.Unlock()
	return text.String()
}

func (p *peer) say(texts ...string) {
	for _, text := range texts {
		if _, err := io.WriteString(p.Conn, text); err != nil {
			panic(errGone)
		}
	}
}

// reset ends the connection with a reset instead of an end.
func (p *peer) reset() {
	_ = p.tcp.SetLinger(0)
	_ = p.tcp.Close()
}

// gone waits until the client has ended the connection.
func (p *peer) gone() {
	_, _ = io.Copy(io.Discard, p.in)
}

// always answers every request with the same bytes, and keeps the connection.
func always(answer string) func(*peer) {
	return func(p *peer) {
		for {
			p.request()
			p.say(answer)
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func get(path string) *Request {
	return &Request{Head: []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), Idempotent: true}
}

func post(body string) *Request {
	return &Request{
		Head: fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body)),
		Body: []byte(body),
	}
}

// wantBody makes a request that must succeed with this body.
func wantBody(t testing.TB, c *Client, req *Request, want string) {
	t.Helper()
	var resp Response
	body, err := exchange(t, c, req, &resp)
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	if string(body) != want {
		t.Fatalf("got the body %q, want %q", body, want)
	}
}

// wantError makes a request that must fail for this reason. It returns the
// error's text.
func wantError(t testing.TB, c *Client, req *Request, reason Reason, sent bool) (text string) {
	t.Helper()
	var resp Response
	_, err := exchange(t, c, req, &resp)
	if err == nil {
		t.Fatalf("got a %d, want an error: %s", resp.Status, reason)
	}
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("got the error %v, want an *Error", err)
	}
	if failure.Reason != reason || failure.Sent != sent {
		t.Fatalf("got %s (sent: %v): %v; want %s (sent: %v)", failure.Reason, failure.Sent, err, reason, sent)
	}
	if resp.Status != 0 || len(resp.Fields) != 0 || len(resp.Body) != 0 || resp.Stream != nil {
		t.Fatalf("an answer is left after the error: %+v", resp)
	}
	return failure.Error()
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after 5 s: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}
