package downstream

import (
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	// maxLingering bounds the refused connections that are kept until their
	// client has read the refusal: beyond it they are closed at once.
	maxLingering = 256
	// lingerTime and lingerBytes bound what a client may still send while it
	// reads the last answer. Closing at once would destroy that answer.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// enter gives an address one more connection, if it may have it.
func (s *Server) enter(a netip.Addr) bool {
	if s.cfg.MaxPerAddress == 0 {
		return true
	}
	a = s.network(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[a] >= s.cfg.MaxPerAddress {
		return false
	}
	s.addresses[a]++
	return true
}

func (s *Server) leave(a netip.Addr) {
	if s.cfg.MaxPerAddress == 0 {
		return
	}
	a = s.network(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[a]--; s.addresses[a] <= 0 {
		delete(s.addresses, a)
	}
}

// network is what shares a limit: an IPv4 address, or an IPv6 network, because
// one customer has a whole one.
func (s *Server) network(a netip.Addr) netip.Addr {
	if !a.Is6() || s.cfg.IPv6Prefix == 0 {
		return a
	}
	p, err := a.Prefix(s.cfg.IPv6Prefix)
	if err != nil {
		return a
	}
	return p.Addr()
}

// refuse answers a connection that gets no place, in the shape of every other
// error. The answer fits any fresh socket's buffer, so writing it does not wait.
// Under TLS there is nobody yet to say it to.
func (s *Server) refuse(nc net.Conn, why Fault) {
	s.refusals[why].Add(1)
	if s.cfg.TLS != nil || s.lingering.Add(1) > maxLingering {
		if s.cfg.TLS == nil {
			s.lingering.Add(-1)
		}
		_ = nc.Close()
		return
	}
	go func() {
		defer s.lingering.Add(-1)
		_ = nc.SetDeadline(time.Now().Add(lingerTime))
		if _, err := nc.Write(s.handler.Refusal(why)); err == nil {
			linger(nc)
		}
		_ = nc.Close()
	}()
}

// linger says that nothing more will come, and takes in what the client still
// sends until it has seen that. Its deadline is the caller's.
func linger(nc net.Conn) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(nc, lingerBytes)) // how it ends does not matter
}
