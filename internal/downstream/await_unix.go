//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package downstream

import (
	"io"
	"net"
	"syscall"
)

// open prepares the connection for requests.
func (c *Conn) open() {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c.raw, c.onInput = raw, c.take
		}
	}
}

// await serves requests that arrive whole, and returns when one must be waited
// for (pump goes on with it then) or, false, when there will be no more.
//
// The whole life of an ordinary connection is one call of RawConn.Read: its
// callback reads and answers what is there, and gives its buffer back before it
// waits for more, so that idle connections hold none.
func (c *Conn) await() bool {
	if c.raw == nil {
		return c.awaitPlainly()
	}
	if err := c.raw.Read(c.onInput); err != nil {
		c.input = err
		return false
	}
	return c.input == nil && !c.hangup
}

// take reads and answers until nothing is there; then it returns false, which
// waits. It returns true when the connection must leave the callback.
func (c *Conn) take(fd uintptr) bool {
	for {
		c.grab()
		n, err := syscall.Read(int(fd), c.buf[c.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			if c.resting() {
				c.free()
				return false
			}
			if !c.rest() {
				c.input = io.ErrClosedPipe
				return true
			}
			return false
		case err != nil || n <= 0:
			c.input = io.EOF
			return true
		}
		c.w += n
		if c.resting() && !c.wake() {
			c.input = io.ErrClosedPipe
			return true
		}
		if c.pump(false) || c.hangup {
			return true
		}
		c.watch.Set(c.server.cfg.IdleTimeout)
	}
}
