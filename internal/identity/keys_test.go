package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

const secret = "a secret that only the tests know"

// rsaKey is made once: making one takes a tenth of a second.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey { return newECKey(elliptic.P256()) })

func newECKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func publicPEM(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func fileOf(t testing.TB, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

type jwk map[string]string

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwkOf(kid string, public any) jwk {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return jwk{"kty": "RSA", "kid": kid, "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 0x04, X, Y
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		return jwk{"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}
	}
	return jwk{"kty": "oct", "kid": kid, "alg": "HS256", "k": encode(public.([]byte))}
}

func jwksOf(keys ...jwk) []byte {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return text
}
