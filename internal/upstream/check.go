package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check asks the upstream for Config.HealthCheck.Path, or / when there is none.
// An answer of 200 to 399 is healthy. It uses a connection of its own, outside
// the pool: so it can tell a busy upstream from a dead one, and sees what a new
// connection would.
func (c *Client) Check(ctx context.Context) error {
	deadline := time.Now().Add(c.cfg.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	cn, failure := c.dial(ctx, deadline)
	if failure != nil {
		return failure
	}
	defer context.AfterFunc(ctx, cn.cut)()
	path := c.cfg.HealthCheck.Path
	if path == "" {
		path = "/"
	}
	var resp Response
	if failure = c.try(cn, &Request{Head: c.checkHead(path)}, &resp, limit{hard: deadline}); failure != nil {
		cn.drop()
		if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) { // what cut the connection
			return &Error{Reason: ReasonTimeout, Sent: failure.Sent, Err: err}
		}
		return failure
	}
	if resp.Stream != nil {
		_ = resp.Stream.Close()
	}
	if resp.Status >= 400 {
		return fmt.Errorf("cannot call upstream healthy: %s was answered %d", path, resp.Status)
	}
	return nil
}

// checkHead asks for a connection of one request, which is what it gets.
func (c *Client) checkHead(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + c.Host() + "\r\nUser-Agent: gateway\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}
