package downstream

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// run serves the connection: as a task of a loop, or without one on a goroutine.
func (c *Conn) run(t *loop.Task) {
	c.task = t
	c.again = c.resume
	c.guarded(func() bool {
		return c.arrive() && (c.place != nil && c.place.Rest(c.again) || c.serve())
	})
}

// resume goes on when there is news of a connection that rested.
func (c *Conn) resume(t *loop.Task) {
	c.task = t
	c.guarded(c.goOn)
}

func (c *Conn) goOn() bool {
	c.drained = false
	c.roused()
	return c.serve()
}

// Task is what the connection is served by. Whoever is about to wait for anything
// but the client calls its Leave before.
func (c *Conn) Task() *loop.Task { return c.task }

// join makes the socket a place of the task's loop. Without one, and under TLS, the
// connection is waited for by a goroutine.
func (c *Conn) join() {
	l := c.task.Loop()
	tcp, ok := c.nc.(*net.TCPConn)
	if l == nil || !ok {
		return
	}
	c.place, _ = l.AddConn(tcp)
	c.bell.Store(c.place)
}

// await waits for input and takes it in. It reports false when there will be no
// more.
func (c *Conn) await() bool {
	if c.place == nil {
		return c.awaitPlainly()
	}
	if c.drained && !c.place.Ended() && !c.pause() { // a look into the socket would find nothing
		return false
	}
	for {
		c.grab()
		room := len(c.buf) - c.w
		n, err := c.place.Read(c.buf[c.w:])
		switch {
		case errors.Is(err, loop.ErrAgain):
			if c.pause() {
				continue
			}
			return false
		case err != nil || n == 0:
			c.input = io.EOF
			return false
		}
		c.w += n
		c.drained = n < room
		if c.resting() && !c.wake() {
			c.input = io.ErrClosedPipe
			return false
		}
		return true
	}
}

// read waits for more of a request that has begun.
func (c *Conn) read(p []byte) (int, error) {
	if !c.task.OnLoop() || c.place == nil {
		c.drained = false   // nobody knows
		return c.nc.Read(p) //nolint:wrapcheck // a connection's own error
	}
	for {
		n, err := c.place.Read(p)
		switch {
		case errors.Is(err, loop.ErrAgain) && c.over():
			return 0, os.ErrDeadlineExceeded
		case errors.Is(err, loop.ErrAgain):
			c.task.Wait(c.place)
			continue
		case err == nil && n == 0:
			return 0, io.EOF
		}
		c.drained = n < len(p)
		return n, err //nolint:wrapcheck // only its being matters
	}
}

// over reports whether somebody ended the wait for input: its time was up, or the
// server cut the connection.
func (c *Conn) over() bool { return c.watch.Expired() || c.state.Load() == closing }

// pause waits for news of the socket, without a buffer. It reports false when the
// connection is over, or rests: then resume is called when there is news.
func (c *Conn) pause() bool {
	if c.resting() {
		c.free()
	} else if !c.rest() {
		c.input = io.ErrClosedPipe
		return false
	}
	if c.parked = c.task.Idle(c.place, c.again); c.parked {
		return false
	}
	return c.roused()
}

// roused finds out what the news is. It reports false when the connection is over.
func (c *Conn) roused() bool {
	if c.over() {
		c.input = os.ErrDeadlineExceeded
		return false
	}
	return c.resend() == nil
}

// sendOnLoop sends a small answer at the end of the loop's turn, and a large one
// now. It returns what the client does not take at once, which is to be written
// beside the loop.
func (c *Conn) sendOnLoop(head, body []byte) (leftHead, leftBody []byte, err error) {
	c.place.Flush()
	if err := c.resend(); err != nil {
		return nil, nil, err
	}
	if len(body) == 0 && len(head) <= firstBuffer {
		c.out = append(c.out[:0], head...)
		c.place.Send(c.out)
		return nil, nil, nil
	}
	n, err := c.place.Write(head, body)
	if err == nil {
		return nil, nil, nil
	}
	c.task.Leave() // whatever else went wrong will go wrong again
	if n < len(head) {
		return head[n:], body, nil
	}
	return body[n-len(head):], nil, nil
}

// Moves reports whether the connection takes what is in a pipe without reading it.
func (c *Conn) Moves() bool { return c.place != nil && c.task.OnLoop() && c.place.Takes() }

// WriteFrom sends head and behind it what a pipe holds, as Write does. What the
// client does not take at once is read from the pipe.
func (c *Conn) WriteFrom(head []byte, pipe *loop.Pipe) error {
	if c.Moves() && !c.place.Failed() && !c.watch.Expired() {
		n, err := c.place.WriteFrom(head, pipe)
		if err == nil {
			return nil
		}
		head = head[n:]
		c.task.Leave() // whatever else went wrong will go wrong again
	}
	rest, err := pipe.Append(nil)
	if err != nil {
		c.Cut(true)
		return err //nolint:wrapcheck // only its being matters
	}
	return c.Write(head, rest)
}

// resend sends what the socket did not take at once: the client reads slowly, or
// not at all.
func (c *Conn) resend() error {
	if !c.place.Failed() {
		return nil
	}
	left, err := c.place.Unsent()
	if errors.Is(err, loop.ErrAgain) {
		c.task.Leave()
		err = c.Write(left, nil)
	}
	if err != nil {
		c.input = err
		c.hangup, c.cutting = true, true
	}
	return err
}

// part takes the socket from the loop, after the last answer.
func (c *Conn) part() {
	if c.place == nil {
		return
	}
	c.place.Flush()
	_ = c.resend()
	c.task.Leave()
	c.bell.Store(nil)
	c.place.Remove()
}

// expire ends whatever waits for the socket; the sweeper calls it.
func (c *Conn) expire() {
	_ = c.socket.SetDeadline(time.Unix(1, 0))
	if p := c.bell.Load(); p != nil {
		p.Wake()
	}
}
