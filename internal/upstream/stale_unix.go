//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package upstream

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// probe looks into a socket without waiting, whatever its deadlines are.
type probe struct {
	raw  syscall.RawConn
	look func(fd uintptr) // made once, so that looking allocates nothing

	p     []byte
	flags int
	n     int
	err   error
	one   [1]byte
}

// watch makes the probe look into the socket of nc.
func (p *probe) watch(nc *net.TCPConn) (err error) {
	p.raw, err = nc.SyscallConn()
	p.look = p.receive
	return err
}

func (p *probe) receive(fd uintptr) {
	for {
		p.n, _, p.err = syscall.Recvfrom(int(fd), p.p, p.flags|syscall.MSG_DONTWAIT)
		if p.err != syscall.EINTR { //nolint:errorlint // a system call returns it unwrapped
			return
		}
	}
}

// recv reads what is in the socket now; errWouldBlock when nothing is.
func (p *probe) recv(dst []byte, flags int) (int, error) {
	p.p, p.flags = dst, flags
	err := p.raw.Control(p.look)
	p.p = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(p.err, syscall.EAGAIN):
		return 0, errWouldBlock
	case p.err != nil:
		return 0, p.err
	case p.n == 0:
		return 0, io.EOF
	}
	return p.n, nil
}

// asking is the state of one call of ask.
type asking struct {
	step func(fd uintptr) bool // made once, so that asking allocates nothing
	req  *Request              // nil when it is written
	sent error
	err  error // of the first read; nil when it brought something
}

// ask writes a request and waits for the first bytes of the answer. On a plain
// connection both happen in one callback of RawConn.Read, which spares the read
// that would only say that nothing is there yet (0.3 µs). An answer can't have
// come before the request was written, so none is missed.
func (c *conn) ask(req *Request) error {
	a := &c.asking
	c.task = req.Task
	if c.task.OnLoop() && c.fits(req) && c.join() {
		return c.askOnLoop(req)
	}
	c.task.Leave()
	if c.wire != nil || c.probe.raw == nil || req.Source != nil {
		return c.send(req)
	}
	if a.step == nil {
		a.step = c.converse
	}
	a.req, a.sent, a.err = req, nil, nil
	if err := c.probe.raw.Read(a.step); err != nil {
		a.err = err
	}
	if a.req != nil { // not even tried
		a.req, a.sent, a.err = nil, a.err, nil
	}
	return a.sent
}

func (c *conn) converse(fd uintptr) (done bool) {
	a := &c.asking
	if a.req != nil {
		req := a.req
		a.req = nil
		a.sent = c.send(req)
		return a.sent != nil
	}
	for {
		n, err := syscall.Read(int(fd), c.buf[:firstRead])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			a.err = err
		case n == 0:
			a.err = io.EOF
		default:
			c.w, c.begun = n, true
		}
		return true
	}
}

// stale reports whether an idle connection must not be used: the upstream closed
// it, or sent something that nobody asked for and that the next request would
// take for its answer. It costs one system call (0.4 µs).
func (c *conn) stale() bool {
	var err error
	if c.wire != nil {
		err = c.wire.poll(c.nc, c.probe.one[:])
	} else {
		_, err = c.probe.recv(c.probe.one[:], syscall.MSG_PEEK)
	}
	return err != errWouldBlock //nolint:errorlint // our own, never wrapped
}
