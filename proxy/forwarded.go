package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/chatshipper/gateway/internal/http1"
)

// trusted is the set of networks whose forwarded headers are believed.
type trusted []netip.Prefix

// parseTrusted reads networks (10.0.0.0/8) and single addresses.
func parseTrusted(list []string) (trusted, error) {
	var t trusted
	for _, s := range list {
		if !strings.Contains(s, "/") {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("cannot read trusted proxy %q: %w", s, err)
			}
			addr = addr.Unmap().WithZone("")
			t = append(t, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("cannot read trusted proxies %q: %w", s, err)
		}
		t = append(t, p.Masked())
	}
	return t, nil
}

func (t trusted) contains(addr netip.Addr) bool {
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// client finds whose request it is: the peer itself, or, when the peer is a
// trusted proxy, the right-most address of X-Forwarded-For (else of Forwarded)
// that is no trusted proxy. A hop that can't be read ends the walk at the last
// hop that was trusted, so that nobody gains an address by sending nonsense.
func (t trusted) client(peer netip.Addr, f *fields) netip.Addr {
	if len(t) == 0 || !t.contains(peer) {
		return peer
	}
	kind, read := fieldForwardedFor, parseHop
	if f.count[kind] == 0 {
		kind, read = fieldForwarded, parseForwarded
	}
	client := peer
	for i := f.n - 1; i >= 0; i-- {
		if f.list[i].kind != kind {
			continue
		}
		rest := f.list[i].value
		for len(rest) > 0 {
			var hop []byte
			rest, hop = cutLast(rest)
			addr, ok := read(hop)
			if !ok {
				return client
			}
			client = addr
			if !t.contains(addr) {
				return client
			}
		}
	}
	return client
}

// cutLast cuts the last element off a comma-separated list.
func cutLast(list []byte) (rest, last []byte) {
	if i := bytes.LastIndexByte(list, ','); i >= 0 {
		return list[:i], http1.Trim(list[i+1:])
	}
	return nil, http1.Trim(list)
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80".
func parseHop(b []byte) (netip.Addr, bool) {
	b = bytes.Trim(b, `"`)
	if len(b) == 0 || len(b) > 64 {
		return netip.Addr{}, false
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || (end+1 < len(b) && b[end+1] != ':') {
			return netip.Addr{}, false
		}
		b = b[1:end]
	} else if i := bytes.IndexByte(b, ':'); i >= 0 && bytes.IndexByte(b[i+1:], ':') < 0 {
		b = b[:i]
	}
	addr, err := netip.ParseAddr(string(b))
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

// parseForwarded reads the for= parameter of one element of a Forwarded field
// (RFC 7239).
func parseForwarded(element []byte) (netip.Addr, bool) {
	for len(element) > 0 {
		var pair []byte
		pair, element, _ = bytes.Cut(element, []byte{';'})
		name, value, _ := bytes.Cut(http1.Trim(pair), []byte{'='})
		if equalFold(name, []byte("for")) {
			return parseHop(http1.Trim(value))
		}
	}
	return netip.Addr{}, false
}
