package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Oracles are programs that many upstreams are built of (routers, body parsers,
// another proxy): the tests hold what the gateway makes of a request against what
// they make of it.

// startOracle runs a script of e2e/oracle and returns the addresses that it
// prints, by name.
func startOracle(t *testing.T, script string) map[string]string {
	t.Helper()
	node := exec.Command("node", "oracle/"+script)
	node.Env = append(os.Environ(), "NODE_ENV=test") // Express prints the errors of handlers otherwise
	var stderr output
	node.Stderr = &stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("this test needs Node.js: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = node.Wait()
		if t.Failed() {
			t.Logf("%s printed on stderr:\n%s", script, lastBytes(stderr.String(), 6000))
		}
	})
	var addresses map[string]string
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		t.Fatalf("%s did not say where it listens: %v\n%s", script, err, stderr.String())
	}
	return addresses
}

// pipe is a kept connection that carries requests byte for byte as they are
// written; not safe for concurrent use.
type pipe struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

func (p *pipe) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// send writes one request and reads one answer, on a new connection when the
// other side has closed the kept one in between.
func (p *pipe) send(request string) (answer, error) {
	kept := p.conn != nil
	a, err := p.attempt(request)
	if err != nil && kept && !errors.Is(err, os.ErrDeadlineExceeded) {
		a, err = p.attempt(request)
	}
	return a, err
}

func (p *pipe) attempt(request string) (a answer, err error) {
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.open(); err != nil {
		return a, err
	}
	_ = p.conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(p.conn, request); err != nil {
		return a, err
	}
	return p.receive()
}

func (p *pipe) open() (err error) {
	if p.conn == nil {
		p.conn, err = net.Dial("tcp", p.address)
		p.reader = bufio.NewReader(p.conn)
	}
	return err
}

// receive reads one answer to a POST. Bytes behind it would be an answer to a
// request that nobody sent.
func (p *pipe) receive() (answer, error) {
	resp, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		return a, err
	}
	if extra := p.reader.Buffered(); extra > 0 {
		return a, fmt.Errorf("cannot tell which request %d bytes after the answer belong to", extra)
	}
	if resp.Close {
		p.close()
	}
	return a, nil
}

// post is a request written by hand: the target and the headers as they are.
func post(target, host, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n", target, host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// pair is a worker's connections: to the gateway, and to the upstream without it.
type pair struct{ gateway, upstream *pipe }

// inPairs calls do for 0 to n-1, from a few workers at once, and reports errors: the
// first 20, as one mistake of the gateway often shows in hundreds of cases.
func inPairs(t *testing.T, gateway, upstream string, n int, do func(p pair, i int) error) {
	t.Helper()
	var next, failed atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := pair{&pipe{address: gateway}, &pipe{address: upstream}}
			defer p.gateway.close()
			defer p.upstream.close()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(p, i); err != nil && failed.Add(1) <= 20 {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 20 {
		t.Errorf("%d cases failed, of which the first 20 are shown", n)
	}
}

// readMessage is a message as an upstream has read it.
type readMessage struct {
	Conversation string `json:"conversation"` // as JSON; empty when there is none
	Content      string `json:"content"`      // as JSON, without the conversation; never an empty object
}

// body is the message as one sends it to POST /v2/messages.
func (m readMessage) body() string {
	if m.Conversation == "" {
		return m.Content
	}
	return `{"conversation":` + m.Conversation + "," + m.Content[1:]
}

// wantSaid checks that the gateway has counted a bot's message n times: as many
// more as fit are admitted, and then no other.
func wantSaid(g *pipe, token string, m readMessage, n int) error {
	const limit = 8
	more := "[" + strings.TrimSuffix(strings.Repeat(m.body()+",", limit-n), ",") + "]"
	for _, try := range []struct {
		body   string
		status int
	}{{more, 201}, {m.body(), 429}} {
		a, err := g.send(post("/v2/messages", g.address, try.body, "Content-Type: application/json", "Authorization: Bearer "+token))
		if err != nil {
			return err
		}
		if a.status != try.status {
			return fmt.Errorf("the upstream was given %v, which the gateway has not counted %d times: %.200s is answered %.200s, want %d",
				m, n, try.body, a, try.status)
		}
	}
	return nil
}
