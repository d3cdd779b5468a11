package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identityOf makes a certificate of its own authority for 127.0.0.1 and writes
// it and its key to files.
func identityOf(t *testing.T) (certFile, keyFile string, authority *x509.CertPool, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{certFile: cert, keyFile: secret} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority = x509.NewCertPool()
	authority.AppendCertsFromPEM(cert)
	pair, err = tls.X509KeyPair(cert, secret)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, authority, pair
}

func TestTheListenerSpeaksTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, authority, _ := identityOf(t)
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{listen: "tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}"})
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+g.address+"/v2/users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := exchange(client, req)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, a, 200)
	wantHeader(t, up.last(t).header, "X-Forwarded-Proto", "https")
}

func TestPlainHTTPOnTheTLSListenerIsToldSo(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _, _ := identityOf(t)
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{listen: "tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}"})
	f := func(sent string, want bool) {
		t.Helper()
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, sent)
		a, err := readResponse(readUntilSilent(conn, time.Second))
		if told := err == nil && a.status == 400 && strings.Contains(string(a.body), "https://"); told != want {
			t.Errorf("%q was answered %s, %v", sent, a, err)
		}
	}
	f("GET /v2/users HTTP/1.1\r\nHost: gateway\r\n\r\n", true)
	f("POST /v2/messages HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000), true)
	f("\x00\x01\x02\x03\x04\x05\x06", false)
	if n := len(up.seen()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestTheUpstreamsCertificateIsVerified(t *testing.T) {
	t.Parallel()
	certFile, _, _, pair := identityOf(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(agreeable))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)

	trusting := startGateway(t, server.URL, setup{upstream: "tls: {ca_file: " + certFile + "}"})
	wantStatus(t, trusting.do(t, call{path: "/v2/users"}), 200)
	doubting := startGateway(t, server.URL, setup{})
	wantOurError(t, doubting.do(t, call{path: "/v2/users"}), 502, "upstream_unreachable")
	misnamed := startGateway(t, server.URL, setup{upstream: "tls: {ca_file: " + certFile + ", server_name: api.example.com}"})
	wantOurError(t, misnamed.do(t, call{path: "/v2/users"}), 502, "upstream_unreachable")
	if got := doubting.metrics(t).value(t, `gateway_upstream_errors_total{reason="tls"}`); got != 1 {
		t.Errorf(`upstream_errors_total{reason="tls"} = %v, want 1`, got)
	}
}
