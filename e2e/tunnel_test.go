package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

const handshake = "GET /v2/live HTTP/1.1\r\nHost: g\r\nX-Id: ws\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// startSocket is an upstream that accepts WebSockets and gives them to talk; what
// asks for none is answered with its own id. It checks that nothing but the
// tunnel's bytes ever comes on a connection that became one.
func startSocket(t *testing.T, talk func(conn net.Conn, in io.Reader)) *faultyUpstream {
	t.Helper()
	return startFaulty(t, func(a *ask) bool {
		if a.Header.Get("Upgrade") == "" {
			a.say(echo(a))
			return true
		}
		a.say(switched)
		talk(a.conn, a.in)
		return false
	})
}

// mirror sends back what comes, to the end.
func mirror(conn net.Conn, in io.Reader) {
	_, _ = io.Copy(conn, in)
	_ = conn.(*net.TCPConn).CloseWrite()
}

// socket is a client's WebSocket, behind its handshake.
type socket struct {
	*net.TCPConn
	in *bufio.Reader
}

// openSocket sends the handshake, with early behind it, and expects the 101.
func openSocket(t *testing.T, g *gateway, early string) *socket {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	if _, err := io.WriteString(conn, handshake+early); err != nil {
		t.Fatal(err)
	}
	s := &socket{conn.(*net.TCPConn), bufio.NewReader(conn)}
	resp, err := http.ReadResponse(s.in, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("the handshake got %v, %v", resp, err)
	}
	for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="} {
		if got := resp.Header.Get(name); !strings.EqualFold(got, want) {
			t.Errorf("%s: %q in the 101, want %q", name, got, want)
		}
	}
	return s
}

func (s *socket) wantNext(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s.in, got); err != nil || string(got) != want {
		t.Errorf("the tunnel brought %q, %v, want %q", got[:n], err, want)
	}
}

func (s *socket) wantEnd(t *testing.T) {
	t.Helper()
	if n, err := s.in.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the tunnel brought %d bytes, %v, want its end", n, err)
	} else if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the tunnel did not end")
	}
}

func TestTunnelCarriesBytesBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	up := startSocket(t, mirror)
	g := startGateway(t, up.URL, setup{})
	s := openSocket(t, g, "early ")
	s.wantNext(t, "early ")
	sent := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(sent)
	go func() {
		_, _ = s.Write(sent)
		_ = s.CloseWrite()
	}()
	got, err := io.ReadAll(s.in)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back, %v, equal: %v", len(got), len(sent), err, bytes.Equal(got, sent))
	}
	figure(t, "WebSocket: %d bytes each way at once: identical %v", len(sent), bytes.Equal(got, sent))
}

// Either side may say that it has finished and still listen.
func TestTunnelCanBeHalfClosed(t *testing.T) {
	t.Parallel()
	up := startSocket(t, func(conn net.Conn, in io.Reader) {
		all, _ := io.ReadAll(in) // until the client has finished
		_, _ = fmt.Fprintf(conn, "you said %s", all)
	})
	g := startGateway(t, up.URL, setup{})
	s := openSocket(t, g, "")
	_, _ = io.WriteString(s, "hello")
	_ = s.CloseWrite()
	s.wantNext(t, "you said hello")
	s.wantEnd(t)

	heard := make(chan string, 1)
	up = startSocket(t, func(conn net.Conn, in io.Reader) {
		_, _ = io.WriteString(conn, "the last word")
		_ = conn.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(in)
		heard <- string(all)
	})
	g = startGateway(t, up.URL, setup{})
	s = openSocket(t, g, "")
	s.wantNext(t, "the last word")
	s.wantEnd(t)
	_, _ = io.WriteString(s, "but one")
	_ = s.CloseWrite()
	select {
	case got := <-heard:
		if got != "but one" {
			t.Errorf("behind its own end the upstream heard %q", got)
		}
	case <-time.After(patience):
		t.Error("the upstream did not hear the client's end")
	}
}

// Requests before, beside and after a tunnel never use its connection.
func TestTunnelNeverReturnsToThePool(t *testing.T) {
	t.Parallel()
	ended := make(chan string, 100)
	up := startSocket(t, func(conn net.Conn, in io.Reader) {
		all, _ := io.ReadAll(io.TeeReader(in, conn))
		ended <- string(all)
	})
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	strangers := 0
	for i := range counts(20, 100) {
		v := &visitor{address: g.address}
		ask := func(when string) {
			id := fmt.Sprintf("%d-%s", i, when)
			a, err := v.send("GET", "/v2/users", id, "")
			if err := wantEcho(a, err, id); err != nil {
				t.Error(err)
			}
		}
		ask("before")
		s := openSocket(t, g, "")
		_, _ = io.WriteString(s, "frame")
		s.wantNext(t, "frame")
		ask("beside")
		_ = s.Close()
		if got := <-ended; got != "frame" {
			strangers++
			t.Errorf("the tunnel's upstream connection carried %q", got)
		}
		ask("after")
		v.leave()
	}
	eventually(t, "the tunnels' connections are closed", func() error {
		if n := g.metrics(t).value(t, "gateway_open_connections"); n > 0 {
			return fmt.Errorf("%v client connections are open", n)
		}
		return nil
	})
	figure(t, "WebSocket: %d tunnels among requests: %d foreign bytes on a tunnel's upstream connection", counts(20, 100), strangers)
}

func TestTunnelHandshakesAreLimited(t *testing.T) {
	t.Parallel()
	up := startSocket(t, mirror)
	inTime(t, func() {
		g := startGateway(t, up.URL, setup{})
		before, started := up.arrived("ws"), time.Now()
		for range 20 {
			openSocket(t, g, "")
		}
		for range 5 {
			text := raw(t, g.address, strings.Replace(handshake, "keep-alive, Upgrade", "close, Upgrade", 1))
			a, err := readResponse(text)
			if err != nil {
				t.Fatal(err)
			}
			wantLimited(t, started, a, "rate_limited_ip")
		}
		if n := up.arrived("ws") - before; n != 20 {
			t.Errorf("%d handshakes reached the upstream, want 20", n)
		}
	})
	figure(t, "WebSocket: 25 handshakes in a second: 20 pass, 5 answered 429, which the upstream never sees")
}

// A tunnel has no end of its own: a drain waits for it, and ends it when its time
// is over. That is no failure.
func TestTunnelEndsWithTheDrain(t *testing.T) {
	t.Parallel()
	up := startSocket(t, mirror)
	g := startGateway(t, up.URL, setup{listen: "drain_timeout: 2500ms"})
	s := openSocket(t, g, "")
	g.signal(t, syscall.SIGTERM)
	time.Sleep(700 * time.Millisecond) // inside the drain
	_, _ = io.WriteString(s, "still there?")
	s.wantNext(t, "still there?")
	s.wantEnd(t)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// The time limits of requests are not a tunnel's.
func TestTunnelMayBeSilent(t *testing.T) {
	t.Parallel()
	up := startSocket(t, mirror)
	g := startGateway(t, up.URL, setup{
		listen:   "read_header_timeout: 500ms, read_timeout: 500ms, idle_timeout: 500ms",
		upstream: "timeout: 500ms",
	})
	s := openSocket(t, g, "")
	time.Sleep(1500 * time.Millisecond)
	_, _ = io.WriteString(s, "after a pause")
	s.wantNext(t, "after a pause")
}

// When one side dies, the other hears of it.
func TestTunnelEndsWithEitherSide(t *testing.T) {
	t.Parallel()
	ended := make(chan bool, 1)
	up := startSocket(t, func(conn net.Conn, in io.Reader) {
		_, _ = io.Copy(io.Discard, in)
		ended <- true
	})
	g := startGateway(t, up.URL, setup{})
	s := openSocket(t, g, "x")
	_ = s.SetLinger(0)
	_ = s.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the upstream did not hear that the client was gone")
	}
	up = startSocket(t, func(conn net.Conn, _ io.Reader) { _ = conn.(*net.TCPConn).SetLinger(0) })
	g = startGateway(t, up.URL, setup{})
	openSocket(t, g, "").wantEnd(t)
}

// An upstream that wants no WebSocket answers as always.
func TestTunnelRefusedByTheUpstream(t *testing.T) {
	t.Parallel()
	up := startStub(t, reply(426, "application/json", `{"message":"no sockets here"}`))
	g := startGateway(t, up.URL, setup{})
	v := &visitor{address: g.address}
	defer v.leave()
	for range 2 {
		a, err := v.send("GET", "/v2/live", "x\r\nConnection: Upgrade\r\nUpgrade: websocket", "")
		if err != nil || a.status != 426 || !strings.Contains(string(a.body), "no sockets here") {
			t.Errorf("got %s, %v", a, err)
		}
	}
}

// Every event is sent only after the client has the one before it: nothing may
// be held back.
func TestServerSentEventsFlow(t *testing.T) {
	t.Parallel()
	seen := make(chan bool)
	up := startFaulty(t, func(a *ask) bool {
		a.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for i := range 20 {
			event := fmt.Sprintf("data: %d\n\n", i)
			a.say(fmt.Sprintf("%x\r\n%s\r\n", len(event), event))
			select {
			case <-seen:
			case <-time.After(patience):
				return false
			}
		}
		a.say("0\r\n\r\n")
		return true
	})
	g := startGateway(t, up.URL, setup{})
	resp, err := http.Get(g.url() + "/v2/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	for i := range 20 {
		line, err := in.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", i); err != nil || line != want {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		_, _ = in.ReadString('\n')
		seen <- true
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("behind the last event came %q, %v", rest, err)
	}
	figure(t, "server-sent events: 20 of 20 delivered before the next was sent")
}
