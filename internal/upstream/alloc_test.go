//go:build !race

package upstream

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
)

func TestAWarmRequestAllocatesNothing(t *testing.T) {
	f := func(name string, c *Client, req *Request) {
		t.Helper()
		var resp Response
		allocated := testing.AllocsPerRun(200, func() {
			resp.Reset()
			if err := c.Do(req, &resp); err != nil {
				t.Fatal(err)
			}
		})
		if allocated != 0 {
			t.Errorf("%s: %v allocations per request, want 0", name, allocated)
		}
	}
	a := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{0, 300, 100_000} {
			if chunked && size == 0 {
				continue
			}
			name := fmt.Sprintf("chunked=%v, %d bytes", chunked, size)
			c := play(t, echo(typical(size, chunked))).client()
			f("GET "+name, c, get("/"))
			f("POST "+name, c, post(`{"text":"hello"}`))
			f("TLS "+name, playTLS(t, server, echo(typical(size, chunked))).secureClient(a), post(`{"text":"hello"}`))
		}
	}
	f("a large request", play(t, func(p *peer) {
		in, out := make([]byte, 1<<20), []byte(okAnswer)
		const whole = 100_000 + len("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
		for n := 0; ; {
			more, err := p.Conn.Read(in)
			if err != nil {
				return
			}
			if n += more; n == whole {
				n = 0
				if _, err = p.Conn.Write(out); err != nil {
					return
				}
			}
		}
	}).client(), post(strings.Repeat("x", 100_000)))
}
