package proxy

import (
	"bytes"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/downstream"
	"github.com/chatshipper/gateway/limiter"
)

// understand reads the request's head strictly: whatever two parsers could read
// differently is refused, and the connection closed, before anything is counted
// or sent upstream.
func (x *exchange) understand() bool {
	x.method = methodOf(x.conn.Method)
	x.meetPeer()
	p := x.fields.parse(x.conn.Block, x.conn.LineEnds, x.rules.credential)
	x.meetCaller()
	x.nameRequest()
	x.joinTrace()
	switch version := x.conn.Version; {
	case string(version) != "HTTP/1.1" && string(version) != "HTTP/1.0":
		x.hangUp = true
		return x.refuse(apierror.HTTPVersionNotSupported)
	case p != "":
		return x.misunderstood(p)
	case version[7] == '0' && x.fields.count[fieldTransferEncoding] > 0:
		return x.misunderstood(badFraming) // HTTP/1.0 knows no chunks
	case version[7] == '1' && x.fields.count[fieldHost] == 0:
		return x.misunderstood(badHost)
	case !x.readTarget():
		return false
	}
	expect := x.fields.get(fieldExpect)
	if expect != nil && !equalFold(expect, []byte("100-continue")) {
		x.hangUp = true
		return x.refuse(apierror.ExpectationFailed)
	}
	x.readConnection()
	return x.expectBody(expect != nil)
}

// expectBody tells the connection how the body is framed. One that is declared
// too large is refused before a byte of it was read.
func (x *exchange) expectBody(continues bool) bool {
	switch {
	case x.fields.count[fieldTransferEncoding] > 0:
		x.conn.Expect(downstream.Chunked, continues)
	case x.fields.count[fieldContentLength] > 0:
		n := parseLength(x.fields.get(fieldContentLength))
		x.conn.Expect(n, continues && n > 0)
		if n > int64(x.g.listen.MaxBodyBytes) {
			x.hangUp = true
			return x.refuse(apierror.PayloadTooLarge)
		}
	}
	return true
}

// parseLength reads a Content-Length that isDigits has nothing against; -1
// stands for none.
func parseLength(b []byte) int64 {
	if len(b) == 0 {
		return -1
	}
	n := int64(0)
	for _, d := range b {
		n = n*10 + int64(d-'0')
	}
	return n
}

// readConnection obeys the Connection field: it drops what that names, and finds
// out whether the client wants to use the connection again, or as a WebSocket.
func (x *exchange) readConnection() {
	old := string(x.conn.Version) == "HTTP/1.0"
	keep, upgrade := !old, false
	for i := range x.fields.n {
		if f := &x.fields.list[i]; f.kind == fieldConnection {
			upgrade = upgrade || hasWord(f.value, "upgrade")
			if hasWord(f.value, "close") {
				keep, x.hangUp = false, true
			} else if old && hasWord(f.value, "keep-alive") {
				keep = true
			}
		}
	}
	x.reply.close, x.reply.old = !keep, old
	x.upgrade = upgrade && !old && x.method == methodGet && x.fields.isWebSocket()
	x.fields.dropNominated()
}

func (x *exchange) meetPeer() {
	x.peer = x.conn.Peer
	x.fromProxy = x.rules.trusted.contains(x.peer)
	x.client = x.peer
}

// meetCaller finds the API key, and asks for what will be looked at of it: until it is
// identified there is enough to do.
func (x *exchange) meetCaller() {
	x.caller = x.rules.directory.Meet(x.fields.get(fieldCredential))
	if own := x.g.stores.OwnRequests; x.g.stores.Shared == nil && !x.caller.Key.IsZero() {
		own.Ahead(limiter.PerKey, x.caller.Key)
	}
}

// readTarget finds the path and what it stands for.
func (x *exchange) readTarget() bool {
	host := x.fields.get(fieldHost)
	if host != nil && !isHost(host) {
		return x.misunderstood(badHost)
	}
	raw := x.conn.Target
	if x.method == methodOther && string(x.conn.Method) == "CONNECT" {
		raw = []byte("/") // its target is an authority; the method is refused later
	}
	target, p := originForm(raw, host)
	if p == "" && target[0] == '*' && x.method != methodOptions {
		p = badTarget // RFC 9112, section 3.2.4
	}
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
