package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playTLS starts an upstream that speaks TLS.
func playTLS(t testing.TB, cfg *tls.Config, script func(p *peer)) *backend {
	return playOver(t, func(nc net.Conn) net.Conn { return tls.Server(&gather{Conn: nc}, cfg) }, script)
}

// secureClient makes a client that trusts only a.
func (b *backend) secureClient(a *authority, change ...func(*Config)) *Client {
	return b.client(append([]func(*Config){func(cfg *Config) {
		cfg.URL = "https://" + b.ln.Addr().String()
		cfg.TLS.CAFile = a.file
	}}, change...)...)
}

func TestRequestsOverTLS(t *testing.T) {
	a := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}, MaxVersion: version}
		b := playTLS(t, server, always(okAnswer))
		c := b.secureClient(a)
		for _, size := range []int{0, 10, copyLimit, 1 << 20} {
			wantBody(t, c, post(strings.Repeat("x", size)), "ok")
		}
		requests, dialled := b.seen()
		if len(requests) != 4 || dialled != 1 {
			t.Errorf("%s: %d requests on %d connections, want 4 on 1", tls.VersionName(version), len(requests), dialled)
		}
		if c.Scheme() != "https" {
			t.Errorf("the scheme is %q", c.Scheme())
		}
	}
}

func TestTheServerNameMayDifferFromTheHost(t *testing.T) {
	a := newAuthority(t)
	onlyName := a.issue(t, func(c *x509.Certificate) { c.IPAddresses = nil })
	b := playTLS(t, &tls.Config{Certificates: []tls.Certificate{onlyName}}, always(okAnswer))
	wantError(t, b.secureClient(a), get("/"), ReasonTLS, false)
	wantBody(t, b.secureClient(a, func(cfg *Config) { cfg.TLS.ServerName = "api.test" }), get("/"), "ok")
}

func TestAnUpstreamThatCannotBeTrustedGetsNothing(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	selfSigned := func() tls.Certificate {
		key := newKey(t)
		template := &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		return tls.Certificate{Certificate: [][]byte{sign(t, template, nil, key, key)}, PrivateKey: key}
	}
	f := func(name string, cert tls.Certificate, maxVersion uint16) {
		t.Run(name, func(t *testing.T) {
			received := make(chan int64, 1)
			b := playTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: maxVersion, MinVersion: tls.VersionTLS10}, func(p *peer) {
				n, _ := io.Copy(io.Discard, p.Conn)
				received <- n
			})
			c := b.secureClient(a)
			text := wantError(t, c, post("secret"), ReasonTLS, false)
			if n := <-received; n != 0 {
				t.Errorf("the upstream received %d bytes", n)
			}
			if s := c.Stats(); s != (Stats{}) {
				t.Errorf("%+v is left, want nothing", s)
			}
			if !strings.HasPrefix(text, "cannot secure the connection to upstream: ") {
				t.Errorf("got %q", text)
			}
		})
	}
	f("self-signed", selfSigned(), 0)
	f("another authority", other.issue(t, nil), 0)
	f("expired", a.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), 0)
	f("wrong name", a.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} }), 0)
	f("no name", a.issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, nil }), 0)
	f("not for servers", a.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), 0)
	f("TLS 1.1", a.issue(t, nil), tls.VersionTLS11)
}

func TestAnUpstreamWithoutTLS(t *testing.T) {
	a := newAuthority(t)
	b := play(t, func(p *peer) {
		p.say("HTTP/1.1 400 Bad Request\r\n\r\n")
		p.gone()
	})
	wantError(t, b.secureClient(a), get("/"), ReasonTLS, false)
	silent := play(t, (*peer).gone)
	began := time.Now()
	wantError(t, silent.secureClient(a, func(cfg *Config) { cfg.ConnectTimeout = 50 * time.Millisecond }), get("/"), ReasonTLS, false)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s, want 50ms", took)
	}
}

func TestPoisonUnderTLSIsNeverDelivered(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
	a := newAuthority(t)
	f := func(name string, together bool, late bool) {
		t.Run(name, func(t *testing.T) {
			answered, poisoned := make(chan bool), make(chan bool)
			server := &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}
			b := playTLS(t, server, func(p *peer) {
				p.request()
				if p.n > 0 {
					p.say(okAnswer)
					p.gone()
					return
				}
				switch {
				case together: // in one record: it comes out of TLS with the answer
					p.say(okAnswer + poison)
				case late:
					p.say(okAnswer)
					<-answered
					p.say(poison)
				default: // in one segment: it is read together, but stays inside TLS
					hold(p, okAnswer, poison)
				}
				close(poisoned)
				p.gone()
			})
			c := b.secureClient(a)
			wantBody(t, c, post("1"), "ok")
			close(answered)
			<-poisoned
			wantBody(t, c, post("2"), "ok")
			if requests, dialled := b.seen(); len(requests) != 2 || dialled != 2 {
				t.Errorf("%d requests on %d connections, want 2 on 2", len(requests), dialled)
			}
		})
	}
	f("in the record of the answer", true, false)
	f("in a record of its own", false, false)
	f("later", false, true)
}

// gather is a connection that holds back what is written until it is released.
type gather struct {
	net.Conn
	on   bool
	held []byte
}

func (g *gather) Write(b []byte) (int, error) {
	if g.on {
		g.held = append(g.held, b...)
		return len(b), nil
	}
	return g.Conn.Write(b)
}

// hold sends texts in TLS records of their own but in one segment.
func hold(p *peer, texts ...string) {
	g := p.Conn.(*tls.Conn).NetConn().(*gather)
	g.on = true
	p.say(texts...)
	g.on = false
	_, _ = g.Write(g.held)
}

func TestASessionTicketIsNoPoison(t *testing.T) {
	a := newAuthority(t)
	b := playTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}, always(okAnswer))
	c := b.secureClient(a)
	cn, failure := c.dial(t.Context(), time.Time{})
	if failure != nil {
		t.Fatal(failure)
	}
	eventually(t, "a ticket is there", func() bool {
		_, err := cn.probe.recv(cn.probe.one[:], syscall.MSG_PEEK)
		return err == nil
	})
	for range 2 {
		if cn.stale() {
			t.Fatal("a connection with a ticket in it counts as stale")
		}
	}
	var resp Response
	if failure = c.try(cn, post("x"), &resp, limit{hard: time.Now().Add(5 * time.Second)}); failure != nil || string(resp.Body) != "ok" {
		t.Errorf("got %q and error %v, want ok", resp.Body, failure)
	}
}

func TestAClosedTLSConnectionIsNotUsed(t *testing.T) {
	a := newAuthority(t)
	for _, politely := range []bool{true, false} {
		closed := make(chan bool)
		b := playTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}, func(p *peer) {
			p.request()
			p.say(okAnswer)
			if politely {
				_ = p.Close()
			}
			_ = p.tcp.Close()
			closed <- true
		})
		c := b.secureClient(a)
		for i := range 20 {
			wantBody(t, c, post(fmt.Sprint(i)), "ok")
			<-closed
		}
		if requests, _ := b.seen(); len(requests) != 20 {
			t.Errorf("politely=%v: %d requests were sent, want 20", politely, len(requests))
		}
	}
}

func TestTheEndOfAConnectionMustBeSaidInTLS(t *testing.T) {
	a := newAuthority(t)
	for _, said := range []bool{true, false} {
		b := playTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\n\r\nwhole")
			if said {
				_ = p.Close()
			}
			_ = p.tcp.Close()
		})
		c := b.secureClient(a)
		if said {
			wantBody(t, c, get("/"), "whole")
			continue
		}
		wantError(t, c, get("/"), ReasonTruncated, true)
	}
}

func TestTheFileOfAuthorities(t *testing.T) {
	f := func(file, want string) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.URL, cfg.TLS.CAFile = "https://a", file
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q…", err, want)
		}
	}
	f(filepath.Join(t.TempDir(), "none"), "cannot read upstream.tls.ca_file: open ")
	f(filepath.Join("testdata", "..", "tls_test.go"), "cannot read upstream.tls.ca_file: no PEM certificate in ")
}
