package downstream

import (
	"errors"
	"io"
	"os"
)

// awaitPlainly waits for input with a buffer in hand: under TLS, whose records
// need one.
func (c *Conn) awaitPlainly() bool {
	c.grab()
	if c.state.Load() == busy {
		c.watch.Set(c.server.cfg.IdleTimeout)
		if !c.rest() {
			return false
		}
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n == 0 {
		c.input = err
		return false
	}
	if !c.wake() {
		c.input = io.ErrClosedPipe
		return false
	}
	return true
}

// more waits for more of a head that has begun.
func (c *Conn) more() bool {
	if c.readBy == 0 {
		c.watch.Set(c.server.cfg.HeaderTimeout)
		c.readBy = c.server.sweeper.After(c.server.cfg.ReadTimeout)
	}
	if !c.room() {
		c.unread(HeadTooLarge)
		return true
	}
	n, err := c.read(c.buf[c.w:])
	if c.w += n; n > 0 {
		return true
	}
	c.input = err
	if errors.Is(err, os.ErrDeadlineExceeded) && c.state.Load() == busy {
		c.late()
	}
	return false
}

// late answers a head that did not come in time.
func (c *Conn) late() {
	c.input = nil
	c.unread(HeadTimedOut)
	c.exchange()
}

// unread makes what is no request the next exchange.
func (c *Conn) unread(why Fault) {
	c.r = c.w
	c.pending = c.server.handler.Unread(c, why)
	c.Hangup(true)
}

// room makes room in the buffer behind what is there. It reports false when the
// head is as large as one may be.
func (c *Conn) room() bool {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w < len(c.buf) {
		return c.w < c.server.cfg.MaxHead
	}
	if c.w >= c.server.cfg.MaxHead {
		return false
	}
	larger := make([]byte, min(2*len(c.buf), c.server.cfg.MaxHead))
	copy(larger, c.buf)
	if c.small != nil {
		buffers.Put(c.small)
		c.small = nil
	}
	c.buf = larger
	return true
}
