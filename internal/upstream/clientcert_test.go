package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// save writes a certificate and its key as PEM.
func save(t *testing.T, c tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// An upstream that demands a certificate gets ours, and after a renewal the new
// one on the next connection.
func TestTheUpstreamSeesOurCertificate(t *testing.T) {
	a := newAuthority(t)
	trusted := x509.NewCertPool()
	if text, err := os.ReadFile(a.file); err != nil || !trusted.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	names := make(chan string, 1)
	b := playTLS(t, &tls.Config{
		Certificates: []tls.Certificate{a.issue(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted,
		MaxVersion: tls.VersionTLS12, // in 1.3 a client learns of a refusal only when it reads
	}, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		names <- p.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames[0]
	})
	forClients := func(name string) tls.Certificate {
		return a.issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage, c.DNSNames = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, []string{name}
		})
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	save(t, forClients("first.test"), certFile, keyFile)
	c := b.secureClient(a, func(cfg *Config) { cfg.TLS.CertFile, cfg.TLS.KeyFile = certFile, keyFile })
	wantBody(t, c, get("/"), "ok")
	if got := <-names; got != "first.test" {
		t.Errorf("the upstream saw %q", got)
	}
	save(t, forClients("second.test"), certFile, keyFile)
	wantBody(t, c, get("/"), "ok")
	if got := <-names; got != "second.test" {
		t.Errorf("the upstream saw %q after the renewal", got)
	}
	wantError(t, b.secureClient(a), get("/"), ReasonTLS, false)
}

func TestTheFilesOfOurCertificate(t *testing.T) {
	f := func(url, cert, key, want string) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.URL, cfg.TLS.CertFile, cfg.TLS.KeyFile = url, cert, key
		if got := strings.Join(mistakes(&cfg), "\n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("https://a", "c.pem", "k.pem", "")
	f("https://a", "c.pem", "", "tls.cert_file: must be set when tls.key_file is, and only then")
	f("https://a", "", "k.pem", "tls.cert_file: must be set when tls.key_file is, and only then")
	f("http://a", "c.pem", "k.pem", "tls.cert_file: is of no use with an http:// url\ntls.key_file: is of no use with an http:// url")
	cfg := DefaultConfig()
	cfg.URL, cfg.TLS.CertFile, cfg.TLS.KeyFile = "https://a", "tls_test.go", "tls_test.go"
	if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "cannot use upstream.tls.cert_file: ") {
		t.Errorf("got %v", err)
	}
}
