package identity

import (
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `identity:` block of the configuration.
type Config struct {
	Required      bool          `yaml:"required"`      // 401 for a request without an API key
	Header        string        `yaml:"header"`        // where the bearer token stands
	OpaqueTokens  string        `yaml:"opaque_tokens"` // bot or human: whose an unexplained opaque token is
	Users         []User        `yaml:"users"`
	Keys          []Key         `yaml:"keys"`
	JWT           JWT           `yaml:"jwt"`
	Introspection Introspection `yaml:"introspection"`
}

// User names the role of a user outright.
type User struct {
	ID   string `yaml:"id"`   // the claim _id
	Role string `yaml:"role"` // bot or human
}

// Key names the user and role of one API key outright.
type Key struct {
	SHA256 string `yaml:"sha256"` // hex SHA-256 of the bearer token
	User   string `yaml:"user"`   // optional: the user's id
	Role   string `yaml:"role"`   // bot or human
}

// JWT turns on verification of JSON Web Tokens by the gateway itself. At most
// one of Secret, PublicKeyFile and JWKSURL is set; none means that claims are
// read but not verified.
type JWT struct {
	Secret        unit.Secret `yaml:"secret"`          // HS256
	SecretFile    string      `yaml:"secret_file"`     // HS256, from a file
	PublicKeyFile string      `yaml:"public_key_file"` // RS256 or ES256, PEM
	JWKSURL       string      `yaml:"jwks_url"`        // RS256 or ES256, key set fetched and kept fresh
	Issuer        string      `yaml:"issuer"`          // demanded claim iss, when set
	Audience      string      `yaml:"audience"`        // demanded claim aud, when set
}

// Introspection asks the upstream, once per token, who its user is.
type Introspection struct {
	Path string        `yaml:"path"` // for example /v2/users/{user}; empty turns it off
	TTL  time.Duration `yaml:"ttl"`  // how long an answer is believed
}

// DefaultConfig believes claims without verifying them, which is safe because
// the gateway keeps only what the upstream confirms.
func DefaultConfig() Config {
	return Config{Header: "Authorization", OpaqueTokens: "bot", Introspection: Introspection{TTL: 5 * time.Minute}}
}
