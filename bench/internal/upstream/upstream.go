// Package upstream is what stands behind the gateways that are measured: an
// HTTP/1.1 server that costs as little as a server can, so that the core it
// shares with the load generator is not what is measured, and that counts the
// requests it saw, so that a gateway can't win by losing some. It knows nothing
// of gateways. Linux only, one thread, level-triggered epoll.
//
// It understands what the load sends: heads below 64 KiB and bodies with a
// Content-Length. Anything else is answered 501 and the connection closed, which
// the load generator reports as an unexpected status.
package upstream

import (
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
)

// CountPath answers with the number of requests seen so far, itself not counted.
const CountPath = "/count"

// LargePath is answered with LargeSize bytes.
const (
	LargePath = "/v2/large"
	LargeSize = 100_000
)

const readSize = 256 << 10 // bytes taken from a socket at once

// Server is an upstream that listens.
type Server struct {
	listener int
	epoll    int
	port     int
	seen     atomic.Uint64
	conns    map[int]*conn
	buf      []byte // shared: one thread
}

// Listen opens the server on a port of loopback; 0 takes a free one.
func Listen(port int) (*Server, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket: %w", err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, fmt.Errorf("cannot set a socket option: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, fmt.Errorf("cannot bind to loopback: %w", err)
	}
	if err := syscall.Listen(fd, 4096); err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return newServer(fd)
}

func newServer(fd int) (*Server, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	s := &Server{listener: fd, epoll: epoll, conns: map[int]*conn{}, buf: make([]byte, readSize)}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot tell the port: %w", err)
	}
	address, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return nil, fmt.Errorf("cannot tell the port from %T", name)
	}
	s.port = address.Port
	return s, s.watch(fd, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN)
}

// Addr is where the server listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(s.port)) }

// Seen is the number of requests seen, those for CountPath not counted.
func (s *Server) Seen() uint64 { return s.seen.Load() }

func (s *Server) watch(fd, op int, events uint32) error {
	if err := syscall.EpollCtl(s.epoll, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("cannot watch a socket: %w", err)
	}
	return nil
}

// Serve serves until the process ends or epoll fails.
func (s *Server) Serve() error {
	events := make([]syscall.EpollEvent, 1024)
	for {
		n, err := syscall.EpollWait(s.epoll, events, -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot wait for events: %w", err)
		}
		for i := range events[:n] {
			if fd := int(events[i].Fd); fd == s.listener {
				s.accept()
			} else if c := s.conns[fd]; c != nil {
				s.step(c, events[i].Events)
			}
		}
	}
}

func (s *Server) accept() {
	for {
		fd, _, err := syscall.Accept4(s.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return // EAGAIN, or out of files: the client's connect tells
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		if s.watch(fd, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN) != nil {
			_ = syscall.Close(fd)
			continue
		}
		s.conns[fd] = &conn{fd: fd}
	}
}

func (s *Server) step(c *conn, events uint32) {
	alive := true
	if events&syscall.EPOLLOUT != 0 {
		alive = s.flush(c)
	}
	if alive && events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		alive = s.read(c)
	}
	if !alive {
		delete(s.conns, c.fd)
		_ = syscall.Close(c.fd) // leaves the epoll set with it
	}
}

// read takes what has come and answers the requests in it; false ends the connection.
func (s *Server) read(c *conn) bool {
	n, err := syscall.Read(c.fd, s.buf)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	return s.take(c, s.buf[:n]) && s.flush(c)
}

// flush writes what waits, and asks to be told when the socket takes more.
func (s *Server) flush(c *conn) bool {
	for len(c.out) > 0 {
		n, err := syscall.Write(c.fd, c.out)
		if err == syscall.EAGAIN {
			if c.blocked {
				return true
			}
			c.blocked = true
			return s.watch(c.fd, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT) == nil
		}
		if err != nil {
			return err == syscall.EINTR
		}
		c.out = c.out[n:]
	}
	c.out = nil
	if c.blocked {
		c.blocked = false
		return s.watch(c.fd, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN) == nil
	}
	return !c.last
}
