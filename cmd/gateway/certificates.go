package main

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/certs"
	"github.com/chatshipper/gateway/internal/config"
)

// certificate is one of ours, by the name of its block.
type certificate struct {
	name string
	*certs.Keeper
}

// certificates are those that the configuration names.
type certificates []certificate

// loadCertificates loads them all. The clients of the upstream and of the
// collector of traces load their own once more and renew it by themselves; here
// it is watched, so that a file that can't be
// used is in the log before the last good certificate expires.
func loadCertificates(cfg *config.Config) (list certificates, err error) {
	for _, c := range []struct{ name, cert, key string }{
		{"listen", cfg.Listen.TLS.CertFile, cfg.Listen.TLS.KeyFile},
		{"admin", cfg.Admin.TLS.CertFile, cfg.Admin.TLS.KeyFile},
		{"upstream", cfg.Upstream.TLS.CertFile, cfg.Upstream.TLS.KeyFile},
		{"tracing", cfg.Tracing.TLS.CertFile, cfg.Tracing.TLS.KeyFile},
	} {
		if c.cert == "" {
			continue
		}
		keeper, err := certs.New(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("cannot use %s.tls: %w", c.name, err)
		}
		list = append(list, certificate{c.name, keeper})
	}
	return list, nil
}

// server is how a listener speaks TLS, or nil when it speaks plain text.
func (l certificates) server(name string) *tls.Config {
	for _, c := range l {
		if c.name == name {
			return c.Server()
		}
	}
	return nil
}

// measure makes the series that an alert on expiry needs. There is one for each
// certificate and none without: 0 would look like one that has expired.
func (l certificates) measure(registry *prometheus.Registry) {
	for _, c := range l {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "gateway_tls_certificate_expiry_timestamp_seconds",
			Help:        "When the certificate in use expires.",
			ConstLabels: prometheus.Labels{"certificate": c.name},
		}, func() float64 { return float64(c.NotAfter().Unix()) }))
	}
}

// look takes what is new and good, and says so.
func (n *node) look() {
	for _, c := range n.certificates {
		renewed, err := c.Look()
		switch {
		case err != nil:
			n.logger.Error("certificate was not renewed", "certificate", c.name, "error", err)
		case renewed:
			n.logger.Info("certificate was renewed", "certificate", c.name, "expires", c.NotAfter().UTC().Format(time.RFC3339))
		}
	}
}
