package identity

import (
	"fmt"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func hs256(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(secret), claims)
}

// BenchmarkLookup: a token that the cache knows.
func BenchmarkLookup(b *testing.B) {
	d := directory(b, nil)
	f := func(name string, tokens ...string) {
		var headers [][]byte
		for _, token := range tokens {
			headers = append(headers, []byte("Bearer "+token))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var scratch Scratch
			for i := 0; b.Loop(); i++ {
				d.Lookup(headers[i%len(headers)], now, &scratch)
			}
		})
	}
	f("opaque", opaqueToken)
	f("jwt", hs256(b, claimsOf(ada, "viewer guest agent bot", now+3600*second)))
	var many []string
	for i := range 10_000 {
		many = append(many, hs256(b, claimsOf(fmt.Sprintf("%024x", i), "viewer guest agent bot", now+3600*second)))
	}
	f("10000 jwts", many...)
}

// BenchmarkRead: a token that is new.
func BenchmarkRead(b *testing.B) {
	f := func(name string, d *Directory, token string) {
		key := lookup(b, d, token, now).Key
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.read(key, []byte(token), now)
			}
		})
	}
	claims := claimsOf(ada, "viewer guest agent bot", now+3600*second)
	f("claims", directory(b, nil), hs256(b, claims))
	f("HS256", verifying(b, JWT{Secret: secret}), hs256(b, claims))
	f("RS256", verifying(b, JWT{PublicKeyFile: fileOf(b, publicPEM(b, &rsaKey().PublicKey))}), signed(b, jwt.SigningMethodRS256, rsaKey(), claims))
	f("ES256", verifying(b, JWT{PublicKeyFile: fileOf(b, publicPEM(b, &ecKey().PublicKey))}), signed(b, jwt.SigningMethodES256, ecKey(), claims))
}

func BenchmarkCredential(b *testing.B) {
	header := []byte("Bearer " + hs256(b, claimsOf(ada, "viewer guest agent bot", now+3600*second)))
	b.SetBytes(int64(len(header)))
	for b.Loop() {
		Credential(header)
	}
}
