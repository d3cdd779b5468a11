package admin

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Validate reports every mistake in the block, with its path inside the block.
func (c *Config) Validate(report func(path, problem string)) {
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		report("tls.cert_file", "must be set when admin.tls.key_file is, and only then")
	}
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		report("address", fmt.Sprintf(`expected an address such as "127.0.0.1:9900", got %q`, c.Address))
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		report("address", fmt.Sprintf("expected a port from 0 to 65535, got %q", port))
	}
	if c.TokenFile == "" && !isLoopback(host) {
		report("token_file", fmt.Sprintf("must be set, because admin.address %q is not a loopback address", c.Address))
	}
}

// isLoopback reports whether nobody outside this machine can reach host. A
// name other than localhost may resolve to anything, so it counts as reachable.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
