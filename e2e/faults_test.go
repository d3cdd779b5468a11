package e2e

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The fault figures of docs/reliability.md. Each is a test that fails when its
// promise is broken, small in the suite and with its full counts in
// `make reliability`.
var full = flag.Bool("full", false, "make the fault figures with their full counts, which takes minutes")

// counts chooses between the suite and the full figures.
func counts(inSuite, inFull int) int {
	if *full {
		return inFull
	}
	return inSuite
}

// figure says what was measured; scripts/reliability.sh prints these lines.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("figure: "+format, args...)
}

// ask is one request as a faulty upstream sees it.
type ask struct {
	*http.Request
	body []byte
	conn net.Conn
	in   io.Reader // what comes behind the request, for a tunnel
}

// id names a request, so that answers and duplicates can be told apart.
func (a *ask) id() string { return a.Header.Get("X-Id") }

// faultyUpstream is an upstream whose every byte and every close is the test's.
type faultyUpstream struct {
	URL string

	mu   sync.Mutex
	seen map[string]int // arrivals by id
	open map[net.Conn]bool
	made int // connections so far
}

// startFaulty calls answer for each request; false closes the connection.
func startFaulty(t *testing.T, answer func(*ask) (keep bool)) *faultyUpstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	u := &faultyUpstream{URL: "http://" + listener.Addr().String(), seen: map[string]int{}, open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go u.serve(conn, answer)
		}
	}()
	return u
}

func (u *faultyUpstream) serve(conn net.Conn, answer func(*ask) bool) {
	u.adopt(conn)
	defer u.leave(conn)
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		a := &ask{Request: req, conn: conn, in: in}
		if a.body, err = io.ReadAll(req.Body); err != nil {
			return
		}
		u.count(a.id())
		if !answer(a) {
			return
		}
	}
}

func (u *faultyUpstream) adopt(conn net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open[conn] = true
	u.made++
}

func (u *faultyUpstream) leave(conn net.Conn) {
	_ = conn.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, conn)
}

// closeAll closes every connection, as at the end of an idle time. It returns
// when all are closed: a connection that somebody reads from is closed by that
// reader, a moment after Close.
func (u *faultyUpstream) closeAll(t *testing.T) {
	t.Helper()
	u.mu.Lock()
	for conn := range u.open {
		_ = conn.Close()
	}
	u.mu.Unlock()
	eventually(t, "the upstream has closed its connections", func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		if len(u.open) > 0 {
			return fmt.Errorf("%d are open", len(u.open))
		}
		return nil
	})
	eventually(t, "the other ends have been told", func() error {
		if n := unacknowledged(t, u.URL); n > 0 {
			return fmt.Errorf("%d have not", n)
		}
		return nil
	})
}

// unacknowledged counts the sockets of a server whose peer's kernel has not yet
// taken in that they were closed: on a busy machine even the loopback takes its
// time, and nobody could know better than to use such a connection.
func unacknowledged(t *testing.T, url string) (n int) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(table), "\n") {
		f := strings.Fields(line) // sl, local, remote, state …
		if len(f) < 4 || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
			continue
		}
		if f[3] == "01" || f[3] == "04" { // ESTABLISHED, FIN_WAIT1
			n++
		}
	}
	return n
}

// dialed is how many connections there were.
func (u *faultyUpstream) dialed() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.made
}

func (u *faultyUpstream) count(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen[id]++
}

// duplicates is how many ids arrived more than once.
func (u *faultyUpstream) duplicates() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, times := range u.seen {
		if times > 1 && id != "" {
			n++
		}
	}
	return n
}

// arrived is how often an id arrived.
func (u *faultyUpstream) arrived(id string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen[id]
}

// echo answers a request with its own id.
func echo(a *ask) string {
	body := fmt.Sprintf(`{"id":%q}`, a.id())
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// say writes bytes as they are.
func (a *ask) say(text string) { _, _ = io.WriteString(a.conn, text) }

// reset makes the close of the connection a reset, as after a crash with unread
// input.
func (a *ask) reset() {
	if tcp, ok := a.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// visitor is a client that knows exactly what came on its connection.
type visitor struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
}

var errExtra = errors.New("bytes came behind the answer")

// send sends a request with an id, on the connection of the one before it while
// that lives, and reads its answer. An error means that no whole answer came, or
// more than one.
func (v *visitor) send(method, target, id, body string) (answer, error) {
	if v.conn == nil {
		conn, err := net.Dial("tcp", v.address)
		if err != nil {
			return answer{}, err
		}
		v.conn, v.in = conn, bufio.NewReader(conn)
	}
	a, err := v.exchange(method, target, id, body)
	if err == nil && v.in.Buffered() > 0 {
		err = errExtra
	}
	if err != nil || strings.EqualFold(a.header.Get("Connection"), "close") {
		v.leave()
	}
	return a, err
}

func (v *visitor) exchange(method, target, id, body string) (a answer, err error) {
	_ = v.conn.SetDeadline(time.Now().Add(patience))
	a.sent = time.Now()
	if _, err = fmt.Fprintf(v.conn, "%s %s HTTP/1.1\r\nHost: g\r\nX-Id: %s\r\nContent-Length: %d\r\n\r\n%s", method, target, id, len(body), body); err != nil {
		return a, err
	}
	resp, err := http.ReadResponse(v.in, &http.Request{Method: method})
	if err != nil {
		return a, err
	}
	a.status, a.header = resp.StatusCode, resp.Header
	if resp.Close {
		a.header.Set("Connection", "close")
	}
	a.body, err = io.ReadAll(resp.Body)
	a.received = time.Now()
	return a, err
}

func (v *visitor) leave() {
	if v.conn != nil {
		_ = v.conn.Close()
		v.conn = nil
	}
}

// wantEcho checks that the answer is the request's own.
func wantEcho(a answer, err error, id string) error {
	if err != nil {
		return fmt.Errorf("request %s: %w", id, err)
	}
	if want := fmt.Sprintf(`{"id":%q}`, id); a.status != 200 || string(a.body) != want {
		return fmt.Errorf("request %s got %s", id, a)
	}
	return nil
}
