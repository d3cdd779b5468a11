package proxy

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/chatshipper/gateway/internal/apierror"
)

// understand reads the request's head strictly: whatever two parsers could read
// differently is refused, and the connection closed, before anything is counted
// or sent upstream.
func (x *exchange) understand() bool {
	h := &x.ctx.Request.Header
	x.method = methodOf(h.Method())
	x.meetPeer()
	p := x.fields.parse(h.RawHeaders(), x.rules.credential)
	x.nameRequest()
	switch version := h.Protocol(); {
	case string(version) != "HTTP/1.1" && string(version) != "HTTP/1.0":
		x.hangUp = true
		return x.refuse(apierror.HTTPVersionNotSupported)
	case p != "":
		return x.misunderstood(p)
	case !x.readTarget():
		return false
	}
	if expect := x.fields.get(fieldExpect); expect != nil && !equalFold(expect, []byte("100-continue")) {
		x.hangUp = true
		return x.refuse(apierror.ExpectationFailed)
	}
	x.fields.dropNominated()
	return true
}

func (x *exchange) meetPeer() {
	if addr, ok := x.ctx.RemoteAddr().(*net.TCPAddr); ok {
		peer, _ := netip.AddrFromSlice(addr.IP)
		x.peer = peer.Unmap()
	}
	x.fromProxy = x.rules.trusted.contains(x.peer)
	x.client = x.peer
}

// readTarget finds the path and what it stands for.
func (x *exchange) readTarget() bool {
	host := x.fields.get(fieldHost)
	if host != nil && !isHost(host) {
		return x.misunderstood(badHost)
	}
	raw := x.ctx.Request.Header.RequestURI()
	if x.method == methodOther && string(x.ctx.Request.Header.Method()) == "CONNECT" {
		raw = []byte("/") // its target is an authority; the method is refused later
	}
	target, p := originForm(raw, host)
	if p != "" {
		return x.misunderstood(p)
	}
	x.target = target
	x.path, _, _ = bytes.Cut(target, []byte{'?'})
	x.routed, x.paths, p = recognise(x.path, x.paths)
	if p != "" && x.method == methodPost {
		return x.misunderstood(p)
	}
	if string(x.path) == x.rules.webhookPath {
		x.routed = routed{route: routeWebhook}
	}
	return true
}

// nameRequest keeps the request id of a trusted proxy, or makes one.
func (x *exchange) nameRequest() {
	if id := x.fields.get(fieldRequestID); x.fromProxy && isRequestID(id) {
		x.id = id
		return
	}
	x.id = x.g.ids.append(x.ids[:0])
}

// isRequestID reports whether an id is well-formed: 1 to 128 letters, digits,
// dots, hyphens or underscores.
func isRequestID(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (lower(c) < 'a' || lower(c) > 'z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 128
}
