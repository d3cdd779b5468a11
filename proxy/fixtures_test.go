package proxy

import (
	"time"

	"github.com/chatshipper/gateway/limiter"
)

func testOverride(cidr string, requests int) limiter.Override {
	return limiter.Override{CIDR: cidr, Requests: requests, Window: time.Second}
}

func testExempt(path string) limiter.Exempt { return limiter.Exempt{Path: path} }
