package upstream

import (
	"net"
	"time"
)

// tunnel is a connection that changed its protocol. It keeps its place in the
// pool until it is closed, and never returns to it.
type tunnel struct {
	net.Conn
	conn  *conn
	early []byte // what came behind the answer
}

// isWebSocket reports whether the answer changes the protocol to the one that may
// be asked for.
func (r *Response) isWebSocket() bool {
	found := 0
	for i := range r.Fields {
		switch f := &r.Fields[i]; {
		case is(f.Name, "upgrade") && is(f.Value, "websocket"):
			found |= 1
		case is(f.Name, "connection") && is(f.Value, "upgrade"):
			found |= 2
		}
	}
	return found == 3
}

// switchProtocols makes a tunnel of the connection.
func (c *conn) switchProtocols(resp *Response) error {
	early := append([]byte(nil), c.window()...)
	if !c.watch.Clear() {
		return errLate
	}
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return err
	}
	resp.own(c)
	c.end()
	c.task = nil // whoever uses the tunnel has goroutines
	c.part()
	resp.Tunnel = &tunnel{Conn: c.nc, conn: c, early: early}
	return nil
}

// Read reads what the upstream sent.
func (t *tunnel) Read(p []byte) (int, error) {
	if len(t.early) > 0 {
		n := copy(p, t.early)
		t.early = t.early[n:]
		return n, nil
	}
	return t.Conn.Read(p) //nolint:wrapcheck // a connection's own error
}

// CloseWrite says that nothing more will be sent.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // a connection's own error
	}
	return nil
}

// Close ends the tunnel, and gives up its place.
func (t *tunnel) Close() error {
	t.conn.drop()
	return nil
}
