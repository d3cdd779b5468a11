package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/certs"
)

const (
	idleTime   = int64(4 * time.Second)  // Node.js closes after 5 s
	retireTime = int64(60 * time.Second) // so that a change in the DNS is followed
	jitter     = int64(10 * time.Second) // taken off retireTime at random: what was opened together is not closed together
)

// origin is where the upstream is.
type origin struct {
	scheme    string
	authority string // for the Host header: no port when it is the scheme's own
	address   string // host and port to connect to
	name      string // host, for TLS
}

// parseOrigin splits a URL that Validate has nothing against.
func parseOrigin(text string) (origin, error) {
	if problem := checkURL(text); problem != "" {
		return origin{}, errors.New(problem)
	}
	u, err := url.Parse(text)
	if err != nil {
		return origin{}, err
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	o := origin{scheme: u.Scheme, name: u.Hostname()}
	if strings.Contains(o.name, ":") {
		o.authority = "[" + o.name + "]"
	} else {
		o.authority = o.name
	}
	if p := u.Port(); p != "" && p != port {
		port = p
		o.authority += ":" + p
	}
	o.address = net.JoinHostPort(o.name, port)
	return o, nil
}

// newTLS returns how TLS connections are made and verified; nil for http.
func newTLS(cfg TLS, o origin) (*tls.Config, error) {
	if o.scheme != "https" {
		return nil, nil //nolint:nilnil // no TLS
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: o.name,
		NextProtos: []string{"http/1.1"},
		// a resumed handshake spares a round trip and the signature; the
		// certificate's name and dates are checked again
		ClientSessionCache: tls.NewLRUClientSessionCache(32),
	}
	if cfg.ServerName != "" {
		c.ServerName = cfg.ServerName
	}
	if cfg.CertFile != "" {
		own, err := certs.New(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot use upstream.tls.cert_file: %w", err)
		}
		c.GetClientCertificate = own.Client
		c.ClientSessionCache = nil // a resumed session would show a certificate that was renewed since
	}
	if cfg.CAFile == "" {
		return c, nil
	}
	var err error
	if c.RootCAs, err = certs.Authorities(cfg.CAFile); err != nil {
		return nil, fmt.Errorf("cannot read upstream.tls.ca_file: %w", err)
	}
	return c, nil
}

// dial opens a connection, by the given time at the latest (zero means no limit
// but Config.ConnectTimeout).
func (c *Client) dial(ctx context.Context, by time.Time) (*conn, *Error) {
	deadline := time.Now().Add(c.cfg.ConnectTimeout)
	if !by.IsZero() && by.Before(deadline) {
		deadline = by
	}
	nc, err := c.connect(ctx, deadline)
	if err != nil {
		return nil, &Error{Reason: dialReason(err), Again: true, Err: err}
	}
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	cn, err := c.secure(nc.(*net.TCPConn), deadline)
	if err != nil {
		_ = nc.Close()
		return nil, &Error{Reason: ReasonTLS, Again: true, Err: err}
	}
	c.sweeper.Add(&cn.watch, cn.expire)
	cn.retires = c.now() + retireTime - rand.Int64N(jitter)
	return cn, nil
}

func dialReason(err error) Reason {
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return ReasonDNS
	}
	return ReasonConnect
}

// secure makes a connection of a TCP connection: under TLS when the URL says so.
func (c *Client) secure(nc *net.TCPConn, deadline time.Time) (*conn, error) {
	cn := &conn{nc: nc, tcp: nc, client: c}
	if err := cn.probe.watch(nc); err != nil {
		return nil, err
	}
	if c.tls == nil {
		return cn, nil
	}
	cn.wire = &wire{Conn: nc, probe: &cn.probe}
	secure := tls.Client(cn.wire, c.tls)
	if err := nc.SetDeadline(deadline); err != nil {
		return nil, err
	}
	cn.nc = secure
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	return cn, nc.SetDeadline(time.Time{})
}
