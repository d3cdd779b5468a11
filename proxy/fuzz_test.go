package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// typed is a client connection in memory: it sends its input in pieces, ends,
// and keeps what it is told.
type typed struct {
	input string
	step  int
	heard bytes.Buffer
}

func (c *typed) Read(p []byte) (int, error) {
	if c.input == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.step)], c.input)
	c.input = c.input[n:]
	return n, nil
}

func (c *typed) Write(p []byte) (int, error)      { return c.heard.Write(p) }
func (c *typed) Close() error                     { return nil }
func (c *typed) LocalAddr() net.Addr              { return nil }
func (c *typed) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *typed) SetDeadline(time.Time) error      { return nil }
func (c *typed) SetReadDeadline(time.Time) error  { return nil }
func (c *typed) SetWriteDeadline(time.Time) error { return nil }

// Whatever a client sends, in whatever pieces: the upstream gets requests that
// Go's own parser reads the same way, framed once, without anything that belongs
// to one connection only; and the client gets whole answers.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		plainRequest + plainRequest,
		"POST /v2/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n{}\r\n0\r\nA: b\r\n\r\n" + plainRequest,
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, x\r\nX: 1\r\n\r\nabc",
		"GET http://a/x?y HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
		"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\r\n\r\n", "\r\n\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
	} {
		f.Add(seed, uint8(255))
	}
	r := newRecorder(f, ok)
	g := start(f, r, func(c *Config) { unlimited(c); c.Limits.PerIP.Requests, c.Limits.PerKey.Requests = 1<<20, 1<<20 })
	f.Fuzz(func(t *testing.T, input string, step uint8) {
		c := &typed{input: input, step: int(step) + 1}
		g.server.ServeConn(c)
		answers := readAnswers(t, input, c.heard.Bytes())
		r.mu.Lock()
		defer r.mu.Unlock()
		sent := checkForwarded(t, input, r.seen.Bytes())
		r.seen.Reset()
		if sent > answers {
			t.Errorf("%q: %d requests went upstream, %d answers came back", input, sent, answers)
		}
	})
}

const plainRequest = "GET /v2/users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n"

func checkForwarded(t *testing.T, input string, seen []byte) (n int) {
	in := bufio.NewReader(bytes.NewReader(seen))
	for ; ; n++ {
		req, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("%q: the upstream could not read %q: %v", input, seen, err)
		}
		if _, err = io.Copy(io.Discard, req.Body); err != nil {
			t.Fatalf("%q: the upstream could not read the body in %q: %v", input, seen, err)
		}
		for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Trailer", "Proxy-Connection", "Expect"} {
			if req.Header.Get(hop) != "" && (hop != "Connection" || req.Header.Get("Upgrade") != "websocket") {
				t.Errorf("%q: %s went upstream: %q", input, hop, seen)
			}
		}
	}
}

func readAnswers(t *testing.T, input string, heard []byte) (n int) {
	in := bufio.NewReader(bytes.NewReader(heard))
	method := "GET"
	if strings.HasPrefix(strings.TrimLeft(input, "\r\n"), "HEAD ") {
		return len(heard) // which answer has no body can't be told from here
	}
	for ; ; n++ {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			if in.Buffered() > 0 || errors.Is(err, io.ErrUnexpectedEOF) && len(heard) > 0 && n == 0 {
				t.Errorf("%q: the client heard %q", input, heard)
			}
			return n
		}
		if err != nil && strings.Contains(input, "HEAD ") {
			return len(heard) // likewise
		}
		if err != nil {
			t.Fatalf("%q: the client heard %q: %v", input, heard, err)
		}
		if _, err = io.Copy(io.Discard, resp.Body); err != nil && !strings.Contains(input, "HEAD ") {
			t.Fatalf("%q: the client heard %q: %v", input, heard, err)
		}
	}
}
