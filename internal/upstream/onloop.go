package upstream

import (
	"errors"
	"io"
	"os"

	"github.com/chatshipper/gateway/internal/loop"
)

// fits reports whether a request goes out in one piece, in plain text.
func (c *conn) fits(req *Request) bool {
	return c.tcp != nil && c.wire == nil && req.Source == nil && !req.Chunked && len(req.Head)+len(req.Body) <= copyLimit
}

// join makes the socket a place of the task's loop.
func (c *conn) join() bool {
	l := c.task.Loop()
	if c.seat.Load().Loop() == l {
		return true
	}
	c.part()
	p, err := l.AddConn(c.tcp)
	if err == nil {
		c.seat.Store(p)
	}
	return err == nil
}

// part takes the socket from its loop.
func (c *conn) part() {
	if p := c.seat.Swap(nil); p != nil {
		p.Remove()
	}
}

// spent reports whether an idle connection must not be used. On its loop, the loop
// knows of an end, and the rest is for Ask to find out.
func (c *conn) spent(t *loop.Task) bool {
	if p := c.seat.Load(); t.OnLoop() && p.Loop() == t.Loop() {
		return p.Ended()
	}
	return c.stale()
}

// askOnLoop writes a request at the end of the loop's turn and waits for the first
// bytes of the answer. Whether somebody else's bytes are there already, or the end,
// is found out right before.
func (c *conn) askOnLoop(req *Request) error {
	seat, b := c.seat.Load(), req.Head
	if len(req.Body) > 0 {
		b = append(append(c.buf[:0], req.Head...), req.Body...)
	}
	seat.Ask(b)
	for {
		c.task.Wait(seat)
		n, err := 0, error(nil)
		if !seat.Failed() {
			n, err = seat.Read(c.buf[:firstRead])
		}
		if seat.Failed() {
			return c.askAgain(seat, len(b))
		}
		if errors.Is(err, loop.ErrAgain) && !c.watch.Expired() {
			continue // the news was old
		}
		c.sent = true
		c.w, c.asking.err = n, c.verdict(n, err)
		c.begun = n > 0
		return nil
	}
}

// verdict turns what a Place's Read returned into what a Conn's would.
func (c *conn) verdict(n int, err error) error {
	switch {
	case errors.Is(err, loop.ErrAgain):
		return os.ErrDeadlineExceeded
	case err == nil && n == 0:
		return io.EOF
	}
	return err
}

// read waits for more of the answer.
func (c *conn) read(p []byte) (int, error) {
	if !c.task.OnLoop() {
		return c.nc.Read(p)
	}
	seat := c.seat.Load()
	for {
		n, err := seat.Read(p)
		if !errors.Is(err, loop.ErrAgain) || c.watch.Expired() {
			return n, c.verdict(n, err)
		}
		c.task.Wait(seat)
	}
}

// pipeFrom is from which size on what is left of a body is moved in the kernel,
// bytes: less is copied sooner than moved.
const pipeFrom = 12 << 10

// moves reports whether what comes may be moved without being read.
func (c *conn) moves() bool { return c.wire == nil && c.task.OnLoop() }

// pipes reports whether the body that begins now is worth a pipe.
func (c *conn) pipes() bool {
	return c.body.kind == fixed && c.body.left-int64(len(c.window())) >= pipeFrom && c.moves()
}

// fillPipe waits for more of the answer and moves it into a pipe.
func (c *conn) fillPipe(pipe *loop.Pipe, most int) (int, error) {
	seat := c.seat.Load()
	for {
		n, err := seat.Fill(pipe, most)
		if !errors.Is(err, loop.ErrAgain) || c.watch.Expired() {
			return n, c.verdict(n, err)
		}
		c.task.Wait(seat)
	}
}

// askAgain writes what the socket did not take at once, beside the loop.
func (c *conn) askAgain(seat *loop.Place, size int) error {
	left, err := seat.Unsent()
	c.sent = len(left) < size
	if !errors.Is(err, loop.ErrAgain) {
		return err
	}
	c.task.Leave()
	n, err := c.write(left)
	c.sent = c.sent || n > 0
	return err
}
