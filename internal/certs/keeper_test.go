package certs

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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files are a certificate and its key in a folder of their own.
type files struct{ cert, key string }

// write puts a new certificate with a serial number into the files.
func (f files) write(t *testing.T, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(4e9+serial, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replace(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	f.write(t, 1)
	return f
}

func keeper(t *testing.T, f files) *Keeper {
	t.Helper()
	k, err := New(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serial is what a client sees of the certificate in use.
func serial(t *testing.T, k *Keeper) int64 {
	t.Helper()
	a, b := net.Pipe()
	server := tls.Server(a, k.Server())
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	go func() { _ = server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Close(), b.Close()
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// look demands what Look returns.
func look(t *testing.T, k *Keeper, renewed bool, problem string) {
	t.Helper()
	got, err := k.Look()
	if got != renewed || (err != nil) != (problem != "") || err != nil && !strings.Contains(err.Error(), problem) {
		t.Errorf("got %v and error %v; want %v and %q", got, err, renewed, problem)
	}
}

func TestARenewedCertificateIsUsed(t *testing.T) {
	f := newFiles(t)
	k := keeper(t, f)
	look(t, k, false, "")
	f.write(t, 2)
	if got := serial(t, k); got != 1 {
		t.Errorf("certificate %d before anybody looked", got)
	}
	look(t, k, true, "")
	look(t, k, false, "")
	if got := serial(t, k); got != 2 || k.NotAfter().Unix() != 4e9+2 {
		t.Errorf("certificate %d, which expires %v", got, k.NotAfter())
	}
}

func TestAnOpenConnectionSurvivesTheRenewal(t *testing.T) {
	f := newFiles(t)
	k := keeper(t, f)
	a, b := net.Pipe()
	server, client := tls.Server(a, k.Server()), tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	echo := make(chan error, 1)
	go func() { _, err := io.Copy(server, server); echo <- err }()
	ask := func() {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	f.write(t, 2)
	look(t, k, true, "")
	ask()
	_, _ = b.Close(), <-echo
}

func TestABrokenFileLeavesTheLastGoodOne(t *testing.T) {
	f := newFiles(t)
	k := keeper(t, f)
	g := func(broken func(), problem string) {
		t.Helper()
		broken()
		look(t, k, false, "") // perhaps the other file is being written
		look(t, k, false, problem)
		look(t, k, false, "") // said once
		if got := serial(t, k); got != 1 {
			t.Errorf("certificate %d", got)
		}
	}
	good, err := os.ReadFile(f.cert)
	if err != nil {
		t.Fatal(err)
	}
	other := newFiles(t)
	otherKey, err := os.ReadFile(other.key)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(f.key)
	if err != nil {
		t.Fatal(err)
	}
	g(func() { replace(t, f.cert, []byte("no PEM")) }, "last good one stays")
	g(func() { replace(t, f.cert, good); replace(t, f.key, otherKey) }, "private key does not match")
	g(func() { replace(t, f.cert, make([]byte, maxFile+1)) }, "larger than 1 MiB")
	g(func() { _ = os.Remove(f.cert) }, "no such file")
	replace(t, f.cert, good)
	replace(t, f.key, key)
	look(t, k, false, "")
	g(func() { _ = os.Remove(f.cert) }, "no such file") // said again, because all was well in between
	f.write(t, 3)
	look(t, k, true, "")
	if got := serial(t, k); got != 3 {
		t.Errorf("certificate %d", got)
	}
}

// Kubernetes mounts a secret as links into a folder that is itself a link, which
// it swaps.
func TestASwappedLinkIsSeen(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		files{filepath.Join(dir, name, "tls.crt"), filepath.Join(dir, name, "tls.key")}.write(t, int64(i+1))
	}
	data, mounted := filepath.Join(dir, "..data"), files{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	for link, target := range map[string]string{data: "one", mounted.cert: "..data/tls.crt", mounted.key: "..data/tls.key"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	k := keeper(t, mounted)
	if err := os.Symlink("two", data+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data+"_tmp", data); err != nil {
		t.Fatal(err)
	}
	look(t, k, true, "")
	if got := serial(t, k); got != 2 {
		t.Errorf("certificate %d", got)
	}
}

func TestAClientLooksAtEachHandshake(t *testing.T) {
	f := newFiles(t)
	k := keeper(t, f)
	g := func(want int64) {
		t.Helper()
		c, err := k.Client(nil)
		if err != nil || c.Leaf.SerialNumber.Int64() != want {
			t.Errorf("got certificate %v, %v; want %d", c.Leaf.SerialNumber, err, want)
		}
	}
	g(1)
	f.write(t, 2)
	g(2)
	replace(t, f.key, nil)
	g(2)
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	f := newFiles(t)
	g := func(cert, key, want string) {
		t.Helper()
		if _, err := New(cert, key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	g(f.cert, f.cert, "cannot use the certificate in")
	g(f.key, f.key, "cannot use the certificate in")
	g(f.cert+".missing", f.key, "no such file")
	g(f.cert, filepath.Dir(f.key), "is a directory")
}

func TestOldProtocolsAndCiphersAreRefused(t *testing.T) {
	k := keeper(t, newFiles(t))
	f := func(works bool, c *tls.Config) {
		t.Helper()
		c.InsecureSkipVerify = true
		a, b := net.Pipe()
		go func() { _ = tls.Server(a, k.Server()).Handshake(); _ = a.Close() }()
		if err := tls.Client(b, c).Handshake(); (err == nil) != works {
			t.Errorf("handshake: %v, want it to work: %v", err, works)
		}
		_ = b.Close()
	}
	f(true, &tls.Config{})
	f(true, &tls.Config{MaxVersion: tls.VersionTLS12})
	f(false, &tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11})
	f(false, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}})
}
