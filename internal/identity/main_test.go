package identity

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/chatshipper/gateway/internal/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	second = int64(time.Second)
	now    = 1_740_816_000 * second // 2025-03-01T08:00:00Z

	ada  = "65aa00112233445566778899" // ids of users
	bert = "65aa001122334455667788aa"

	opaqueToken = "0123456789abcdef0123456789abcdef"
)

// directory returns a Directory of the default configuration and what change
// makes of it.
func directory(t testing.TB, change func(*Config)) *Directory {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	d, err := New(cfg, digest.NewHasher("a secret of the tests"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// look asks for the whole answer, and then twice for the quick one, which must be the
// same.
func look(t testing.TB, d *Directory, authorization string, at int64) (Who, Failure) {
	t.Helper()
	whole, failure := d.Lookup([]byte(authorization), at, &Scratch{WithSHA256: true})
	for range 2 {
		quick, again := d.Lookup([]byte(authorization), at, new(Scratch))
		quick.SHA256 = whole.SHA256
		if diff := cmp.Diff(whole, quick); diff != "" || again != failure {
			t.Errorf("the quick answer has another failure, %q and not %q, or differs: %s", again, failure, diff)
		}
	}
	return whole, failure
}

// lookup asks with a bearer token, which must not be refused.
func lookup(t testing.TB, d *Directory, token string, at int64) Who {
	t.Helper()
	w, failure := look(t, d, "Bearer "+token, at)
	if failure != None {
		t.Fatalf("the token is refused: %s", failure)
	}
	return w
}

// unsigned returns a JWT with a payload and with a signature that is nobody's.
func unsigned(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload)) + ".c2lnbmF0dXJl"
}

// claimsOf returns claims such as ChatShipper puts into its tokens.
func claimsOf(user, scope string, expires int64) jwt.MapClaims {
	c := jwt.MapClaims{"_id": user, "organization": "65aa0011223344556677aaaa", "scope": scope, "grant_type": "access_token"}
	if expires > 0 {
		c["exp"] = expires / second
	}
	return c
}

func scoped(user, scope string) string {
	text, err := json.Marshal(claimsOf(user, scope, 0))
	if err != nil {
		panic(err)
	}
	return unsigned(string(text))
}

func signed(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	return signedBy(t, method, key, "", claims)
}

func signedBy(t testing.TB, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
