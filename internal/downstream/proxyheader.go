package downstream

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
)

// signature begins a version 2 header of the PROXY protocol
// (haproxy.org/download/1.8/doc/proxy-protocol.txt).
var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

const (
	maxText   = 107     // bytes of a version 1 header, its end included
	maxBinary = 4 << 10 // bytes of a version 2 header's addresses and extensions
)

// readProxyHeader takes the client's address from a proxy of our own. It reads
// exactly the header: what follows may be TLS. It reports false for anything
// else, and for a client whose address has no place left.
func (c *Conn) readProxyHeader() bool {
	var head [maxText]byte
	if _, err := io.ReadFull(c.nc, head[:len(signature)]); err != nil {
		return false
	}
	var client netip.Addr
	var ok bool
	if bytes.Equal(head[:len(signature)], signature) {
		client, ok = c.readBinary()
	} else {
		client, ok = c.readText(head[:])
	}
	if !ok {
		return false
	}
	if client.IsValid() {
		return c.meet(client)
	}
	return true // the proxy speaks for itself: a health check
}

// meet makes client the peer. Whether that one is a proxy too is asked anew: its
// forwarded headers are believed only then.
func (c *Conn) meet(client netip.Addr) bool {
	c.Peer = client
	if c.server.cfg.Proxy(client) {
		return true
	}
	if !c.server.enter(client) {
		c.server.refusals[TooManyOfAddress].Add(1)
		_ = c.Write(c.server.handler.Refusal(TooManyOfAddress), nil)
		c.ragged = true
		return false
	}
	c.counted = true
	return true
}

// readText reads version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", of
// which head holds the beginning. Byte by byte, once for each connection.
func (c *Conn) readText(head []byte) (client netip.Addr, ok bool) {
	n := len(signature)
	for !bytes.HasSuffix(head[:n], blankLine) {
		if n == len(head) {
			return client, false
		}
		if _, err := io.ReadFull(c.nc, head[n:n+1]); err != nil {
			return client, false
		}
		n++
	}
	return parseText(string(head[:n-len(blankLine)]))
}

// parseText reads a version 1 header without its end. A proxy that does not know
// its client (UNKNOWN) gives none.
func parseText(line string) (client netip.Addr, ok bool) {
	words := bytes.Split([]byte(line), []byte{' '})
	if string(words[0]) != "PROXY" || len(words) < 2 {
		return client, false
	}
	family := string(words[1])
	if family == "UNKNOWN" {
		return client, true
	}
	if len(words) != 6 || !isPort(words[4]) || !isPort(words[5]) {
		return client, false
	}
	source, err := netip.ParseAddr(string(words[2]))
	if err != nil || source.Zone() != "" {
		return client, false
	}
	destination, err := netip.ParseAddr(string(words[3]))
	if err != nil || source.Is4() != destination.Is4() {
		return client, false
	}
	if family != "TCP4" && source.Is4() || family != "TCP6" && source.Is6() {
		return client, false
	}
	return source.Unmap(), true
}

// isPort reports whether b is a number from 0 to 65535 without leading zeros.
func isPort(b []byte) bool {
	n := 0
	for _, d := range b {
		if !isDigit(d) {
			return false
		}
		n = n*10 + int(d-'0')
		if n > 65535 {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 5 && (b[0] != '0' || len(b) == 1)
}

// readBinary reads version 2, behind the signature.
func (c *Conn) readBinary() (client netip.Addr, ok bool) {
	var fixed [4]byte
	if _, err := io.ReadFull(c.nc, fixed[:]); err != nil {
		return client, false
	}
	size := int(binary.BigEndian.Uint16(fixed[2:]))
	if size > maxBinary {
		return client, false
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(c.nc, rest); err != nil {
		return client, false
	}
	return parseBinary(fixed[0], fixed[1], rest)
}

// parseBinary reads the version and command, the family and transport, and the
// addresses. Extensions behind the addresses are left alone.
func parseBinary(command, family byte, rest []byte) (client netip.Addr, ok bool) {
	switch {
	case command == 0x20: // LOCAL
		return client, true
	case command != 0x21: // version 2, PROXY
		return client, false
	case family == 0x11 && len(rest) >= 12: // TCP over IPv4
		return netip.AddrFrom4([4]byte(rest)), true
	case family == 0x21 && len(rest) >= 36: // TCP over IPv6
		return netip.AddrFrom16([16]byte(rest)).Unmap(), true
	case family == 0x00: // unspecified
		return client, true
	}
	return client, false
}
