package peer

import "syscall"

// Limiter is a peer that limits requests by the Authorization header: 20 in a
// second, each at once if need be.
type Limiter struct {
	Peer
	How    string         // it is said to limit
	Reload syscall.Signal // makes it load its configuration again
}

// Limiters lists those whose exactness is compared; binary is the gateway's.
// Caddy stands there without a limit: its standard distribution, which is
// Debian's, has none.
func Limiters(binary string) []Limiter {
	return []Limiter{
		{
			Peer:   Peer{Name: Gateway, conf: "gateway.yaml", cmd: []string{binary, "run", "--config"}},
			How:    "`limits.per_key: {requests: 20, window: 1s}`",
			Reload: syscall.SIGHUP,
		},
		{
			Peer:   Peer{Name: "HAProxy stick table", conf: "limit-haproxy.cfg", cmd: []string{"haproxy", "-W", "-L", "local", "-f"}},
			How:    "`http_req_rate(1s)` over 20 is refused; the table has a `peers` section for reloads",
			Reload: syscall.SIGUSR2,
		},
		{
			Peer:   Peer{Name: "nginx limit_req", conf: "limit-nginx.conf", cmd: []string{"nginx", "-c"}},
			How:    "`rate=20r/s`, `burst=19 nodelay`",
			Reload: syscall.SIGHUP,
		},
		{
			Peer:   Peer{Name: "Caddy", conf: "Caddyfile", cmd: []string{"caddy", "run", "--adapter", "caddyfile", "--config"}},
			How:    "nothing: it has no rate limit",
			Reload: syscall.SIGUSR1, // which it only logs
		},
	}
}
