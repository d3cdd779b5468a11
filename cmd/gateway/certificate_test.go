package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// expires is when the certificates of these tests do.
var expires = time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)

// selfSigned writes a certificate and its key to files.
func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: expires}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTheCertificatesExpiryIsAMetric(t *testing.T) {
	for _, family := range gathered(t) {
		if family.GetName() == "gateway_tls_certificate_expiry_timestamp_seconds" {
			got := family.GetMetric()[0].GetGauge().GetValue()
			if got != float64(expires.Unix()) {
				t.Errorf("got %s, want %d", strconv.FormatFloat(got, 'f', -1, 64), expires.Unix())
			}
			return
		}
	}
	t.Error("there is no such metric")
}
