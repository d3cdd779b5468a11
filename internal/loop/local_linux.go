package loop

import (
	"net/netip"
	"syscall"
)

// Local is a Control for a net.Dialer or net.ListenConfig. It sees to it that what
// connections of this machine to itself carry leaves at once. Where the congestion
// control of the machine is BBR, the kernel paces what is sent: it sets a timer for
// each piece, which on the loopback interface, where nothing is ever congested, costs
// more than the piece. Should that not be allowed, it is only slower.
func Local(_, address string, socket syscall.RawConn) error {
	if a, _ := netip.ParseAddrPort(address); !a.Addr().Unmap().IsLoopback() {
		return nil
	}
	return socket.Control(func(fd uintptr) { //nolint:wrapcheck // a dialer's own error
		_ = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
}
