package proxy

import (
	"time"

	"github.com/chatshipper/gateway/limiter"
)

func testOverride(cidr string, requests int) limiter.Override {
	return limiter.Override{CIDR: cidr, Requests: requests, Window: time.Second}
}

func testExempt(path string) limiter.Exempt { return limiter.Exempt{Path: path} }

// plainGet is a request as plain as they come.
const plainGet = "GET /v2/users?limit=10 HTTP/1.1\r\nHost: edge.example\r\nAuthorization: Bearer t\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
