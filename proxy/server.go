package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/apierror"
)

const (
	// writeTimeout bounds how long a client may take to read an answer, or the
	// next piece of a streamed one.
	writeTimeout = 60 * time.Second
	// keptBuffer is the largest body buffer that goes back to fasthttp's pools:
	// larger ones would stay with idle connections.
	keptBuffer = 64 << 10
	// lingering is how long a drain waits for clients to see Connection: close
	// before it stops to accept and closes idle connections: a client may be
	// about to write on one.
	lingering = 500 * time.Millisecond
)

func (g *Gateway) newServer() *fasthttp.Server {
	fasthttp.SetBodySizePoolLimit(keptBuffer, keptBuffer)
	return &fasthttp.Server{
		Handler:      g.Handle,
		ErrorHandler: g.handleUnread,
		HeaderReceived: func(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
			if h.ContentLength() != 0 && h.ContentLength() != -2 {
				c.ReadTimeout = g.listen.ReadTimeout
			}
			return c
		},
		ReadBufferSize:                int(g.listen.MaxHeaderBytes),
		WriteBufferSize:               8 << 10,
		MaxRequestBodySize:            int(g.listen.MaxBodyBytes),
		ReadTimeout:                   g.listen.ReadHeaderTimeout,
		WriteTimeout:                  writeTimeout,
		IdleTimeout:                   g.listen.IdleTimeout,
		Concurrency:                   1 << 30, // accepting is limited by our own listener, whose refusal is JSON
		TCPKeepalive:                  true,
		CloseOnShutdown:               true,
		DisableHeaderNamesNormalizing: true,
		DisablePreParseMultipartForm:  true,
		NoDefaultServerHeader:         true,
		NoDefaultContentType:          true,
		SecureErrorLogMessage:         true,
		Logger:                        log.New(io.Discard, "", 0), // parse errors are counted and answered in handleUnread
	}
}

// listenerTLS loads the listener's certificate, when it has one.
func listenerTLS(files ListenTLS) (*tls.Config, error) {
	if files.CertFile == "" {
		return nil, nil //nolint:nilnil // plain text is no error
	}
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use listen.tls: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{certificate},
	}, nil
}

// Serve answers requests on ln until Shutdown. A certificate makes it speak TLS.
func (g *Gateway) Serve(ln net.Listener) error {
	if g.listen.MaxConnections > 0 {
		ln = newBounded(ln, g.listen.MaxConnections, g.refuseConnection)
	}
	if g.secure != nil {
		ln = tls.NewListener(ln, g.secure)
	}
	if !g.open(ln) {
		return nil
	}
	if err := g.server.Serve(ln); err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}

// open takes a listener into care, unless the gateway was shut down already: then
// the listener is closed.
func (g *Gateway) open(ln net.Listener) bool {
	g.listening.Lock()
	defer g.listening.Unlock()
	if g.shut {
		_ = ln.Close()
		return false
	}
	g.listeners = append(g.listeners, ln)
	return true
}

// closeListeners closes those that fasthttp had not yet begun to serve, too.
func (g *Gateway) closeListeners() {
	g.listening.Lock()
	defer g.listening.Unlock()
	g.shut = true
	for _, ln := range g.listeners {
		_ = ln.Close() // most are closed already
	}
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
	for waiting := true; waiting && g.server.GetOpenConnectionsCount() > 0; {
		select {
		case <-tick.C:
		case <-until.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	err := g.server.ShutdownWithContext(ctx)
	g.closeListeners()
	g.health.stop()
	g.upstream.Close()
	g.rules.Load().directory.Close()
	if err != nil {
		return fmt.Errorf("cannot finish what is in flight: %w", err)
	}
	return nil
}

// handleUnread answers what fasthttp could not read as a request, in the same
// shape and through the same door as every other error.
func (g *Gateway) handleUnread(ctx *fasthttp.RequestCtx, err error) {
	x := g.begin(ctx)
	defer g.observe(x)
	ctx.Response.Reset()
	ctx.Response.Header.DisableNormalizing()
	x.hangUp = true
	x.id = g.ids.append(x.ids[:0])
	x.routed = routed{route: routeUnread}
	x.method = methodOf(ctx.Request.Header.Method())
	x.meetPeer()
	x.refuseWith(apierror.Error{Code: unreadCode(err)})
	x.normalise()
}

func unreadCode(err error) apierror.Code {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		return apierror.HeadersTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return apierror.PayloadTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return apierror.RequestTimeout
	case strings.Contains(err.Error(), "unsupported http version"):
		return apierror.HTTPVersionNotSupported
	default:
		return apierror.InvalidRequest
	}
}
