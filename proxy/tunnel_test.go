package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// switching is an upstream that changes the protocol when it is asked to, and
// then says everything back in upper case until the client has ended.
func switching(t *testing.T, answer string) (g *running, heads chan string) {
	t.Helper()
	r := newRecorder(t, ok)
	_ = r.ln.Close()
	ln, err := net.Listen("tcp", r.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	heads = make(chan string, 100)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go shout(conn, answer, heads)
		}
	}()
	return start(t, r, nil), heads
}

func shout(conn net.Conn, answer string, heads chan string) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		head += line
	}
	heads <- head
	_, _ = io.WriteString(conn, answer)
	for {
		line, err := in.ReadString('\n')
		_, _ = io.WriteString(conn, strings.ToUpper(line))
		if err != nil {
			_, _ = io.WriteString(conn, "bye\n")
			return
		}
	}
}

const (
	handshake = "GET /v2/live HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
	switched  = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
)

func TestAWebSocketPassesAsATunnel(t *testing.T) {
	g, heads := switching(t, switched+"hello\n") // the first frame may come with the answer
	c := g.dial(t)
	c.say(handshake + "early\n") // and the client's first with the handshake
	head := c.until("\r\n\r\n")
	for _, want := range []string{"HTTP/1.1 101 Switching Protocols\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Accept: y\r\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is missing from %q", want, head)
		}
	}
	if strings.Contains(head, "Content-Length") {
		t.Errorf("a tunnel has no length: %q", head)
	}
	if got := <-heads; !strings.Contains(got, "Connection: Upgrade\r\nUpgrade: websocket\r\n") || !strings.Contains(got, "Sec-WebSocket-Key: x\r\n") {
		t.Errorf("the upstream saw %q", got)
	}
	if got := c.until("EARLY\n"); got != "hello\nEARLY\n" {
		t.Errorf("got %q", got)
	}
	for range 100 {
		c.say("ping\n")
		c.until("PING\n")
	}
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.until("bye\n"); got != "bye\n" {
		t.Errorf("got %q", got)
	}
	eventually(t, "the tunnel's connection is gone", func() bool { return g.upstream.Stats().Open == 0 })
}

// The handshake counts like any request; 21 of them in a second are too many.
func TestTheLimitsApplyToTheHandshake(t *testing.T) {
	g, _ := switching(t, switched)
	for range 20 {
		c := g.dial(t)
		c.say(handshake)
		c.until("\r\n\r\n")
	}
	if got := g.raw(t, handshake); !strings.HasPrefix(got, "HTTP/1.1 429 ") {
		t.Errorf("got %q", got)
	}
}

func TestOnlyAWebSocketBecomesATunnel(t *testing.T) {
	refused := func(answer, request, status string) {
		t.Helper()
		g, heads := switching(t, answer)
		if got := g.raw(t, request); !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || strings.Contains(got, "101 ") {
			t.Errorf("%q: got %q", request, got)
		}
		select {
		case head := <-heads:
			if strings.Contains(head, "h2c") || strings.Contains(head, "HTTP2-Settings") {
				t.Errorf("the upstream saw %q", head)
			}
		default:
		}
		eventually(t, "the upstream's connection is gone", func() bool { return g.upstream.Stats().Open == 0 })
	}
	replace := strings.NewReplacer
	refused(switched, replace("websocket", "h2c").Replace(handshake), "502") // 101 to a request that asked for none
	refused(switched, replace("websocket", "websocket, h2c").Replace(handshake), "502")
	refused(switched, replace("GET", "POST").Replace(handshake), "502")
	refused(switched, replace("keep-alive, Upgrade", "keep-alive").Replace(handshake), "502")
	refused(switched, replace("HTTP/1.1", "HTTP/1.0").Replace(handshake), "502")
	refused(replace("websocket", "h2c").Replace(switched), handshake, "502") // not what was asked for
	refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", handshake, "502")
	refused("HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", handshake, "426")
}
