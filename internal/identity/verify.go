package identity

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// leeway forgives a clock that is behind the issuer's: a token may be used this
// long before its nbf. There is none after exp.
const leeway = 5 * time.Second

// minRSABits is RFC 7518's least for RS256.
const minRSABits = 2048

var errCritical = errors.New("a critical header is not understood")

// verifier checks the signature and the registered claims of JSON Web Tokens.
// A nil verifier is one that is not configured.
type verifier struct {
	options []jwt.ParserOption
	key     jwt.Keyfunc
	keys    *keySet // nil unless the keys come from a URL
}

// newVerifier returns nil when cfg names no key. The methods that a token may
// be signed by follow from the kind of key alone, never from the token.
func newVerifier(cfg *JWT) (*verifier, error) {
	switch {
	case cfg.Secret != "":
		return cfg.verifier(fixed([]byte(cfg.Secret.Reveal())), "HS256"), nil
	case cfg.SecretFile != "":
		return cfg.secretVerifier()
	case cfg.PublicKeyFile != "":
		return cfg.publicKeyVerifier()
	case cfg.JWKSURL != "":
		keys := newKeySet(fetchFrom(cfg.JWKSURL))
		v := cfg.verifier(keys.key, "RS256", "ES256")
		v.keys = keys
		return v, nil
	}
	return nil, nil
}

func (c *JWT) verifier(key jwt.Keyfunc, methods ...string) *verifier {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods),
		jwt.WithLeeway(leeway),
		// Else one token could be written in several ways, each a key of its own.
		jwt.WithStrictDecoding(),
	}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if c.Audience != "" {
		options = append(options, jwt.WithAudience(c.Audience))
	}
	return &verifier{options: options, key: key}
}

func fixed(key any) jwt.Keyfunc {
	return func(*jwt.Token) (any, error) { return key, nil }
}

func (c *JWT) secretVerifier() (*verifier, error) {
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read identity.jwt.secret_file: %w", err)
	}
	// An editor's line end is no part of the secret.
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return nil, fmt.Errorf("cannot read identity.jwt.secret_file: %q is empty", c.SecretFile)
	}
	return c.verifier(fixed([]byte(secret)), "HS256"), nil
}

// CheckPublicKey tells what is wrong with a file that JWT.PublicKeyFile may name.
func CheckPublicKey(file string) error {
	_, err := (&JWT{PublicKeyFile: file}).publicKeyVerifier()
	return err
}

func (c *JWT) publicKeyVerifier() (*verifier, error) {
	text, err := os.ReadFile(c.PublicKeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read identity.jwt.public_key_file: %w", err)
	}
	if key, err := jwt.ParseRSAPublicKeyFromPEM(text); err == nil {
		if n := key.N.BitLen(); n < minRSABits {
			return nil, fmt.Errorf("cannot use the public key in %q: RS256 needs %d bits, it has %d", c.PublicKeyFile, minRSABits, n)
		}
		return c.verifier(fixed(key), "RS256"), nil
	}
	key, err := jwt.ParseECPublicKeyFromPEM(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q: expected an RSA or P-256 public key in PEM", c.PublicKeyFile)
	}
	if key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("cannot use the public key in %q: ES256 needs curve P-256, it has %s", c.PublicKeyFile, key.Curve.Params().Name)
	}
	return c.verifier(fixed(key), "ES256"), nil
}

// verify judges a token at a time. Where the key set may be behind the
// issuer's, it waits for a newer one and tries again.
func (v *verifier) verify(token string, now int64) Failure {
	seen := v.epoch()
	err := v.parse(token, now)
	if isBehind(err) && v.keys.awaitNewer(seen) {
		err = v.parse(token, now)
	}
	switch {
	case err == nil:
		return None
	case errors.Is(err, errNoKeys):
		return Unavailable
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return BadSignature
	case errors.Is(err, jwt.ErrTokenExpired):
		return Expired
	}
	return Invalid
}

func (v *verifier) parse(token string, now int64) error {
	at := jwt.WithTimeFunc(func() time.Time { return time.Unix(0, now) })
	parser := jwt.NewParser(append(v.options[:len(v.options):len(v.options)], at)...)
	_, err := parser.Parse(token, func(t *jwt.Token) (any, error) {
		if _, ok := t.Header["crit"]; ok {
			return nil, errCritical // RFC 7515, section 4.1.11
		}
		return v.key(t)
	})
	return err
}

// epoch changes whenever what was verified before must be verified again.
func (v *verifier) epoch() uint32 {
	if v == nil || v.keys == nil {
		return 0
	}
	return v.keys.epoch.Load()
}

func (v *verifier) keySetError() error {
	if v == nil || v.keys == nil {
		return nil
	}
	return v.keys.lastError()
}

func (v *verifier) close() {
	if v != nil && v.keys != nil {
		v.keys.close()
	}
}
