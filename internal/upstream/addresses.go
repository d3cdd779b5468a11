package upstream

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

const (
	// MaxAddresses is how many addresses one upstream may have.
	MaxAddresses = 64

	minResolve  = time.Second
	minOpen     = 100 * time.Millisecond
	attemptWait = 300 * time.Millisecond // before the next address of a name is tried beside the last (RFC 8305)
)

// CircuitBreaker says when an address gets no more requests for a while.
type CircuitBreaker struct {
	Failures int           `yaml:"failures"`      // in a row; 0 turns it off
	Open     time.Duration `yaml:"open_time"`     // until one request may try again; doubles each time that fails
	MaxOpen  time.Duration `yaml:"max_open_time"` // up to this
}

// RetryBudget bounds the requests that are sent again.
type RetryBudget struct {
	Percent   int `yaml:"percent"`        // of the requests of the last 10 s
	PerSecond int `yaml:"min_per_second"` // and so many each second, however few requests there are
}

// Targets are the addresses to connect to, as they are configured: host:port.
func (c *Config) Targets() []string {
	if len(c.Addresses) > 0 {
		return slices.Clone(c.Addresses)
	}
	o, err := parseOrigin(c.URL)
	if err != nil {
		return nil
	}
	return []string{o.address}
}

// Authorities are the addresses as they stand in a URL of the same scheme:
// without its default port. That of the URL comes first.
func (c *Config) Authorities() []string {
	o, err := parseOrigin(c.URL)
	if err != nil {
		return nil
	}
	list := []string{o.authority}
	for _, a := range c.Addresses {
		if other, err := parseOrigin(o.scheme + "://" + a); err == nil && !slices.Contains(list, other.authority) {
			list = append(list, other.authority)
		}
	}
	return list
}

func (c *Config) validateAddresses(report func(path, problem string)) {
	if n := len(c.Addresses); n > MaxAddresses {
		report("addresses", fmt.Sprintf("must be at most %d, got %d", MaxAddresses, n))
	}
	for i, a := range c.Addresses {
		path := fmt.Sprintf("addresses[%d]", i)
		host, port, err := net.SplitHostPort(a)
		n, wrong := strconv.Atoi(port)
		switch {
		case err != nil || !isHost(host) || wrong != nil || n < 1 || n > 65535:
			report(path, fmt.Sprintf("expected an address such as api-1.internal:443 or 10.0.0.1:8080, got %q", a))
		case slices.Index(c.Addresses, a) < i:
			report(path, a+" is listed twice")
		}
	}
	if c.ResolveInterval < minResolve {
		report("resolve_interval", fmt.Sprintf("must be at least 1s, got %s", c.ResolveInterval))
	}
	c.CircuitBreaker.validate(report)
	if p := c.RetryBudget.Percent; p < 0 || p > 100 {
		report("retry_budget.percent", fmt.Sprintf("must be from 0 to 100, got %d", p))
	}
	if n := c.RetryBudget.PerSecond; n < 0 {
		report("retry_budget.min_per_second", fmt.Sprintf("must be at least 0, got %d", n))
	}
}

func (b *CircuitBreaker) validate(report func(path, problem string)) {
	if b.Failures < 0 {
		report("circuit_breaker.failures", fmt.Sprintf("must be at least 0 (0 turns it off), got %d", b.Failures))
	}
	if b.Open < minOpen {
		report("circuit_breaker.open_time", fmt.Sprintf("must be at least 100ms, got %s", b.Open))
	}
	if b.MaxOpen < b.Open {
		report("circuit_breaker.max_open_time", fmt.Sprintf("must be at least open_time (%s), got %s", b.Open, b.MaxOpen))
	}
}

// At makes a client of the same upstream that connects to given addresses,
// host:port, all of one server: the next is tried when one does not answer soon.
// mayRepeat is asked before a request is sent once more; nil means always.
func (c *Client) At(addresses []string, mayRepeat func() bool) *Client {
	n := &Client{
		cfg: c.cfg, origin: c.origin, tls: c.tls, now: c.now, busy: c.busy,
		sweeper: newSweeper(&c.cfg), addresses: addresses, budget: mayRepeat,
	}
	n.pool.max, n.pool.clock = c.cfg.MaxConnections, c.now
	return n
}

// connect opens a TCP connection to the first of the addresses that answers. A
// next one is tried when the last one failed, or has not answered for a while.
func (c *Client) connect(ctx context.Context, deadline time.Time) (net.Conn, error) {
	dialer := net.Dialer{Deadline: deadline, Control: loop.Local}
	if len(c.addresses) == 1 {
		return dialer.DialContext(ctx, "tcp", c.addresses[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, len(c.addresses))
	next, flying := 0, 0
	try := func() {
		address := c.addresses[next]
		next, flying = next+1, flying+1
		go func() {
			conn, err := dialer.DialContext(ctx, "tcp", address)
			results <- result{conn, err}
		}()
	}
	for try(); ; {
		var more <-chan time.Time
		if next < len(c.addresses) {
			more = time.After(attemptWait)
		}
		select {
		case r := <-results:
			if flying--; r.err == nil {
				go func() { // those that come too late
					for range flying {
						if late := <-results; late.conn != nil {
							_ = late.conn.Close()
						}
					}
				}()
				return r.conn, nil
			}
			if next < len(c.addresses) {
				try()
			} else if flying == 0 {
				return nil, r.err
			}
		case <-more:
			try()
		}
	}
}
