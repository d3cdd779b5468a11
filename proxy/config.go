package proxy

import (
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Listen is the `listen:` block of the configuration: the public listener.
type Listen struct {
	Address        string     `yaml:"address"`
	TrustedProxies []string   `yaml:"trusted_proxies"` // networks whose forwarded headers are believed
	MaxBodyBytes   unit.Bytes `yaml:"max_body_bytes"`
	MaxHeaderBytes unit.Bytes `yaml:"max_header_bytes"`
	MaxConnections int        `yaml:"max_connections"` // 0 means no limit of our own
	// MaxConnectionsPerIP bounds the connections of one IPv4 address or IPv6
	// network (limits.per_ip.ipv6_prefix); 0 means no limit. Trusted proxies are
	// not bound by it.
	MaxConnectionsPerIP int `yaml:"max_connections_per_ip"`
	// MaxRequestsInFlight bounds the requests that are being handled at once; 0
	// means no limit. One more is refused before its body is read.
	MaxRequestsInFlight int `yaml:"max_requests_in_flight"`
	// ProxyProtocol makes the connections of trusted proxies begin with the PROXY
	// protocol, version 1 or 2.
	ProxyProtocol     bool          `yaml:"proxy_protocol"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"` // header and body together
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	ShutdownDelay     time.Duration `yaml:"shutdown_delay"` // on SIGTERM: not ready, but still serving
	DrainTimeout      time.Duration `yaml:"drain_timeout"`  // then: time for what is in flight
	TLS               ListenTLS     `yaml:"tls"`
}

// ListenTLS makes the public listener speak TLS. Both files are set, or none.
type ListenTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Methods is the `methods:` block of the configuration.
type Methods struct {
	Allow      []string          `yaml:"allow"`
	Exceptions []MethodException `yaml:"exceptions"`
}

// MethodException opens a method for one path pattern, in which {name} stands
// for one segment.
type MethodException struct {
	Method string `yaml:"method"`
	Path   string `yaml:"path"`
}

// Webhook is the `webhook:` block of the configuration: where ChatShipper
// reports replies that do not pass through the gateway.
type Webhook struct {
	Path       string      `yaml:"path"` // on the public listener, outside the rate limits
	Secret     unit.Secret `yaml:"secret"`
	SecretFile string      `yaml:"secret_file"`
}

// Errors is the `errors:` block of the configuration.
type Errors struct {
	MaxBodyBytes  unit.Bytes `yaml:"max_body_bytes"` // a larger error body of the upstream is replaced
	TimeoutStatus int        `yaml:"timeout_status"` // 503, or 504
}

// DefaultListen is the public listener without TLS on port 8080.
func DefaultListen() Listen {
	return Listen{
		Address:           ":8080",
		MaxBodyBytes:      25 << 20,
		MaxHeaderBytes:    16 << 10,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       75 * time.Second,
		DrainTimeout:      25 * time.Second,
	}
}

// DefaultMethods are the documented ones, with HEAD and OPTIONS as HTTP's companions.
func DefaultMethods() Methods {
	return Methods{Allow: []string{"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"}}
}

// DefaultWebhook has no secret: the endpoint answers nothing until one is set.
func DefaultWebhook() Webhook { return Webhook{Path: "/_gateway/webhook"} }

// DefaultErrors answers an upstream timeout with the documented 503.
func DefaultErrors() Errors { return Errors{MaxBodyBytes: 64 << 10, TimeoutStatus: 503} }
