//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package upstream

import "net"

// probe can't look into a socket here.
type probe struct {
	one [1]byte
}

func (p *probe) watch(*net.TCPConn) error { return nil }

func (p *probe) recv([]byte, int) (int, error) { return 0, errWouldBlock }

// asking has no state here.
type asking struct{ err error }

// ask writes a request.
func (c *conn) ask(req *Request) error { return c.send(req) }

// stale makes every request use a connection of its own: without a look at an
// idle connection it is not safe to write to it.
func (c *conn) stale() bool { return true }
