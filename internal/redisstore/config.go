package redisstore

import (
	"fmt"
	"net"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `store.redis:` block of the configuration.
type Config struct {
	Addresses     []string      `yaml:"addresses"`  // of the server, of some nodes of a Cluster, or of the Sentinels
	KeySecret     unit.Secret   `yaml:"key_secret"` // keys hold hashes keyed with it; the same on every gateway
	KeySecretFile string        `yaml:"key_secret_file"`
	Username      string        `yaml:"username"` // of the ACL; empty means the default user
	Password      unit.Secret   `yaml:"password"`
	PasswordFile  string        `yaml:"password_file"`
	Sentinel      Sentinel      `yaml:"sentinel"`
	TLS           TLS           `yaml:"tls"`
	Timeout       time.Duration `yaml:"timeout"`    // for one decision; 1ms to 10s
	Replicas      int           `yaml:"replicas"`   // gateways that share the store; at least 1
	OnFailure     string        `yaml:"on_failure"` // local, allow or deny
}

// Sentinel finds the master of a set that Sentinels watch.
type Sentinel struct {
	Master       string      `yaml:"master"`   // name of the set; empty means no Sentinel
	Username     string      `yaml:"username"` // at the Sentinels
	Password     unit.Secret `yaml:"password"`
	PasswordFile string      `yaml:"password_file"`
}

// TLS sets how connections are secured.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; empty means the system's authorities
	ServerName string `yaml:"server_name"` // empty means the host of the address
}

// What is done when the store can't answer.
const (
	Local = "local" // each gateway counts for itself, with its share of the limits
	Allow = "allow"
	Deny  = "deny"
)

// minSecret is how many characters make a secret that can't be guessed.
const minSecret = 16

// DefaultConfig has no addresses: nothing to connect to.
func DefaultConfig() Config {
	return Config{Timeout: 20 * time.Millisecond, Replicas: 1, OnFailure: Local}
}

// Validate reports every mistake, with its path inside the block. What only a
// store in use must have is checked when used says that it is. OnFailure is left
// to who reads words.
func (c *Config) Validate(used bool, report func(path, problem string)) {
	if c.Timeout < time.Millisecond || c.Timeout > 10*time.Second {
		report("timeout", fmt.Sprintf("must be between 1ms and 10s, got %v", c.Timeout))
	}
	if c.Replicas < 1 {
		report("replicas", fmt.Sprintf("must be at least 1, got %d", c.Replicas))
	}
	for i, address := range c.Addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			report(fmt.Sprintf("addresses[%d]", i), `expected an address such as "redis:6379"`)
		}
	}
	if n := len(c.KeySecret.Reveal()); n > 0 && n < minSecret {
		report("key_secret", fmt.Sprintf("must have at least %d characters", minSecret))
	}
	if !used {
		return
	}
	if len(c.Addresses) == 0 {
		report("addresses", "must name at least one server, because store.kind is redis")
	}
	if c.KeySecret == "" && c.KeySecretFile == "" {
		report("key_secret", "must be set, because store.kind is redis: all gateways need the same one, of at least 16 characters")
	}
}
