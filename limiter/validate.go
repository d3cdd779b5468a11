package limiter

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// maxRequests bounds a limit, because a key's log has room for all of it.
const maxRequests = 100_000

// Validate reports every mistake in the block, with its path inside the block.
func (c *Config) Validate(report func(path, problem string)) {
	validateLimit("per_ip.", c.PerIP.Requests, c.PerIP.Window, report)
	if c.PerIP.IPv6Prefix < 1 || c.PerIP.IPv6Prefix > 128 {
		report("per_ip.ipv6_prefix", fmt.Sprintf("must be from 1 to 128, got %d", c.PerIP.IPv6Prefix))
	}
	c.PerIP.Shadow.validate("per_ip.shadow.", c.PerIP.Window, report)
	c.PerKey.Shadow.validate("per_key.shadow.", c.PerKey.Window, report)
	validateLimit("per_key.", c.PerKey.Requests, c.PerKey.Window, report)
	if c.PerKey.By != "token" && c.PerKey.By != "user" {
		report("per_key.by", fmt.Sprintf("must be token or user, got %q", c.PerKey.By))
	}
	for i := range c.Overrides {
		c.Overrides[i].validate(fmt.Sprintf("overrides[%d]", i), report)
	}
	for i := range c.Exempt {
		c.Exempt[i].validate(fmt.Sprintf("exempt[%d]", i), report)
	}
}

// validate checks a candidate, if there is one. window is that of the limit.
func (c Candidate) validate(path string, window time.Duration, report func(path, problem string)) {
	switch {
	case c.Window != 0 && c.Requests == 0:
		report(path+"requests", "must be greater than 0 for a candidate with a window of its own")
	case c.Window != 0:
		validateLimit(path, c.Requests, c.Window, report)
	case c.Requests != 0:
		validateLimit(path, c.Requests, max(window, time.Millisecond), report)
	}
}

func validateLimit(path string, requests int, window time.Duration, report func(path, problem string)) {
	if requests < 1 {
		report(path+"requests", fmt.Sprintf("must be greater than 0, got %d", requests))
	} else if requests > maxRequests {
		report(path+"requests", fmt.Sprintf("must be at most %d, got %d", maxRequests, requests))
	}
	if window < time.Millisecond || window > 24*time.Hour {
		report(path+"window", fmt.Sprintf("must be from 1ms to 24h, got %s", window))
	}
}

func (o *Override) validate(path string, report func(path, problem string)) {
	validateLimit(path+".", o.Requests, o.Window, report)
	if countSet(o.KeySHA256, o.User, o.CIDR) != 1 {
		report(path, "must name exactly one of key_sha256, user and cidr")
	}
	if sum, err := hex.DecodeString(o.KeySHA256); o.KeySHA256 != "" && (err != nil || len(sum) != 32) {
		report(path+".key_sha256", "must be the 64 hex digits of a SHA-256")
	}
	validateNetwork(path+".cidr", o.CIDR, report)
}

func (e *Exempt) validate(path string, report func(path, problem string)) {
	if countSet(e.Path, e.CIDR) != 1 {
		report(path, "must name exactly one of path and cidr")
	}
	if e.Path != "" && !strings.HasPrefix(e.Path, "/") {
		report(path+".path", fmt.Sprintf("must start with /, got %q", e.Path))
	}
	validateNetwork(path+".cidr", e.CIDR, report)
}

func validateNetwork(path, cidr string, report func(path, problem string)) {
	if cidr == "" {
		return
	}
	if _, err := parseNetwork(cidr); err != nil {
		report(path, fmt.Sprintf("must be a network such as 10.0.0.0/8 or an address, got %q", cidr))
	}
}

func countSet(values ...string) (n int) {
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}
