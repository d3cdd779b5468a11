package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// The smallest sizes that leave the API usable.
const (
	minBodyBytes   = 1 << 10
	minHeaderBytes = 1 << 10 // a bearer token alone takes several hundred bytes
	maxHeaderBytes = 1 << 20 // every open connection holds a buffer of this size
)

// Validate reports every mistake in the block, with its path inside the block.
func (l *Listen) Validate(report func(path, problem string)) {
	if problem := addressProblem(l.Address); problem != "" {
		report("address", problem)
	}
	for i, s := range l.TrustedProxies {
		if problem := networkProblem(s); problem != "" {
			report(fmt.Sprintf("trusted_proxies[%d]", i), problem)
		}
	}
	atLeast(report, "max_body_bytes", l.MaxBodyBytes, minBodyBytes)
	atLeast(report, "max_header_bytes", l.MaxHeaderBytes, minHeaderBytes)
	if l.MaxHeaderBytes > maxHeaderBytes {
		report("max_header_bytes", fmt.Sprintf("must be at most 1MiB, because every connection holds a buffer of this size, got %s", l.MaxHeaderBytes))
	}
	if l.MaxConnections < 0 {
		report("max_connections", fmt.Sprintf("must be at least 0 (0 means no limit), got %d", l.MaxConnections))
	}
	if l.MaxConnectionsPerIP < 0 {
		report("max_connections_per_ip", fmt.Sprintf("must be at least 0 (0 means no limit), got %d", l.MaxConnectionsPerIP))
	}
	if l.MaxRequestsInFlight < 0 {
		report("max_requests_in_flight", fmt.Sprintf("must be at least 0 (0 means no limit), got %d", l.MaxRequestsInFlight))
	}
	if l.ProxyProtocol && len(l.TrustedProxies) == 0 {
		report("proxy_protocol", "needs listen.trusted_proxies: only their connections begin with it")
	}
	l.validateTimes(report)
	l.TLS.validate(report)
}

func (l *Listen) validateTimes(report func(path, problem string)) {
	positive(report, "read_header_timeout", l.ReadHeaderTimeout)
	positive(report, "read_timeout", l.ReadTimeout)
	positive(report, "idle_timeout", l.IdleTimeout)
	if l.ReadTimeout > 0 && l.ReadTimeout < l.ReadHeaderTimeout {
		report("read_timeout", fmt.Sprintf("must be at least listen.read_header_timeout (%s), because it covers header and body together, got %s", l.ReadHeaderTimeout, l.ReadTimeout))
	}
	notNegative(report, "shutdown_delay", l.ShutdownDelay)
	notNegative(report, "drain_timeout", l.DrainTimeout)
}

func (t *ListenTLS) validate(report func(path, problem string)) {
	if t.CertFile != "" && t.KeyFile == "" {
		report("tls.key_file", "must be set too when listen.tls.cert_file is")
	}
	if t.KeyFile != "" && t.CertFile == "" {
		report("tls.cert_file", "must be set too when listen.tls.key_file is")
	}
}

// Validate reports every mistake in the block, with its path inside the block.
func (m *Methods) Validate(report func(path, problem string)) {
	if len(m.Allow) == 0 {
		report("allow", "must name at least one method")
	}
	for i, name := range m.Allow {
		path := fmt.Sprintf("allow[%d]", i)
		if problem := methodProblem(name); problem != "" {
			report(path, problem)
		} else if slices.Contains(m.Allow[:i], name) {
			report(path, fmt.Sprintf("%s is listed twice", name))
		}
	}
	for i, e := range m.Exceptions {
		if problem := methodProblem(e.Method); problem != "" {
			report(fmt.Sprintf("exceptions[%d].method", i), problem)
		}
		if problem := patternProblem(e.Path); problem != "" {
			report(fmt.Sprintf("exceptions[%d].path", i), problem)
		}
	}
}

// Validate reports every mistake in the block, with its path inside the block.
func (w *Webhook) Validate(report func(path, problem string)) {
	switch {
	case !strings.HasPrefix(w.Path, "/"):
		report("path", fmt.Sprintf("must start with /, got %q", w.Path))
	case w.Path == "/":
		report("path", "must be more than /, which belongs to the API")
	case strings.ContainsFunc(w.Path, notInPath):
		report("path", fmt.Sprintf("must be a plain path without query, fragment, braces or spaces, got %q", w.Path))
	}
}

// Validate reports every mistake in the block, with its path inside the block.
func (e *Errors) Validate(report func(path, problem string)) {
	atLeast(report, "max_body_bytes", e.MaxBodyBytes, minBodyBytes)
	if e.TimeoutStatus != 503 && e.TimeoutStatus != 504 {
		report("timeout_status", fmt.Sprintf("must be 503 or 504, got %d", e.TimeoutStatus))
	}
}

// addressProblem says what is wrong with an address to listen on, or nothing.
func addressProblem(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Sprintf(`expected an address such as ":8080" or "127.0.0.1:8080", got %q`, address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Sprintf("expected a port from 0 to 65535, got %q", port)
	}
	if strings.ContainsFunc(host, notInPath) || strings.Contains(host, "/") {
		return fmt.Sprintf("expected a host name or an IP address before the port, got %q", host)
	}
	return ""
}

// networkProblem says what is wrong with a network or a single address.
func networkProblem(s string) string {
	const expected = "expected a network such as 10.0.0.0/8, or an address"
	if !strings.Contains(s, "/") {
		if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Sprintf("%s, got %q", expected, s)
		}
		return ""
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return fmt.Sprintf("%s, got %q", expected, s)
	case p.Addr().Is4In6():
		return fmt.Sprintf("%s in its IPv4 form, got %q", expected, s)
	case p != p.Masked():
		return fmt.Sprintf("%q has bits set after the prefix; did you mean %q?", s, p.Masked())
	}
	return ""
}

// methodProblem says what is wrong with the name of a method.
func methodProblem(name string) string {
	switch {
	case name == "":
		return "must name a method such as PUT"
	case strings.ContainsFunc(name, notInToken):
		return fmt.Sprintf("expected the name of a method, got %q", name)
	case name != strings.ToUpper(name):
		return fmt.Sprintf("methods are written in upper case, got %q; did you mean %q?", name, strings.ToUpper(name))
	case name == "CONNECT":
		return "CONNECT can't be allowed: the gateway builds no tunnels"
	}
	return ""
}

// patternProblem says what is wrong with a path in which {name} stands for one
// segment.
func patternProblem(pattern string) string {
	if !strings.HasPrefix(pattern, "/") {
		return fmt.Sprintf("must start with /, got %q", pattern)
	}
	for segment := range strings.SplitSeq(pattern[1:], "/") {
		if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
			segment = segment[1 : len(segment)-1]
		}
		if strings.ContainsFunc(segment, notInPath) {
			return fmt.Sprintf("expected a path such as /v2/messages/{id}, in which {id} stands for one whole segment, got %q", pattern)
		}
	}
	return ""
}

func notInPath(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`?#\{}"<>^|`+"`", r)
}

// notInToken reports whether RFC 9110 forbids r in a token.
func notInToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func atLeast(report func(path, problem string), path string, got, least unit.Bytes) {
	if got < least {
		report(path, fmt.Sprintf("must be at least %s, got %s", least, got))
	}
}

func positive(report func(path, problem string), path string, got time.Duration) {
	if got <= 0 {
		report(path, fmt.Sprintf("must be greater than 0, got %s", got))
	}
}

func notNegative(report func(path, problem string), path string, got time.Duration) {
	if got < 0 {
		report(path, fmt.Sprintf("must be at least 0s, got %s", got))
	}
}
