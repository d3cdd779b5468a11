package upstream

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// typical is an answer as Node.js writes it.
func typical(body int, chunked bool) string {
	head := "HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: application/json; charset=utf-8\r\n" +
		"ETag: W/\"2b-hGaxNYZVAkfEZbB7dLnQNPCKAy4\"\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\n" +
		"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
	text := strings.Repeat("x", body)
	if chunked {
		return head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", body, text)
	}
	return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", body, text)
}

// echo answers whatever comes in one read, without a parser of its own: what is
// measured is the client.
func echo(answer string) func(*peer) {
	return func(p *peer) {
		buf, out := make([]byte, 64<<10), []byte(answer)
		for {
			if _, err := p.Read(buf); err != nil {
				return
			}
			if _, err := p.Write(out); err != nil {
				return
			}
		}
	}
}

// BenchmarkDo compares a warm request with fasthttp's client, over the same
// loopback upstream.
func BenchmarkDo(b *testing.B) {
	for _, chunked := range []bool{false, true} {
		for _, size := range []int{300, 30_000} {
			b.Run(fmt.Sprintf("chunked=%v/body=%d", chunked, size), func(b *testing.B) {
				s := play(b, echo(typical(size, chunked)))
				b.Run("ours", func(b *testing.B) { benchmarkOurs(b, s) })
				b.Run("fasthttp", func(b *testing.B) { benchmarkFasthttp(b, s) })
			})
		}
	}
}

func benchmarkOurs(b *testing.B, s *backend) {
	c := s.client()
	req, resp := post(`{"text":"hello","conversation":"5ee7372448d9940011151f42"}`), Response{}
	b.ReportAllocs()
	for b.Loop() {
		resp.Reset()
		if err := c.Do(req, &resp); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkFasthttp(b *testing.B, s *backend) {
	c := &fasthttp.HostClient{
		Addr: s.ln.Addr().String(), NoDefaultUserAgentHeader: true, DisablePathNormalizing: true,
		ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, ReadBufferSize: 32 << 10,
		Dial: func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) },
	}
	defer c.CloseIdleConnections()
	var req fasthttp.Request
	var resp fasthttp.Response
	req.SetRequestURI(s.url() + "/")
	req.Header.SetMethod("POST")
	req.SetBodyString(`{"text":"hello","conversation":"5ee7372448d9940011151f42"}`)
	b.ReportAllocs()
	for b.Loop() {
		resp.Reset()
		if err := c.Do(&req, &resp); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFleet shows what the choice of an address adds to a warm request: to
// the Client alone, with one address, and with two.
func BenchmarkFleet(b *testing.B) {
	s, other := play(b, echo(typical(300, false))), play(b, echo(typical(300, false)))
	b.Run("client", func(b *testing.B) { benchmarkOurs(b, s) })
	for n, addresses := range [][]string{{s.address()}, {s.address(), other.address()}} {
		b.Run(fmt.Sprintf("addresses=%d", n+1), func(b *testing.B) {
			f, _ := fleetOf(b, addresses)
			req, resp := post(`{"text":"hello","conversation":"5ee7372448d9940011151f42"}`), Response{}
			b.ReportAllocs()
			for b.Loop() {
				resp.Reset()
				if err := f.Do(1, req, &resp); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
