package upstream

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// turns makes every other exchange of the tests one of a task on a loop: what is
// promised holds there too, and for connections that go to and fro.
var turns atomic.Int64

// exchange sends a request and reads the whole answer, streamed or not: on a
// goroutine, or on a loop, there with pipes.
func exchange(t testing.TB, c *Client, req *Request, resp *Response) (body []byte, err error) {
	t.Helper()
	work := func() {
		if err = c.Do(req, resp); err != nil {
			return
		}
		if body = resp.Body; resp.Pipe.Len() > 0 {
			body, err = resp.Pipe.Append(body)
		}
		if resp.Stream != nil {
			body, err = io.ReadAll(pourer{t, resp})
			_ = resp.Stream.Close()
		}
	}
	if runtime.GOOS != "linux" || turns.Add(1)%2 == 0 {
		work()
		return body, err
	}
	onLoop(t, func(task *loop.Task) {
		req.Task, req.Pipes = task, true
		work()
		req.Task, req.Pipes = nil, false
	})
	return body, err
}

// onLoop runs f as a task that has got onto its loop, and waits for its end.
func onLoop(t testing.TB, f func(task *loop.Task)) {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	<-begin(t, l, f)
}

func begin(t testing.TB, l *loop.Loop, f func(task *loop.Task)) (ended chan struct{}) {
	ended = make(chan struct{})
	l.Start(func(task *loop.Task) {
		defer close(ended)
		rest(t, task)
		f(task)
	})
	return ended
}

// rest brings a task to its loop.
func rest(t testing.TB, task *loop.Task) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Error(err)
		return
	}
	p, err := task.Loop().Add(fds[0])
	if err != nil {
		t.Error(err)
		return
	}
	p.Wake()
	task.Wait(p)
	p.Remove()
	_, _ = syscall.Close(fds[0]), syscall.Close(fds[1])
}

// answerOf is an answer with a body of so many bytes.
func answerOf(size int) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
}

func TestAWarmExchangeStaysOnItsLoop(t *testing.T) {
	for _, size := range []int{0, 10, 3000, 100_000} {
		c := play(t, always(answerOf(size))).client()
		onLoop(t, func(task *loop.Task) {
			var resp Response
			for i := range 50 {
				resp.Reset()
				err := c.Do(&Request{Head: get("/").Head, Task: task}, &resp)
				if err != nil || len(resp.Body) != size {
					t.Errorf("%d bytes and %v, want %d", len(resp.Body), err, size)
				}
				if i == 0 {
					rest(t, task) // a connection was opened beside the loop
				} else if !task.OnLoop() {
					t.Errorf("an answer of %d bytes made exchange %d leave its loop", size, i)
				}
			}
		})
	}
}

// An answer that nobody asked for comes after the connection was chosen, and
// before the request is written.
func TestALoopFindsForeignBytesRightBeforeItWrites(t *testing.T) {
	b := play(t, func(p *peer) {
		p.request()
		p.say(okAnswer)
		if p.n > 0 {
			p.gone()
			return
		}
		<-time.After(20 * time.Millisecond)
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")
		p.gone()
	})
	c := b.client()
	onLoop(t, func(task *loop.Task) {
		var resp Response
		if err := c.Do(&Request{Head: get("/").Head, Task: task}, &resp); err != nil {
			t.Error(err)
		}
		rest(t, task)
		<-time.After(60 * time.Millisecond) // the loop does not turn meanwhile: it can't know
		resp.Reset()
		second := post("two")
		second.Task = task
		if err := c.Do(second, &resp); err != nil || string(resp.Body) != "ok" {
			t.Errorf("got %q and %v", resp.Body, err)
		}
	})
	if requests, dialled := b.seen(); len(requests) != 2 || dialled != 2 {
		t.Errorf("%d requests on %d connections, want 2 on 2", len(requests), dialled)
	}
}

func TestASilentUpstreamIsGivenUpOnALoop(t *testing.T) {
	for _, said := range []string{"", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"} {
		c := play(t, func(p *peer) {
			p.request()
			p.say(said)
			p.gone()
		}).client(func(cfg *Config) { cfg.Timeout = 100 * time.Millisecond })
		onLoop(t, func(task *loop.Task) {
			var resp Response
			var failure *Error
			err := c.Do(&Request{Head: get("/").Head, Task: task}, &resp)
			if !errors.As(err, &failure) || failure.Reason != ReasonTimeout || !failure.Sent {
				t.Errorf("after %q: got %v", said, err)
			}
		})
	}
}

// Tasks of several loops, and goroutines, share the connections of one pool.
func TestLoopsShareThePool(t *testing.T) {
	b := play(t, always(okAnswer))
	c := b.client(func(cfg *Config) { cfg.MaxConnections = 4 })
	var all sync.WaitGroup
	ask := func(task *loop.Task) {
		var resp Response
		for range 100 {
			resp.Reset()
			err := c.Do(&Request{Head: get("/").Head, Task: task, Idempotent: true}, &resp)
			if full := (*Error)(nil); errors.As(err, &full) && full.Reason == ReasonNoFreeConns {
				continue
			}
			if err != nil || string(resp.Body) != "ok" {
				t.Errorf("got %q and %v", resp.Body, err)
			}
		}
	}
	for range 2 {
		l, err := loop.New()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range 4 {
			ended := begin(t, l, ask)
			all.Go(func() { <-ended })
		}
		all.Go(func() { ask(nil) })
	}
	all.Wait()
	if _, dialled := b.seen(); dialled > 4 {
		t.Errorf("%d connections, want at most 4", dialled)
	}
}
