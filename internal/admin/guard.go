package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// guard decides who may see what is not public.
type guard struct {
	token     [sha256.Size]byte // of the bearer token
	needToken bool
	localOnly bool // bound to loopback: no name but localhost may lead here
}

// CheckToken tells what is wrong with a file that Config.TokenFile may name.
func CheckToken(file string) error {
	_, err := newGuard(Config{TokenFile: file})
	return err
}

func newGuard(cfg Config) (guard, error) {
	g := guard{localOnly: isLoopback(hostOf(cfg.Address))}
	if cfg.TokenFile == "" {
		return g, nil
	}
	content, err := os.ReadFile(cfg.TokenFile)
	if err != nil {
		return guard{}, fmt.Errorf("cannot read the admin token: %w", err)
	}
	token := bytes.TrimSpace(content)
	if len(token) == 0 {
		return guard{}, fmt.Errorf("cannot read the admin token: %q is empty", cfg.TokenFile)
	}
	g.token, g.needToken = sha256.Sum256(token), true
	return g, nil
}

// authorised compares digests in constant time, so that neither the token nor
// its length shows in how long an answer takes.
func (g *guard) authorised(r *http.Request) bool {
	if !g.needToken {
		return true
	}
	credentials := r.Header.Values("Authorization")
	if len(credentials) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(credentials[0], " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// hostAllowed refuses DNS rebinding: a page of a stranger, whose name was made
// to resolve to loopback, must not read this listener through a browser here.
// Such a page can choose any name for itself, but no address.
func (g *guard) hostAllowed(host string) bool {
	return !g.localOnly || isLoopback(hostOf(host))
}

// isForeign reports whether a browser says that a page of another site asks. Such a
// page could not read the answer, but keep a stream open.
func isForeign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" // a link that somebody follows
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// hostOf is the host of an address, in lower case, without the port and the
// brackets of an IPv6 address.
func hostOf(address string) string {
	address = strings.ToLower(address)
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
}
