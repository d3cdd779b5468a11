package proxy

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is an upstream that takes bodies of any size and answers with their
// digest. A body that breaks off is counted as such.
type sink struct {
	addr  string
	mu    sync.Mutex
	whole int
	cut   int
	heads []string
}

func newSink(t *testing.T, early string) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	s := &sink{addr: ln.Addr().String()}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, early)
		}
	}()
	return s
}

func (s *sink) serve(conn net.Conn, early string) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		head, length := "", int64(-1)
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			head += line
			_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
		}
		if early != "" {
			_, _ = io.WriteString(conn, early)
			_, _ = io.Copy(io.Discard, in)
			return
		}
		body := io.LimitReader(in, length)
		if length < 0 {
			body = chunksOf(in)
		}
		sum := sha256.New()
		n, err := io.Copy(sum, body)
		s.mu.Lock()
		s.heads = append(s.heads, head)
		if err != nil || length >= 0 && n < length {
			s.cut++
			s.mu.Unlock()
			return
		}
		s.whole++
		s.mu.Unlock()
		text := fmt.Sprintf("%d %x", n, sum.Sum(nil))
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
}

// chunksOf reads a chunked body as plainly as possible.
func chunksOf(in *bufio.Reader) io.Reader {
	out, w := io.Pipe()
	go func() {
		for {
			n := int64(0)
			line, err := in.ReadString('\n')
			if err == nil {
				_, err = fmt.Sscanf(line, "%x", &n)
			}
			if err == nil {
				_, err = io.CopyN(w, in, n)
			}
			if err == nil {
				_, err = in.ReadString('\n')
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // only a last chunk ends the body
			}
			if err != nil || n == 0 {
				_ = w.CloseWithError(err)
				return
			}
		}
	}()
	return out
}

func (s *sink) count() (whole, cut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole, s.cut
}

func uploading(t *testing.T, s *sink) *running {
	t.Helper()
	return start(t, newRecorder(t, ok), func(c *Config) {
		c.Upstream.URL = "http://" + s.addr
		c.Upstream.StreamAbove = 4 << 10
		c.Listen.MaxBodyBytes = 8 << 20
	})
}

func TestLargeUploadsFlowThroughByteForByte(t *testing.T) {
	s := newSink(t, "")
	g := uploading(t, s)
	for _, size := range []int{0, 4 << 10, 4<<10 + 1, 100_000, 3 << 20} {
		body := strings.Repeat("0123456789abcdefX", size/17+1)[:size]
		want := fmt.Sprintf("%d %x", size, sha256.Sum256([]byte(body)))
		c := g.dial(t)
		go c.send(fmt.Sprintf("POST /v2/files HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size) + body)
		c.until(want)
		go c.send("POST /v2/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + inChunks(body, 7000) + "0\r\nX-Role: admin\r\n\r\n")
		c.until(want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := strings.Join(s.heads, ""); strings.Contains(all, "X-Role") || strings.Count(all, "Transfer-Encoding: chunked\r\n") != 3 {
		t.Errorf("the upstream saw %q", all)
	}
}

func inChunks(body string, size int) string {
	var b strings.Builder
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		_, _ = fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	return b.String()
}

// A client that goes away in the middle must not leave the upstream with what
// looks like a whole request, wherever it goes.
func TestACutOffUploadIsNeverWhole(t *testing.T) {
	s := newSink(t, "")
	g := uploading(t, s)
	big := strings.Repeat("x", 100_000)
	for _, text := range []string{
		"Content-Length: 200000\r\n\r\n" + big,
		"Transfer-Encoding: chunked\r\n\r\n" + inChunks(big, 10_000), // on the boundary
		"Transfer-Encoding: chunked\r\n\r\n" + inChunks(big, 10_000) + "ff\r\nxx",
		"Transfer-Encoding: chunked\r\n\r\n" + inChunks(big, 10_000) + "0\r\n",
		"Transfer-Encoding: chunked\r\n\r\n" + inChunks(big, 10_000) + "nonsense\r\n",
		"Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(inChunks(big, 10_000), 90) + "0\r\n\r\n", // over max_body_bytes
	} {
		c := g.dial(t)
		c.say("POST /v2/files HTTP/1.1\r\nHost: a\r\n" + text)
		_ = c.conn.(*net.TCPConn).CloseWrite()
		_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		got, err := io.ReadAll(c.conn)
		if !strings.HasPrefix(string(got), "HTTP/1.1 4") || !strings.Contains(string(got), "Connection: close") {
			t.Errorf("%.40q…: got %q, %v", text, got, err)
		}
	}
	eventually(t, "the upstream has seen the end of all", func() bool { _, cut := s.count(); return cut == 6 })
	if whole, _ := s.count(); whole != 0 {
		t.Errorf("%d cut-off requests were whole for the upstream", whole)
	}
}

func TestAnUpstreamThatAnswersEarlyIsHeard(t *testing.T) {
	s := newSink(t, "HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{\"message\":\"too much\"}")
	g := uploading(t, s)
	c := g.dial(t)
	go func() {
		_, _ = io.WriteString(c.conn, fmt.Sprintf("POST /v2/files HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 7<<20))
		_, _ = io.WriteString(c.conn, strings.Repeat("x", 7<<20))
	}()
	if got := c.until("too much\"}"); !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
}
