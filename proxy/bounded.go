package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/apierror"
)

// bounded is a listener with at most max open connections. A connection over
// that is told so, in the shape of every other error, and closed: fasthttp's own
// limits answer in plain text.
type bounded struct {
	net.Listener
	max    int64
	open   atomic.Int64
	refuse func(net.Conn)
}

func newBounded(ln net.Listener, limit int, refuse func(net.Conn)) *bounded {
	return &bounded{Listener: ln, max: int64(limit), refuse: refuse}
}

// Accept returns the next connection within the limit.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // fasthttp looks at the listener's own errors
		}
		if b.open.Add(1) <= b.max {
			return &counted{Conn: conn, open: &b.open}, nil
		}
		b.open.Add(-1)
		b.refuse(conn)
	}
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

// Close closes the connection, once.
func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close() //nolint:wrapcheck // a connection's own error
}

// refuseConnection answers a connection for which there is no room. The answer
// is a few hundred bytes and fits any fresh socket's buffer, so it can't block.
func (g *Gateway) refuseConnection(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(noRoom())
	_ = conn.Close()
}

// noRoom is a whole answer: 503 in the shape of every other error.
func noRoom() []byte {
	e := apierror.Error{Code: apierror.Overloaded, RetryAfter: 1}
	var resp fasthttp.Response
	resp.SetStatusCode(e.HTTPStatus())
	resp.Header.SetContentType(apierror.ContentType)
	resp.Header.SetNoDefaultContentType(true)
	resp.Header.SetBytesK(headerRetryAfter, "1")
	resp.SetConnectionClose()
	resp.SetBody(e.AppendJSON(nil))
	return []byte(resp.String())
}
