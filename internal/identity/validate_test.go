package identity

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reports changes the default configuration and expects mistakes of it.
func reports(t *testing.T, change func(*Config), want ...string) {
	t.Helper()
	c := DefaultConfig()
	change(&c)
	var got []string
	c.Validate(func(path, problem string) { got = append(got, path+": "+problem) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

var hash = strings.Repeat("0a", 32)

func TestValidateAcceptsGoodConfigurations(t *testing.T) {
	f := func(change func(*Config)) {
		t.Helper()
		reports(t, change)
	}
	f(func(*Config) {})
	f(func(c *Config) { c.Header, c.OpaqueTokens = "X-API-Key", "human" })
	f(func(c *Config) { c.Users = []User{{ada, "bot"}, {bert, "human"}} })
	f(func(c *Config) { c.Keys = []Key{{hash, "", "human"}, {strings.Repeat("FF", 32), ada, "bot"}} })
	f(func(c *Config) { c.JWT = JWT{JWKSURL: "https://id.example.com/jwks", Issuer: "i", Audience: "a"} })
	f(func(c *Config) { c.JWT = JWT{Secret: "a"} })
	f(func(c *Config) { c.JWT = JWT{SecretFile: "/no/such/file"} })
	f(func(c *Config) { c.Introspection.Path = "/v2/users/{user}?select=role" })
}

func TestValidateReportsMistakesOfHeaderAndRoles(t *testing.T) {
	f := func(change func(*Config), want ...string) {
		t.Helper()
		reports(t, change, want...)
	}
	for _, name := range []string{"", "X Key", "Key:", "Schlüssel"} {
		f(func(c *Config) { c.Header = name }, `header: expected the name of a header, got "`+name+`"`)
	}
	for _, role := range []string{"", "nobody", "Bot"} {
		f(func(c *Config) { c.OpaqueTokens = role }, `opaque_tokens: expected bot or human, got "`+role+`"`)
	}
}

func TestValidateReportsMistakesOfUsersAndKeys(t *testing.T) {
	reports(t, func(c *Config) { c.Users = []User{{ada, "bot"}, {"", "admin"}, {ada, "human"}, {"", "bot"}} },
		`users[1].id: must be set`,
		`users[1].role: expected bot or human, got "admin"`,
		`users[2].id: repeats users[0].id`,
		`users[3].id: must be set`,
	)
	reports(t, func(c *Config) { c.Users = []User{{strings.Repeat("x", 257), "bot"}} },
		`users[0].id: must have at most 256 bytes, has 257`)
	reports(t, func(c *Config) {
		c.Keys = []Key{
			{"", "", "bot"},
			{hash, "", "bot"},
			{hash[2:], "", "bot"},
			{"x" + hash[1:], "", "bot"},
			{strings.ToUpper(hash), strings.Repeat("x", 300), ""},
		}
	},
		`keys[0].sha256: expected 64 hex digits, the SHA-256 of a bearer token`,
		`keys[2].sha256: expected 64 hex digits, the SHA-256 of a bearer token`,
		`keys[3].sha256: expected 64 hex digits, the SHA-256 of a bearer token`,
		`keys[4].user: must have at most 256 bytes, has 300`,
		`keys[4].role: expected bot or human, got ""`,
		`keys[4].sha256: repeats keys[1].sha256`,
	)
}

func TestValidateReportsMistakesOfJWT(t *testing.T) {
	reports(t, func(c *Config) {
		c.JWT = JWT{Secret: "a", SecretFile: "b", PublicKeyFile: "c", JWKSURL: "http://d"}
	},
		`jwt.secret_file: can't be set together with jwt.secret: tokens are verified by one of them`,
		`jwt.public_key_file: can't be set together with jwt.secret: tokens are verified by one of them`,
		`jwt.jwks_url: can't be set together with jwt.secret: tokens are verified by one of them`,
	)
	reports(t, func(c *Config) { c.JWT = JWT{Issuer: "i", Audience: "a"} },
		`jwt.issuer: has no effect unless one of jwt.secret, secret_file, public_key_file and jwks_url is set`,
		`jwt.audience: has no effect unless one of jwt.secret, secret_file, public_key_file and jwks_url is set`,
	)
	for _, url := range []string{"id.example.com/jwks", "ftp://id.example.com", "https://", "https://u:p@id.example.com", "http://[::1", "/jwks"} {
		reports(t, func(c *Config) { c.JWT.JWKSURL = url },
			`jwt.jwks_url: expected http:// or https:// with a host, and without a user or password`)
	}
}

func TestValidateReportsMistakesOfIntrospection(t *testing.T) {
	reports(t, func(c *Config) { c.Introspection.TTL = 0 }, `introspection.ttl: must be greater than 0, got 0s`)
	reports(t, func(c *Config) { c.Introspection.TTL = -1 }, `introspection.ttl: must be greater than 0, got -1ns`)
	reports(t, func(c *Config) { c.Introspection.Path = "v2/users" }, `introspection.path: must start with /, got "v2/users"`)
	for _, path := range []string{"/v2/users/{id}", "/v2/users/{user", "/v2 users", "/v2/ü", "/v2#x", `/v2\x`, "/v2\r\nX: y"} {
		reports(t, func(c *Config) { c.Introspection.Path = path },
			fmt.Sprintf(`introspection.path: expected a path such as /v2/users/{user}, got %q`, path))
	}
}
