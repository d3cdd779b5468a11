package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/downstream"
)

const (
	// writeTimeout bounds how long a client may take to read an answer, or the
	// next piece of a streamed one.
	writeTimeout = 60 * time.Second
	// lingering is how long a drain waits for clients to see Connection: close
	// before it stops to accept and closes idle connections: a client may be
	// about to write on one.
	lingering = 500 * time.Millisecond
)

func (g *Gateway) newServer() *downstream.Server {
	l := &g.listen
	return downstream.New(downstream.Config{
		MaxHead:        int(l.MaxHeaderBytes),
		HeaderTimeout:  l.ReadHeaderTimeout,
		ReadTimeout:    l.ReadTimeout,
		IdleTimeout:    l.IdleTimeout,
		WriteTimeout:   writeTimeout,
		MaxConnections: l.MaxConnections,
		MaxPerAddress:  l.MaxConnectionsPerIP,
		IPv6Prefix:     g.cfg.Limits.PerIP.IPv6Prefix,
		Proxy:          func(a netip.Addr) bool { return g.rules.Load().trusted.contains(a) },
		ProxyProtocol:  l.ProxyProtocol,
		TLS:            g.secure,
	}, g)
}

// Serve answers requests on ln until Shutdown.
func (g *Gateway) Serve(ln net.Listener) error {
	g.upstream.Start()
	return g.server.Serve(ln)
}

// Withdraw makes the gateway say that it is not ready, while it serves on: the
// first step of a drain, so that load balancers look elsewhere.
func (g *Gateway) Withdraw() { g.withdrawn.Store(true) }

// Shutdown makes every answer close its connection and lets what is in flight finish, until ctx ends. The listener stays
// open for a moment, because a client that has not yet seen
// Connection: close may be writing a request.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.Withdraw()
	g.draining.Store(true)
	until := time.NewTimer(lingering)
	defer until.Stop()
	tick := time.NewTicker(lingering / 25)
	defer tick.Stop()
	for waiting := true; waiting && g.server.Open() > 0; {
		select {
		case <-tick.C:
		case <-until.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	err := g.server.Shutdown(ctx)
	g.upstream.Close()
	g.rules.Load().directory.Close()
	if err != nil {
		return fmt.Errorf("cannot finish what is in flight: %w", err)
	}
	return nil
}

// Unread answers what is no request, in the same shape and through the same door
// as every other error.
func (g *Gateway) Unread(c *downstream.Conn, why downstream.Fault) downstream.Exchange {
	x := g.begin(c)
	x.hangUp = true
	x.id = g.ids.append(x.ids[:0])
	x.routed = routed{route: routeUnread}
	x.method = methodOf(c.Method)
	x.meetPeer()
	x.joinTrace()
	x.refuseWith(unread(why))
	return x
}

func unread(why downstream.Fault) apierror.Error {
	switch why {
	case downstream.HeadTooLarge:
		return apierror.Error{Code: apierror.HeadersTooLarge}
	case downstream.HeadTimedOut:
		return apierror.Error{Code: apierror.RequestTimeout}
	case downstream.NotSecure:
		return apierror.Error{Code: apierror.InvalidRequest, Message: notSecure}
	case downstream.TooManyConnections:
		return apierror.Error{Code: apierror.Overloaded, RetryAfter: 1}
	case downstream.TooManyOfAddress:
		return apierror.Error{Code: apierror.Overloaded, RetryAfter: 1, Message: tooManyOfAddress}
	}
	return apierror.Error{Code: apierror.InvalidRequest, Message: string(badRequestLine)}
}

const (
	badRequestLine   problem = "The request line is malformed: it must be a method, a path and HTTP/1.1 with one space between them, and end in CRLF like every header line."
	notSecure        string  = "This port speaks HTTPS. Use https:// and not http:// in the address."
	tooManyOfAddress string  = "Your address has too many connections open. Close some, or use the open ones again."
)

// Refusal is a whole answer in the shape of every other error.
func (g *Gateway) Refusal(why downstream.Fault) []byte {
	e := unread(why)
	r := reply{close: true, length: ofBody, body: e.AppendJSON(nil)}
	r.add(headerContentType, jsonType)
	if e.RetryAfter > 0 {
		r.add(headerRetryAfter, []byte("1"))
	}
	return append(r.appendHead(nil, e.HTTPStatus(), g.date.at(g.clock.now(), &g.clock), false), r.body...)
}

// Panicked reports a fault outside of any request.
func (g *Gateway) Panicked(fault any) {
	g.metrics.panics.Inc()
	g.logger.Error("panic on a connection", "panic", fault, "stack", string(debug.Stack()))
}
