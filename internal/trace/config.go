package trace

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/http1"
	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `tracing:` block of the configuration.
type Config struct {
	OTLPEndpoint string        `yaml:"otlp_endpoint"` // http:// or https://; empty turns traces off
	Headers      unit.Secret   `yaml:"headers"`       // name=value,name=value, with values percent-encoded
	HeadersFile  string        `yaml:"headers_file"`
	SampleRatio  float64       `yaml:"sample_ratio"` // from 0 to 1
	ServiceName  string        `yaml:"service_name"`
	Timeout      time.Duration `yaml:"timeout"` // for the collector to take one batch
	TLS          TLS           `yaml:"tls"`
}

// TLS sets how the collector's certificate is verified, which it always is, and
// with which certificate of ours, if any, the gateway shows who it is.
type TLS struct {
	CAFile     string `yaml:"ca_file"`     // PEM; empty means the system's authorities
	ServerName string `yaml:"server_name"` // empty means the host of the endpoint
	CertFile   string `yaml:"cert_file"`   // PEM chain of the client certificate; both files are set, or none
	KeyFile    string `yaml:"key_file"`    // PEM private key
}

// Deps are what the spans say of this process, and where it tells of trouble.
type Deps struct {
	Version  string
	Instance string // of this process, unique
	Host     string // may be empty
	Logger   *slog.Logger
}

// DefaultConfig exports nothing.
func DefaultConfig() Config {
	return Config{SampleRatio: 0.01, ServiceName: "chatshipper-gateway", Timeout: 10 * time.Second}
}

// path is where OTLP/HTTP takes traces, below the base of a collector.
const path = "/v1/traces"

// Validate reports every mistake in the block, with its path inside the block.
func (c *Config) Validate(report func(path, problem string)) {
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		report("sample_ratio", fmt.Sprintf("must be from 0 to 1, got %g", c.SampleRatio))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		report("timeout", fmt.Sprintf("must be between 100ms and 1m, got %s", c.Timeout))
	}
	if c.ServiceName == "" {
		report("service_name", "must name the service that the spans are of")
	}
	if _, err := parseHeaders(c.Headers.Reveal()); err != nil {
		report("headers", err.Error())
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		report("tls.cert_file", "must be set when tls.key_file is, and only then")
	}
	if c.OTLPEndpoint != "" {
		c.validateEndpoint(report)
	}
}

func (c *Config) validateEndpoint(report func(path, problem string)) {
	if _, err := c.url(); err != nil {
		report("otlp_endpoint", err.Error())
		return
	}
	if !strings.HasPrefix(c.OTLPEndpoint, "http:") {
		return
	}
	for path, value := range map[string]string{
		"tls.ca_file": c.TLS.CAFile, "tls.server_name": c.TLS.ServerName, "tls.cert_file": c.TLS.CertFile, "tls.key_file": c.TLS.KeyFile,
	} {
		if value != "" {
			report(path, "is of no use with an http:// endpoint")
		}
	}
}

// url is where spans are posted: the endpoint itself when it ends in /v1/traces,
// else that below it. Its errors don't repeat a password that may stand in it.
func (c *Config) url() (string, error) {
	u, err := url.Parse(c.OTLPEndpoint)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "", errors.New("expected the URL of an OTLP/HTTP collector such as http://collector:4318")
	case u.User != nil:
		return "", errors.New("must have no user or password: put them into tracing.headers")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(c.OTLPEndpoint, "#"):
		return "", errors.New("must have no query or fragment")
	case u.Port() == "4317":
		return "", errors.New("port 4317 is that of OTLP/gRPC, which is not spoken here; OTLP/HTTP has 4318")
	}
	base := strings.TrimSuffix(c.OTLPEndpoint, "/")
	if strings.HasSuffix(base, path) {
		return base, nil
	}
	return base + path, nil
}

// ours are the fields that the export writes itself.
var ours = []string{"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Host", "Connection", "User-Agent"}

// parseHeaders reads "name=value,name=value" with percent-encoded values, the form
// of OTEL_EXPORTER_OTLP_HEADERS. Its errors show no value.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	for n, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, encoded, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if !found || !isToken(name) || err != nil || !http1.IsFieldValue([]byte(value)) {
			return nil, fmt.Errorf("expected name=value,name=value with percent-encoded values; number %d is none", n+1)
		}
		if slices.Contains(ours, http.CanonicalHeaderKey(name)) {
			return nil, fmt.Errorf("%s is written by the gateway itself", http.CanonicalHeaderKey(name))
		}
		h.Add(name, value)
	}
	return h, nil
}

// isToken reports whether RFC 9110 allows a name for a header field.
func isToken(name string) bool {
	for i := range len(name) {
		if !http1.IsTokenByte(name[i]) {
			return false
		}
	}
	return name != ""
}

// resource is what all spans of this process have in common.
func (c *Config) resource(d Deps) []Attribute {
	list := []Attribute{Text("service.name", c.ServiceName), Text("service.version", d.Version), Text("service.instance.id", d.Instance)}
	if d.Host != "" {
		list = append(list, Text("host.name", d.Host))
	}
	return list
}
