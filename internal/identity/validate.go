package identity

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// Validate reports every mistake in the block, with its path inside the block.
// It reads no file: New does. It never repeats what may be a secret.
func (c *Config) Validate(report func(path, problem string)) {
	if !isFieldName(c.Header) {
		report("header", fmt.Sprintf("expected the name of a header, got %q", c.Header))
	}
	reportRole(report, "opaque_tokens", c.OpaqueTokens)
	c.validateUsers(report)
	c.validateKeys(report)
	c.JWT.validate(report)
	c.Introspection.validate(report)
}

func (c *Config) validateUsers(report func(path, problem string)) {
	first := make(map[string]int)
	for i, u := range c.Users {
		path := fmt.Sprintf("users[%d].", i)
		if u.ID == "" {
			report(path+"id", "must be set")
		}
		reportLongID(report, path+"id", u.ID)
		reportRole(report, path+"role", u.Role)
		if j, ok := first[u.ID]; ok && u.ID != "" {
			report(path+"id", fmt.Sprintf("repeats users[%d].id", j))
		} else {
			first[u.ID] = i
		}
	}
}

func (c *Config) validateKeys(report func(path, problem string)) {
	first := make(map[string]int)
	for i, k := range c.Keys {
		path := fmt.Sprintf("keys[%d].", i)
		reportLongID(report, path+"user", k.User)
		reportRole(report, path+"role", k.Role)
		sum, err := hex.DecodeString(k.SHA256)
		if err != nil || len(sum) != 32 {
			// Not shown: someone may have put the token itself here.
			report(path+"sha256", "expected 64 hex digits, the SHA-256 of a bearer token")
			continue
		}
		if j, ok := first[string(sum)]; ok {
			report(path+"sha256", fmt.Sprintf("repeats keys[%d].sha256", j))
		} else {
			first[string(sum)] = i
		}
	}
}

func (c *JWT) validate(report func(path, problem string)) {
	sources := []struct{ name, value string }{
		{"secret", c.Secret.Reveal()},
		{"secret_file", c.SecretFile},
		{"public_key_file", c.PublicKeyFile},
		{"jwks_url", c.JWKSURL},
	}
	first := ""
	for _, s := range sources {
		switch {
		case s.value == "":
		case first == "":
			first = s.name
		default:
			report("jwt."+s.name, fmt.Sprintf("can't be set together with jwt.%s: tokens are verified by one of them", first))
		}
	}
	if first == "" {
		c.validateUnused(report)
	}
	if c.JWKSURL != "" && !isFetchable(c.JWKSURL) {
		// Not shown: it may hold a password.
		report("jwt.jwks_url", "expected http:// or https:// with a host, and without a user or password")
	}
}

// validateUnused reports demands on claims that nothing would verify.
func (c *JWT) validateUnused(report func(path, problem string)) {
	const problem = "has no effect unless one of jwt.secret, secret_file, public_key_file and jwks_url is set"
	if c.Issuer != "" {
		report("jwt.issuer", problem)
	}
	if c.Audience != "" {
		report("jwt.audience", problem)
	}
}

func (c *Introspection) validate(report func(path, problem string)) {
	if c.TTL <= 0 {
		report("introspection.ttl", fmt.Sprintf("must be greater than 0, got %s", c.TTL))
	}
	if c.Path == "" {
		return
	}
	if c.Path[0] != '/' {
		report("introspection.path", fmt.Sprintf("must start with /, got %q", c.Path))
	}
	rest := strings.ReplaceAll(c.Path, userPlace, "")
	if visible([]byte(rest)) != len(rest) || strings.ContainsAny(rest, `{}#\`) {
		report("introspection.path", fmt.Sprintf("expected a path such as /v2/users/{user}, got %q", c.Path))
	}
}

func reportRole(report func(path, problem string), path, role string) {
	if roleNamed(role) == Nobody {
		report(path, fmt.Sprintf("expected bot or human, got %q", role))
	}
}

func reportLongID(report func(path, problem string), path, id string) {
	if len(id) > maxUserID {
		report(path, fmt.Sprintf("must have at most %d bytes, has %d", maxUserID, len(id)))
	}
}

// isFieldName reports whether name is a token of RFC 9110, section 5.6.2.
func isFieldName(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func isFetchable(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
