package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// prober asks a listener of this very machine, by an address that its certificate
// need not name, for something that is no secret: there is nothing to verify.
var prober = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}}

// runHealthcheck asks the running gateway's admin listener whether it is ready,
// for a container that has neither shell nor curl.
func runHealthcheck(ctx context.Context, args []string, c console) error {
	_, cfg, err := configFlag("healthcheck", args, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	scheme := "http://"
	if cfg.Admin.TLS.CertFile != "" {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+reachable(cfg.Admin.Address)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", cfg.Admin.Address, err)
	}
	resp, err := prober.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the gateway: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway is not ready: %s", resp.Status)
	}
	_, err = fmt.Fprintln(c.out, "ready")
	return err
}

// reachable is where a listener can be reached from this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
