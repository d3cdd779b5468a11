// Package certs keeps a certificate and its key as they stand in their files,
// so that a renewed one is used without a restart and a broken one is not. It
// knows nothing of who listens or dials with it, and has no clock: somebody
// calls Look now and then.
package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxFile bounds each of the two files; a chain of ten certificates has 20 KiB.
const maxFile = 1 << 20

// Keeper holds the last good certificate of two files. Its methods may be called
// from several goroutines.
type Keeper struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]

	mu       sync.Mutex        // held by Look
	used     [sha256.Size]byte // content of the files that current came from
	unusable [sha256.Size]byte // content that could not be used when it was last seen
	told     bool              // of unusable
}

// New loads a certificate chain and its private key, both PEM.
func New(certFile, keyFile string) (*Keeper, error) {
	k := &Keeper{certFile: certFile, keyFile: keyFile}
	cert, key, sum, err := k.read()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate in %q with the key in %q: %w", certFile, keyFile, err)
	}
	k.current.Store(&pair)
	k.used = sum
	return k, nil
}

// Look reads the files again and takes what is new and good. It compares their
// content: a mounted secret is swapped by a symbolic link above them, which their
// own times don't show. What can't be used leaves the last good certificate in
// use, and is an error when it is seen for the second time, and only then:
// between the writing of the one file and of the other they don't match.
func (k *Keeper) Look() (renewed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cert, key, sum, err := k.read()
	if err == nil && sum == k.used {
		k.unusable, k.told = [sha256.Size]byte{}, false
		return false, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		return false, k.complain(sum, err)
	}
	k.current.Store(&pair)
	k.used, k.unusable, k.told = sum, [sha256.Size]byte{}, false
	return true, nil
}

// complain returns the error when the same content could not be used before.
func (k *Keeper) complain(sum [sha256.Size]byte, err error) error {
	if sum != k.unusable {
		k.unusable, k.told = sum, false
		return nil
	}
	if k.told {
		return nil
	}
	k.told = true
	return fmt.Errorf("cannot use the certificate in %q with the key in %q; the last good one stays in use: %w", k.certFile, k.keyFile, err)
}

// read returns both files and a digest of what they hold; of files that can't be
// read, a digest of the error.
func (k *Keeper) read() (cert, key []byte, sum [sha256.Size]byte, err error) {
	if cert, err = readFile(k.certFile); err == nil {
		key, err = readFile(k.keyFile)
	}
	if err != nil {
		return nil, nil, sha256.Sum256([]byte(err.Error())), err
	}
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, int64(len(cert))) // a hash takes everything
	h.Write(cert)
	h.Write(key)
	return cert, key, [sha256.Size]byte(h.Sum(nil)), nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a certificate: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("the file is larger than 1 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	return data, nil
}

// ErrNoAuthority is in the error of Authorities when a file can be read, and has no
// certificate.
var ErrNoAuthority = errors.New("no PEM certificate")

// Authorities reads the certificates to trust from a file, in PEM.
func Authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w in %q", ErrNoAuthority, file)
	}
	return pool, nil
}

// NotAfter is when the certificate in use expires.
func (k *Keeper) NotAfter() time.Time { return k.current.Load().Leaf.NotAfter }

// Server is how a listener speaks TLS with the certificate in use. Connections
// that are open keep the one they began with.
func (k *Keeper) Server() *tls.Config {
	c := modern()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil }
	return c
}

// Client is for tls.Config.GetClientCertificate. It looks for a new certificate
// at each handshake, of which a pool of connections makes few.
func (k *Keeper) Client(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	_, _ = k.Look() // the last good one serves on
	return k.current.Load(), nil
}

// modern is Mozilla's intermediate profile of 2025 without finite-field
// Diffie-Hellman: TLS 1.3, or 1.2 with forward secrecy and authenticated
// encryption. Curves are left to crypto/tls, which adds what is new.
func modern() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
