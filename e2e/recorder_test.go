package e2e

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is an upstream that keeps every request as it stood on the wire and
// gives the answer that the case in X-Case wants, byte for byte.
type recorder struct {
	address string
	cases   []wireCase

	mu     sync.Mutex
	seen   map[string][]wireMessage // by X-Case
	hungUp map[string]int           // how often on that case
}

func startRecorder(t *testing.T, cases []wireCase) *recorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &recorder{address: listener.Addr().String(), cases: cases, seen: map[string][]wireMessage{}, hungUp: map[string]int{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		_ = conn.SetDeadline(time.Now().Add(patience))
		m, err := readWire(reader, false, "")
		if err != nil {
			return
		}
		name := strings.Join(m.values("X-Case"), ",")
		r.mu.Lock()
		r.seen[name] = append(r.seen[name], m)
		r.mu.Unlock()
		c := r.find(name)
		if c == nil || m.broken != "" {
			return
		}
		_, err = io.WriteString(conn, strings.ReplaceAll(c.answer, "UPSTREAM", r.address))
		if c.hangUp {
			_ = conn.Close()
			r.mu.Lock()
			r.hungUp[name]++
			r.mu.Unlock()
		}
		if err != nil || c.hangUp {
			return
		}
	}
}

// settled waits until the connections on which it was to hang up are closed, so that
// no proxy can take one of them for the next request.
func (r *recorder) settled(c *wireCase) {
	for deadline := time.Now().Add(patience); c.hangUp && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		done := r.hungUp[c.id()] == len(r.seen[c.id()])
		r.mu.Unlock()
		if done {
			return
		}
	}
}

func (r *recorder) find(name string) *wireCase {
	for i := range r.cases {
		if r.cases[i].id() == name {
			return &r.cases[i]
		}
	}
	return nil
}

// strays is what arrived and is no request of a case.
func (r *recorder) strays() (list []wireMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, arrived := range r.seen {
		if c := r.find(name); c == nil {
			list = append(list, arrived...)
		}
	}
	return list
}

// arrivals is the requests of a case.
func (r *recorder) arrivals(c *wireCase) []wireMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[c.id()]
}
