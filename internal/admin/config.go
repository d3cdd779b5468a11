package admin

// Config is the `admin:` block of the configuration.
type Config struct {
	Address   string `yaml:"address"`    // on any address but loopback, token_file is required
	TokenFile string `yaml:"token_file"` // bearer token for everything but /healthz, /readyz and /metrics
	Pprof     bool   `yaml:"pprof"`      // serve /debug/pprof/
	TLS       TLS    `yaml:"tls"`
}

// TLS makes the admin listener speak TLS. Both files are set, or none.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// DefaultConfig listens on loopback only.
func DefaultConfig() Config { return Config{Address: "127.0.0.1:9900"} }
