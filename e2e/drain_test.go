package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kept is a connection on which one request follows the other.
type kept struct {
	net.Conn
	answers *bufio.Reader
}

func keep(t *testing.T, address string) *kept {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return &kept{conn, bufio.NewReader(conn)}
}

func (k *kept) ask(t *testing.T, path string) {
	t.Helper()
	if _, err := io.WriteString(k, "GET "+path+" HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// wantAnswer reads an answer, which says that it is the last one of its
// connection, or does not.
func (k *kept) wantAnswer(t *testing.T, when string, last bool) {
	t.Helper()
	resp, err := http.ReadResponse(k.answers, nil)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Close != last {
		t.Errorf("%s: status %d, Connection: close %v, want 200 and %v", when, resp.StatusCode, resp.Close, last)
	}
}

// wantEnd waits until the gateway has closed the connection.
func (k *kept) wantEnd(t *testing.T, what string) {
	t.Helper()
	if n, err := k.answers.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%s: read %d bytes, %v; want the end", what, n, err)
	}
}

// Each step of a drain, as a balancer and a client see it.
func TestADrainComesInItsOrder(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan bool, 1), make(chan bool)
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			arrived <- true
			<-finish
		}
		agreeable(w, r)
	})
	g := startGateway(t, up.URL, setup{listen: "shutdown_delay: 3s, drain_timeout: 20s", rest: noRequestLimits})
	idle, busy := keep(t, g.address), keep(t, g.address)
	idle.ask(t, "/v2/users")
	idle.wantAnswer(t, "before", false)

	started := time.Now()
	g.signal(t, syscall.SIGTERM)
	eventually(t, "/readyz says 503", func() error {
		status, _, err := fetch("http://" + g.admin + "/readyz")
		if err == nil && status != 503 {
			err = fmt.Errorf("/readyz answers %d", status)
		}
		return err
	})
	idle.ask(t, "/v2/users")
	idle.wantAnswer(t, "within shutdown_delay", false)
	keep(t, g.address).ask(t, "/v2/users")
	busy.ask(t, "/v2/slow")
	<-arrived

	idle.wantEnd(t, "a connection without a request, after shutdown_delay")
	if took := time.Since(started); took < 3*time.Second {
		t.Errorf("it was closed after %v of a shutdown_delay of 3s", took)
	}
	eventually(t, "nobody new is let in", func() error {
		conn, refused := net.Dial("tcp", g.address)
		if refused == nil {
			return errors.Join(errors.New("a connection was accepted"), conn.Close())
		}
		return nil
	})
	select {
	case <-g.done:
		t.Fatal("the gateway has ended with a request in flight")
	default:
	}
	close(finish)
	busy.wantAnswer(t, "in flight", true)
	busy.wantEnd(t, "after the last answer")
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
