//go:build !race

package upstream

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
)

func TestAWarmRequestAllocatesNothing(t *testing.T) {
	f := func(name string, c *Client, req *Request, limit float64) {
		t.Helper()
		var resp Response
		allocated := testing.AllocsPerRun(200, func() {
			resp.Reset()
			if err := c.Do(req, &resp); err != nil {
				t.Fatal(err)
			}
		})
		if allocated > limit {
			t.Errorf("%s: %v allocations per request, want at most %v", name, allocated, limit)
		}
	}
	hello := post(`{"text":"hello"}`)
	for _, addresses := range [][]string{{play(t, echo(okAnswer)).address()}, {play(t, echo(okAnswer)).address(), play(t, echo(okAnswer)).address()}} {
		fleet, _ := fleetOf(t, addresses)
		var resp Response
		if n := testing.AllocsPerRun(200, func() {
			resp.Reset()
			if err := fleet.Do(1, hello, &resp); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%d addresses: %v allocations per request", len(addresses), n)
		}
	}
	a := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}
	// crypto/tls makes a small object for each of its reads, here and in the
	// upstream of this test: one for the look before the request, one for each
	// record of it and of the answer
	const tlsSmall = 3
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{0, 300, 100_000} {
			if chunked && size == 0 {
				continue
			}
			name := fmt.Sprintf("chunked=%v, %d bytes", chunked, size)
			c := play(t, echo(typical(size, chunked))).client()
			f("GET "+name, c, get("/"), 0)
			f("POST "+name, c, post(`{"text":"hello"}`), 0)
			if size <= 300 {
				secure := playTLS(t, server, echo(typical(size, chunked)))
				f("TLS "+name, secure.secureClient(a), post(`{"text":"hello"}`), tlsSmall)
			}
		}
	}
	f("a large request", play(t, func(p *peer) {
		in, out := make([]byte, 1<<20), []byte(okAnswer)
		const whole = 100_000 + len("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
		for n := 0; ; {
			more, err := p.Read(in)
			if err != nil {
				return
			}
			if n += more; n == whole {
				n = 0
				if _, err = p.Write(out); err != nil {
					return
				}
			}
		}
	}).client(), post(strings.Repeat("x", 100_000)), 0)
}
