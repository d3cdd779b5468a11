package identity

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
)

func verifying(t testing.TB, jwt JWT) *Directory {
	t.Helper()
	return directory(t, func(c *Config) { c.JWT = jwt })
}

// judge looks a token up and expects a failure.
func judge(t testing.TB, d *Directory, token string, at int64, want Failure) {
	t.Helper()
	w, got := look(t, d, "Bearer "+token, at)
	if got != want {
		t.Errorf("failure %q, want %q", got, want)
	}
	if got != None && (w.Key.IsZero() || w.SHA256 == [32]byte{} || w.Role != Nobody || !w.User.IsZero() || w.Verified || w.NeedsIntrospection) {
		t.Errorf("a refused token must tell its key and nothing else, got %+v", w)
	}
}

// keyKind is one way of configuring verification, with a token that it must
// accept and tokens that it must not.
type keyKind struct {
	cfg    JWT
	good   string
	forged []string
}

func keyKinds(t *testing.T) map[string]keyKind {
	t.Helper()
	hs, rs, es := jwt.SigningMethodHS256, jwt.SigningMethodRS256, jwt.SigningMethodES256
	bot := claimsOf(ada, "agent bot", now+3600*second)
	rsaPEM := publicPEM(t, &rsaKey().PublicKey)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]keyKind{
		"secret": {
			JWT{Secret: secret},
			signed(t, hs, []byte(secret), bot),
			[]string{signed(t, hs, []byte("a guess"), bot), signed(t, jwt.SigningMethodHS512, []byte(secret), bot)},
		},
		"secret in a file": {
			JWT{SecretFile: fileOf(t, []byte(secret+"\r\n"))},
			signed(t, hs, []byte(secret), bot),
			[]string{signed(t, hs, []byte(secret+"\r\n"), bot), signed(t, rs, rsaKey(), bot)},
		},
		"RSA": {
			JWT{PublicKeyFile: fileOf(t, rsaPEM)},
			signed(t, rs, rsaKey(), bot),
			[]string{
				signed(t, rs, other, bot),
				signed(t, hs, rsaPEM, bot), // the public key as if it were a shared secret
				signed(t, jwt.SigningMethodRS512, rsaKey(), bot),
				signed(t, jwt.SigningMethodPS256, rsaKey(), bot),
				signed(t, es, ecKey(), bot),
			},
		},
		"EC": {
			JWT{PublicKeyFile: fileOf(t, publicPEM(t, &ecKey().PublicKey))},
			signed(t, es, ecKey(), bot),
			[]string{
				signed(t, es, newECKey(elliptic.P256()), bot),
				signed(t, hs, publicPEM(t, &ecKey().PublicKey), bot),
				signed(t, rs, rsaKey(), bot),
			},
		},
	}
}

// TestVerification signs with each kind of key and tries to cheat.
func TestVerification(t *testing.T) {
	none := signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claimsOf(ada, "bot", 0))
	for name, kind := range keyKinds(t) {
		t.Run(name, func(t *testing.T) {
			d := verifying(t, kind.cfg)
			judge(t, d, kind.good, now, None)
			if w := lookup(t, d, kind.good, now); !w.Verified || w.Role != Bot || string(w.UserID) != ada {
				t.Errorf("got %+v", w)
			}
			for _, forged := range append(kind.forged, none, unsigned(`{"_id":"`+ada+`"}`)) {
				judge(t, d, forged, now, BadSignature)
			}
			judge(t, d, withPayloadOf(kind.good, scoped(ada, "admin")), now, BadSignature)
			judge(t, d, opaqueToken, now, None)
			if w := lookup(t, d, opaqueToken, now); w.Verified {
				t.Error("an opaque token is passed on, not verified")
			}
			if err := d.KeySetError(); err != nil {
				t.Error(err)
			}
		})
	}
}

// withPayloadOf puts another token's payload between a token's header and
// signature.
func withPayloadOf(token, other string) string {
	parts := strings.Split(token, ".")
	parts[1] = strings.Split(other, ".")[1]
	return strings.Join(parts, ".")
}

func TestMalformedTokenIsInvalid(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	good := signed(t, jwt.SigningMethodHS256, []byte(secret), claimsOf(ada, "bot", 0))
	f := func(token string) {
		t.Helper()
		judge(t, d, token, now, Invalid)
	}
	f("a.b.c")
	f("..")
	f("." + good[strings.IndexByte(good, '.')+1:])
	f(strings.Replace(good, ".", ".!", 1))
	f(good + "=")
	f(good + "+")
	f(signed(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"exp": "tomorrow"}))

	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, claimsOf(ada, "bot", 0))
	critical.Header["crit"] = []string{"x"}
	token, err := critical.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	f(token)
}

// TestOneTokenHasOneSpelling: base64 leaves bits of the last letter unused, and
// a token that differs only there must not be a second valid key.
func TestOneTokenHasOneSpelling(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	good := signed(t, jwt.SigningMethodHS256, []byte(secret), claimsOf(ada, "bot", 0))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, good[len(good)-1])
	judge(t, d, good, now, None)
	judge(t, d, good[:len(good)-1]+letters[last+1:last+2], now, Invalid)
}

func TestTokenExpiresAtExpExactly(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	f := func(claims jwt.MapClaims, at int64, want Failure) {
		t.Helper()
		judge(t, d, signed(t, jwt.SigningMethodHS256, []byte(secret), claims), at, want)
	}
	exp := now + 60*second
	bot := claimsOf(ada, "bot", exp)
	f(bot, now, None)
	f(bot, exp-1, None) // from the cache
	f(bot, exp, Expired)
	f(bot, exp+1, Expired)
	f(bot, exp+3600*second, Expired)
	f(claimsOf(bert, "bot", exp), exp, Expired) // never seen before
	f(claimsOf(bert, "agent", exp), exp+3600*second, Expired)
	f(claimsOf(ada, "bot", 0), now+1000*3600*second, None) // a permanent token
	f(jwt.MapClaims{"exp": 0}, now, Expired)
	f(jwt.MapClaims{"exp": -7}, now, Expired)
}

func TestExpiredAndForgedIsForged(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	judge(t, d, signed(t, jwt.SigningMethodHS256, []byte("a guess"), claimsOf(ada, "bot", now-second)), now, BadSignature)
}

func TestIssuerAudienceAndNotBefore(t *testing.T) {
	d := verifying(t, JWT{Secret: secret, Issuer: "chatshipper", Audience: "gateway"})
	f := func(change func(jwt.MapClaims), want Failure) {
		t.Helper()
		c := claimsOf(ada, "bot", now+60*second)
		c["iss"], c["aud"] = "chatshipper", "gateway"
		change(c)
		judge(t, d, signed(t, jwt.SigningMethodHS256, []byte(secret), c), now, want)
	}
	f(func(jwt.MapClaims) {}, None)
	f(func(c jwt.MapClaims) { c["aud"] = []string{"other", "gateway"} }, None)
	f(func(c jwt.MapClaims) { c["nbf"] = now/second + 5 }, None)
	f(func(c jwt.MapClaims) { c["iss"] = "someone" }, Invalid)
	f(func(c jwt.MapClaims) { delete(c, "iss"); c["ISS"] = "chatshipper" }, Invalid)
	f(func(c jwt.MapClaims) { c["aud"] = "other" }, Invalid)
	f(func(c jwt.MapClaims) { delete(c, "aud") }, Invalid)
	f(func(c jwt.MapClaims) { c["nbf"] = now/second + 6 }, Invalid)
	f(func(c jwt.MapClaims) { c["iss"] = "someone"; c["exp"] = now/second - 60 }, Expired)
}

// TestFailureIsForgottenAfterFiveSeconds: a refused token is not verified again
// at once, but soon.
func TestFailureIsForgottenAfterFiveSeconds(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	c := claimsOf(ada, "bot", now+3600*second)
	c["nbf"] = now/second + 6
	token := signed(t, jwt.SigningMethodHS256, []byte(secret), c)
	judge(t, d, token, now, Invalid)
	judge(t, d, token, now+failureTTL-1, Invalid) // remembered, though valid by now
	judge(t, d, token, now+failureTTL, None)
}

func TestConfigurationDoesNotOutrankVerification(t *testing.T) {
	expired := signed(t, jwt.SigningMethodHS256, []byte(secret), claimsOf(ada, "bot", now-second))
	d := directory(t, func(c *Config) {
		c.JWT.Secret = secret
		c.Keys = []Key{{SHA256: sha(expired), Role: "human"}}
	})
	judge(t, d, expired, now, Expired)
}

func TestNewCannotUseKeyFiles(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())})
	missing := filepath.Join(t.TempDir(), "missing")
	empty, nonsense := fileOf(t, []byte("\n")), fileOf(t, []byte("my secret"))
	weakFile, p384 := fileOf(t, publicPEM(t, &weak.PublicKey)), fileOf(t, publicPEM(t, &newECKey(elliptic.P384()).PublicKey))
	privateFile := fileOf(t, private)

	f := func(cfg JWT, want string) {
		t.Helper()
		c := DefaultConfig()
		c.JWT = cfg
		_, err := New(c, digest.NewHasher(""))
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	f(JWT{SecretFile: missing}, "cannot read identity.jwt.secret_file: open "+missing+": no such file or directory")
	f(JWT{SecretFile: empty}, `cannot read identity.jwt.secret_file: "`+empty+`" is empty`)
	f(JWT{PublicKeyFile: missing}, "cannot read identity.jwt.public_key_file: open "+missing+": no such file or directory")
	f(JWT{PublicKeyFile: nonsense}, `cannot use "`+nonsense+`": expected an RSA or P-256 public key in PEM`)
	f(JWT{PublicKeyFile: privateFile}, `cannot use "`+privateFile+`": expected an RSA or P-256 public key in PEM`)
	f(JWT{PublicKeyFile: weakFile}, `cannot use the public key in "`+weakFile+`": RS256 needs 2048 bits, it has 1024`)
	f(JWT{PublicKeyFile: p384}, `cannot use the public key in "`+p384+`": ES256 needs curve P-256, it has P-384`)
}

func TestSecretsAreNotInErrors(t *testing.T) {
	c := DefaultConfig()
	c.JWT = JWT{Secret: unit.Secret("hush-hush"), SecretFile: "x", JWKSURL: "https://user:hush-hush@example.com/"}
	c.Keys = []Key{{SHA256: "hush-hush", Role: "bot"}}
	c.Validate(func(path, problem string) {
		if strings.Contains(path+problem, "hush-hush") {
			t.Errorf("%s: %s", path, problem)
		}
	})
}

// TestVerifiedTokenCostsOneVerification counts what the cache saves.
func TestVerifiedTokenCostsOneVerification(t *testing.T) {
	d := verifying(t, JWT{Secret: secret})
	inner, asked := d.verifier.key, 0
	d.verifier.key = func(token *jwt.Token) (any, error) { asked++; return inner(token) }
	good := signed(t, jwt.SigningMethodHS256, []byte(secret), claimsOf(ada, "bot", now+3600*second))
	bad := signed(t, jwt.SigningMethodHS256, []byte("a guess"), claimsOf(ada, "bot", now+3600*second))
	for i := range int64(100) {
		judge(t, d, good, now+i*int64(time.Millisecond), None)
		judge(t, d, bad, now+i*int64(time.Millisecond), BadSignature)
	}
	if asked != 2 {
		t.Errorf("%d verifications, want one for each token", asked)
	}
}
