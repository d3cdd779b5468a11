package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/chatshipper/gateway/internal/config"
)

// runHealthcheck asks the running gateway's admin listener whether it is ready,
// for a container that has neither shell nor curl.
func runHealthcheck(ctx context.Context, args []string, c console) error {
	_, cfg, err := configFlag("healthcheck", args, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+adminAuthority(cfg)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", cfg.Admin.Address, err)
	}
	resp, err := http.DefaultClient.Do(req)
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

// adminAuthority is where the admin listener can be reached from this machine.
func adminAuthority(cfg *config.Config) string {
	host, port, err := net.SplitHostPort(cfg.Admin.Address)
	if err != nil {
		return cfg.Admin.Address
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
