package downstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/chatshipper/gateway/internal/deadline"
	"github.com/chatshipper/gateway/internal/loop"
)

// Server serves the connections of its listeners.
type Server struct {
	cfg     Config
	handler Handler
	sweeper *deadline.Sweeper

	loops []*loop.Loop  // where connections are served; none under TLS
	turn  atomic.Uint64 // the loop of the next connection

	open      atomic.Int64
	lingering atomic.Int64 // refused connections that wait for their client to read
	refusals  [TooManyOfAddress + 1]atomic.Uint64

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*Conn]bool
	addresses map[netip.Addr]int // open connections, where they are limited
	stopping  atomic.Bool        // written with mu held
	emptied   chan struct{}      // closed when the last connection ends while stopping
}

// New makes a server. It listens to nothing yet.
func New(cfg Config, h Handler) *Server {
	shortest := min(cfg.HeaderTimeout, cfg.ReadTimeout, cfg.IdleTimeout, cfg.WriteTimeout)
	return &Server{
		cfg: cfg, handler: h, sweeper: deadline.New(shortest),
		listeners: make(map[net.Listener]bool), conns: make(map[*Conn]bool),
		addresses: make(map[netip.Addr]int), emptied: make(chan struct{}),
	}
}

// Open is how many connections are open.
func (s *Server) Open() int { return int(s.open.Load()) }

// Refused is how many connections got no place: for TooManyConnections or
// TooManyOfAddress.
func (s *Server) Refused(why Fault) uint64 { return s.refusals[why].Load() }

// Serve accepts connections until Shutdown, which makes it return nil. An error
// means that the listener is of no more use.
func (s *Server) Serve(ln net.Listener) error {
	if !s.adopt(ln) {
		return nil
	}
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			if c := s.admit(nc); c != nil {
				s.start(c)
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case !isTemporary(err):
			return fmt.Errorf("cannot accept connections: %w", err)
		default: // out of descriptors or memory: closing connections will help
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		}
	}
}

// start serves a connection: on the next loop, or on a goroutine of its own where
// there are none.
func (s *Server) start(c *Conn) {
	if len(s.loops) == 0 { // written before the first connection
		go c.run(nil)
		return
	}
	s.loops[s.turn.Add(1)%uint64(len(s.loops))].Start(c.run)
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// adopt takes a listener into care; a server that was shut down closes it.
func (s *Server) adopt(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		_ = ln.Close()
		return false
	}
	s.listeners[ln] = true
	s.openLoops()
	if socket, ok := ln.(syscall.Conn); ok {
		for _, l := range s.loops {
			_ = l.Attend(socket) // else connections wait a little longer to be accepted
		}
	}
	return true
}

// openLoops makes a loop for each processor. Where there can be none, connections
// have goroutines of their own, as under TLS. The mutex is held.
func (s *Server) openLoops() {
	if s.cfg.TLS != nil || len(s.loops) > 0 {
		return
	}
	for range runtime.GOMAXPROCS(0) {
		if l, err := loop.New(); err == nil {
			s.loops = append(s.loops, l)
		}
	}
}

// ServeConn serves one connection until it ends, on the caller's goroutine.
func (s *Server) ServeConn(nc net.Conn) {
	if c := s.admit(nc); c != nil {
		c.run(nil)
	}
}

// admit gives a connection a place, or refuses it and returns nil.
func (s *Server) admit(nc net.Conn) *Conn {
	if limit := int64(s.cfg.MaxConnections); s.open.Add(1) > limit && limit > 0 {
		s.open.Add(-1)
		s.refuse(nc, TooManyConnections)
		return nil
	}
	c := &Conn{server: s, nc: nc, socket: nc, Peer: peerOf(nc)}
	c.proxied = s.cfg.Proxy != nil && s.cfg.Proxy(c.Peer)
	if c.counted = !c.proxied; c.counted && !s.enter(c.Peer) {
		s.open.Add(-1)
		s.refuse(nc, TooManyOfAddress)
		return nil
	}
	c.state.Store(fresh)
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	return c
}

// left forgets a connection that was closed.
func (s *Server) left(c *Conn) {
	s.open.Add(-1)
	if c.counted {
		s.leave(c.Peer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.stopping.Load() && len(s.conns) == 0 {
		s.announce()
	}
}

// announce says that no connection is open any more. The mutex is held.
func (s *Server) announce() {
	select {
	case <-s.emptied:
	default:
		close(s.emptied)
		for _, l := range s.loops {
			l.Close()
		}
	}
}

func peerOf(nc net.Conn) netip.Addr {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// grace is how long a connection that has just been accepted may take to send its
// first request while the server is shut down: the request is on its way.
const grace = 500 * time.Millisecond

// Shutdown closes the listeners and the idle connections, and waits until the
// others have answered. When ctx ends first, it cuts them and says so.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping.Store(true)
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for c := range s.conns {
		c.closeIdle(false)
	}
	if len(s.conns) == 0 {
		s.announce()
	}
	s.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case <-s.emptied:
			return nil
		case <-timer.C:
			s.closeFresh()
		case <-ctx.Done():
			return s.cut(ctx)
		}
	}
}

// closeFresh closes the connections that never had a request.
func (s *Server) closeFresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.closeIdle(true)
	}
}

func (s *Server) cut(ctx context.Context) error {
	s.mu.Lock()
	left := 0
	for c := range s.conns {
		if !c.tunnelling.Load() { // a tunnel ends when it is ended
			left++
		}
		c.cut()
	}
	s.mu.Unlock()
	if left == 0 {
		return nil
	}
	return fmt.Errorf("cannot finish %d connections: %w", left, ctx.Err())
}

// secure begins TLS, where it is configured.
func (s *Server) secure(nc net.Conn) (net.Conn, error) {
	if s.cfg.TLS == nil {
		return nc, nil
	}
	t := tls.Server(nc, s.cfg.TLS)
	return t, t.Handshake()
}

// correct tells a client that speaks plain HTTP to a TLS listener so: to be hung up
// on explains nothing.
func (c *Conn) correct(err error) {
	var e tls.RecordHeaderError
	if !errors.As(err, &e) || e.Conn == nil || !isMethodBegun(e.RecordHeader[:]) {
		return
	}
	_ = c.nc.SetDeadline(time.Now().Add(lingerTime))
	if _, err := c.nc.Write(c.server.handler.Refusal(NotSecure)); err == nil {
		linger(c.nc)
	}
}

// isMethodBegun reports whether what a client began with is a method of HTTP's, as
// far as one can see.
func isMethodBegun(b []byte) bool {
	for i, c := range b {
		if c == ' ' {
			return i >= 3
		}
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
