package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowStub answers after the time, and says when a request has arrived.
func slowStub(t *testing.T, after time.Duration) (*stub, <-chan struct{}) {
	t.Helper()
	arrived := make(chan struct{}, 100)
	return startStub(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		time.Sleep(after)
		agreeable(w, r)
	}), arrived
}

func TestSIGTERMFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		up, arrived := slowStub(t, 700*time.Millisecond)
		g := startGateway(t, up.URL, setup{})
		type outcome struct {
			a   answer
			err error
		}
		done := make(chan outcome, 1)
		go func() {
			a, err := try(g.address, call{path: "/v2/users", body: "{}"})
			done <- outcome{a, err}
		}()
		<-arrived
		g.signal(t, sig)
		eventually(t, "no new connection is accepted", func() error {
			if a, err := try(g.address, call{path: "/v2/new", from: "127.8.8.8"}); err == nil && a.status < 400 {
				return fmt.Errorf("a new request got %s", a)
			}
			return nil
		})
		o := <-done
		if o.err != nil || o.a.status != 201 {
			t.Errorf("the request in flight got %s, %v", o.a, o.err)
		}
		if code := g.wait(t); code != 0 {
			t.Errorf("exit code %d after %v, want 0", code, sig)
		}
	}
}

func TestReadinessGoesBeforeTheListener(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{listen: "shutdown_delay: 2s"})
	g.signal(t, syscall.SIGTERM)
	eventually(t, "/readyz says 503", func() error {
		status, _, err := fetch("http://" + g.admin + "/readyz")
		if err == nil && status != 503 {
			err = fmt.Errorf("/readyz answers %d", status)
		}
		return err
	})
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200) // still serving
	if status, _, err := fetch("http://" + g.admin + "/healthz"); err != nil || status != 200 {
		t.Errorf("/healthz answers %d, %v while draining", status, err)
	}
	wantValue(t, g.metrics(t), "gateway_draining", 1)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestDrainingEndsInTime(t *testing.T) {
	t.Parallel()
	up, arrived := slowStub(t, 2500*time.Millisecond)
	g := startGateway(t, up.URL, setup{listen: "drain_timeout: 300ms"})
	go func() { _, _ = try(g.address, call{path: "/v2/users"}) }()
	<-arrived
	idle, err := net.Dial("tcp", g.address) // a silent connection must not hold it up
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	started := time.Now()
	g.signal(t, syscall.SIGTERM)
	g.wait(t)
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("the gateway took %v to end with a drain timeout of 300ms", took)
	}
}

func TestABusyPortIsSaidClearly(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	f := func(name string, second *gateway) {
		t.Helper()
		second.config = g.config + "." + name
		second.upstream = g.upstream
		second.writeConfig(t, setup{})
		r := run(t, "run", "--config", second.config)
		if r.code != 1 {
			t.Errorf("%s: exit code %d, want 1", name, r.code)
		}
		if !strings.Contains(r.stderr, "address already in use") || !strings.Contains(r.stderr, "cannot listen") {
			t.Errorf("%s: stderr says %q", name, r.stderr)
		}
		wantOneSentence(t, r.stderr)
	}
	f("public", &gateway{address: g.address, admin: freeAddress(t)})
	f("admin", &gateway{address: freeAddress(t), admin: g.admin})
}

// wantOneSentence checks that a failure is told without a dump.
func wantOneSentence(t *testing.T, stderr string) {
	t.Helper()
	if strings.Contains(stderr, "goroutine ") || strings.Contains(stderr, ".go:") || strings.Contains(stderr, "panic") {
		t.Errorf("stderr shows the program's inside: %q", stderr)
	}
}

func TestAGatewayStartsBeforeItsUpstream(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	g := startGateway(t, "http://"+address, setup{})
	wantOurError(t, g.do(t, call{path: "/v2/users"}), 502, "upstream_unreachable")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: reply(200, "application/json", "{}")}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
}

func TestIdleUpstreamConnectionsMayDieUnnoticed(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	proxy := &cutter{target: up.address}
	proxy.start(t)
	g.upstream = "http://" + proxy.address
	behind := startGateway(t, g.upstream, setup{rest: noRequestLimits})
	for i := range 5 {
		wantStatus(t, behind.do(t, call{path: "/v2/users"}), 200)
		proxy.cutIdle()
		time.Sleep(20 * time.Millisecond)
		a := behind.do(t, call{path: "/v2/users"})
		if a.status != 200 {
			t.Errorf("round %d: after the upstream closed an idle connection a GET got %s", i, a)
		}
	}
}

// cutter is a TCP proxy that can close the connections that it holds.
type cutter struct {
	target, address string
	conns           chan net.Conn
}

func (c *cutter) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c.address, c.conns = listener.Addr().String(), make(chan net.Conn, 100)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", c.target)
			if err != nil {
				_ = client.Close()
				continue
			}
			c.conns <- client
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		}
	}()
}

func (c *cutter) cutIdle() {
	for {
		select {
		case conn := <-c.conns:
			_ = conn.Close()
		default:
			return
		}
	}
}

func TestAClientThatGoesAwayHarmsNobody(t *testing.T) {
	t.Parallel()
	up, arrived := slowStub(t, 200*time.Millisecond)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	for range 20 {
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET /v2/users HTTP/1.1\r\nHost: g\r\n\r\n")
		<-arrived
		_ = conn.Close()
	}
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
	eventually(t, "nothing is in flight any more", func() error {
		if n := g.metrics(t).value(t, "gateway_requests_in_flight"); n != 0 {
			return fmt.Errorf("%v requests are in flight", n)
		}
		return nil
	})
	wantValue(t, g.metrics(t), "gateway_panics_total", 0)
}
