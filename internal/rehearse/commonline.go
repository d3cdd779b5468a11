package rehearse

import (
	"bytes"
	"net/netip"
	"time"
)

// commonTime is the time of the common and the combined log format.
const commonTime = "02/Jan/2006:15:04:05 -0700"

// common reads a line of the common or the combined log format:
//
//	192.0.2.1 - user [10/Oct/2000:13:55:36 -0700] "GET /v2/ping HTTP/1.1" 200 2326 "referer" "agent"
//
// The user stands for the API key: it is the only name of a caller there is. The
// log knows nothing of a request's body, so its messages are not judged.
func (p *parser) common(b []byte, l *Line) kind {
	host, rest, ok := bytes.Cut(b, []byte{' '})
	if !ok {
		return malformed
	}
	addr, err := netip.ParseAddr(string(host))
	if err != nil {
		return malformed
	}
	who, rest, ok := bytes.Cut(rest, []byte(" ["))
	if !ok || len(rest) < len(commonTime)+1 || rest[len(commonTime)] != ']' {
		return malformed
	}
	if !p.remembers(rest[:len(commonTime)]) {
		t, err := time.Parse(commonTime, string(rest[:len(commonTime)]))
		if err != nil || t.Year() < 1970 {
			return malformed
		}
		p.remember(rest[:len(commonTime)], t)
	}
	path, what := pathOf(rest[len(commonTime)+1:])
	if what != readable {
		return what
	}
	p.rough, p.paths = true, true
	l.Addr, l.Time, l.key, l.exempt = addr.Unmap(), p.second, callerOf(who), p.exempt(path)
	return readable
}

// pathOf finds the path of the quoted request line. A request that could not be
// read was logged as "-" or as what came; it was no request to any rule.
func pathOf(b []byte) (path []byte, what kind) {
	b = bytes.TrimPrefix(b, []byte{' '})
	if len(b) == 0 || b[0] != '"' {
		return nil, malformed
	}
	request, end := quoted(b, 0)
	if end < 0 {
		return nil, malformed
	}
	_, rest, ok := bytes.Cut(request, []byte{' '})
	if !ok {
		return nil, foreign
	}
	path, _, _ = bytes.Cut(rest, []byte{' '})
	path, _, _ = bytes.Cut(path, []byte{'?'})
	return path, readable
}

// callerOf turns the identity and user of a line, such as "- alice", into a
// mark (FNV-1a); nobody for "-".
func callerOf(who []byte) mark {
	_, user, ok := bytes.Cut(who, []byte{' '})
	if !ok || string(user) == "-" || len(user) == 0 {
		return 0
	}
	m := uint64(14695981039346656037)
	for _, c := range user {
		m = (m ^ uint64(c)) * 1099511628211
	}
	return mark(m>>16 | 1)
}
