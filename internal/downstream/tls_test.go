package downstream

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// selfSigned is a certificate that only this test trusts.
func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestUnderTLSEverythingIsTheSame(t *testing.T) {
	server, pool := selfSigned(t)
	h := &echo{limit: 10 << 10}
	s := serve(t, h, func(c *Config) {
		c.TLS, c.IdleTimeout, c.MaxConnections = server, 300*time.Millisecond, 3
		c.ProxyProtocol, c.Proxy = true, loopback
	})
	connect := func() *client {
		c := s.dial()
		c.say("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n") // before the handshake
		secure := tls.Client(c.Conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		return &client{secure, t, bufio.NewReader(secure)}
	}
	c := connect()
	body := strings.Repeat("x", 50<<10)
	c.say(get+"POST / HTTP/1.1\r\nContent-Length: ", itoa(len(body)), "\r\n\r\n", body, get)
	c.hear("GET /a 0 ")
	c.hear("POST / 51200 " + body[:20])
	c.hear("GET /a 0 ")
	c.closed() // after the idle timeout
	c = connect()
	c.say("GET / HTTP/1.1\nX: 1\r\n\r\n")
	c.hear("400 line")
	c.closed()
	plain := s.dial()
	plain.say("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" + get)
	if got, _ := io.ReadAll(plain.in); strings.Contains(string(got), "GET") {
		t.Errorf("plain text was served: %q", got)
	}
}
