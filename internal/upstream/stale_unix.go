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
