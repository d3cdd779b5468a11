package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/chatshipper/gateway/internal/deadline"
	"github.com/chatshipper/gateway/internal/loop"
)

const (
	// maxWait bounds the wait for one of the connections when all are busy: a
	// queue that does not move is better refused than made longer.
	maxWait = 50 * time.Millisecond
	// manyStale dead connections in a row mean that the upstream was restarted:
	// the others are dead too.
	manyStale = 3
)

// Client sends requests to one upstream. It is safe for concurrent use.
type Client struct {
	cfg    Config
	origin origin
	tls    *tls.Config  // nil for http
	now    func() int64 // process time, ns
	pool   pool
	busy   *Error // what a request gets that finds no connection

	sweeper *deadline.Sweeper // ends exchanges that take longer than cfg.Timeout

	addresses []string    // of the server, host:port: the one that was found best first
	budget    func() bool // asked before a request is sent once more; nil: always
}

// New makes a client. It asks nothing of the upstream. Errors mean that the URL
// is of no use, or that the file of authorities can't be used.
func New(cfg Config) (*Client, error) {
	o, err := parseOrigin(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("cannot use upstream.url: %w", err)
	}
	secure, err := newTLS(cfg.TLS, o)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	c := &Client{
		cfg: cfg, origin: o, tls: secure, now: func() int64 { return int64(time.Since(start)) },
		sweeper: newSweeper(&cfg), addresses: []string{o.address},
	}
	c.pool.max, c.pool.clock = cfg.MaxConnections, c.now
	c.busy = &Error{Reason: ReasonNoFreeConns, Again: true, Err: fmt.Errorf("all %d connections are busy", cfg.MaxConnections)}
	return c, nil
}

func newSweeper(cfg *Config) *deadline.Sweeper {
	shortest := cfg.Timeout
	if first := cfg.FirstByteTimeout; first > 0 {
		shortest = min(shortest, first)
	}
	return deadline.New(shortest)
}

// Host is the authority for the Host header: without the port when it is the
// scheme's own.
func (c *Client) Host() string { return c.origin.authority }

// Scheme is http or https.
func (c *Client) Scheme() string { return c.origin.scheme }

// Stats counts the connections.
func (c *Client) Stats() Stats { return c.pool.stats() }

// Close closes the idle connections. Those in use are closed after their answer.
func (c *Client) Close() { c.pool.close() }

// limit is when an exchange must be over: at a moment of the sweeper's, or at a
// time that the caller set.
type limit struct {
	soft int64
	head int64 // likewise for the head of the answer; 0: none of its own
	hard time.Time
}

func (c *Client) by(t time.Time) limit {
	if t.IsZero() {
		l := limit{soft: c.sweeper.After(c.cfg.Timeout)}
		if first := c.cfg.FirstByteTimeout; first > 0 {
			l.head = c.sweeper.After(first)
		}
		return l
	}
	return limit{hard: t}
}

// Do sends a request and receives its answer. An error is always an *Error, and
// leaves nothing in resp but the Body that the caller had set.
func (c *Client) Do(req *Request, resp *Response) error {
	resp.clear()
	if !req.Deadline.IsZero() {
		req.Task.Leave() // a deadline of the connection's own is not for loops
	}
	if req.now == 0 {
		req.now = c.now()
	}
	cn, err := c.acquire(req.Task, req.now, req.Deadline)
	if err != nil {
		return err
	}
	by := c.by(req.Deadline)
	if err = c.try(cn, req, resp, by); err == nil {
		return nil
	}
	if !mayRepeat(err, cn, req) || !c.afford(err) {
		cn.drop()
	} else if err = c.repeat(cn, req, resp, by); err == nil {
		return nil
	}
	resp.clear()
	return err
}

// afford reports whether the budget allows to send a request once more. A
// connection that turned out to be dead before the request was written costs
// nothing: nobody has heard of the request yet.
func (c *Client) afford(err *Error) bool {
	return c.budget == nil || errors.Is(err.Err, loop.ErrNotIdle) || c.budget()
}

// mayRepeat reports whether the upstream can't have acted on the request, or may
// act on it twice: nothing was written, or the connection was an old one that
// ended, as old ones do, and the request is idempotent.
func mayRepeat(err *Error, cn *conn, req *Request) bool {
	if req.Source != nil {
		return false // it can be read only once
	}
	return err.Reason == ReasonReset && (!err.Sent || cn.reused && req.Idempotent)
}

// repeat sends a request once more: on a new connection, in the place of the
// one that failed.
func (c *Client) repeat(failed *conn, req *Request, resp *Response, by limit) *Error {
	sent := failed.sent
	failed.abort()
	req.Task.Leave()
	cn, err := c.open(by.hard)
	if err == nil {
		if err = c.try(cn, req, resp, by); err == nil {
			return nil
		}
		cn.drop()
	}
	err.Sent = err.Sent || sent
	return err
}

// try sends a request on a connection and receives the answer. After an error
// the connection is the caller's to close.
func (c *Client) try(cn *conn, req *Request, resp *Response, by limit) *Error {
	err := cn.begin(by, resp)
	if err == nil {
		err = cn.ask(req)
	}
	if req.Source != nil && err == nil && cn.whole != 0 { // the wait begins when all is sent
		cn.whole = cn.later()
		cn.watch.SetAt(c.by(time.Time{}).head)
	}
	broken := err
	if broken == nil || cn.sent && !isTimeout(broken) && reasonOf(broken, false) != ReasonSource { // an upstream may answer before it has read all, and hang up
		if err = c.receive(cn, req, resp, broken != nil); err == nil {
			return nil
		}
	}
	if broken != nil && !cn.begun {
		err = broken
	}
	return &Error{Reason: reasonOf(err, cn.begun), Sent: cn.sent, Err: err}
}

// receive reads the answer: all of it, or its head when the body is to be
// streamed. On a broken connection nothing is sent again.
func (c *Client) receive(cn *conn, req *Request, resp *Response, broken bool) error {
	if err := cn.receive(resp, req); err != nil {
		return err
	}
	if cn.whole != 0 {
		cn.watch.SetAt(cn.whole)
	}
	if resp.Status == 101 {
		return cn.switchProtocols(resp)
	}
	cn.keep = cn.keep && !broken && !cn.early
	most, start := int64(c.cfg.StreamAbove), len(resp.Body)
	var prefix []byte
	if !cn.body.events && cn.body.left <= most {
		if req.Pipes && resp.Status < 400 && cn.pipes() {
			resp.Pipe = loop.NewPipe()
		}
		all, err := cn.body.appendTo(resp.Body, most, resp.Pipe)
		if err != nil {
			return err
		}
		if cn.body.done {
			resp.Body, resp.At = all, c.now()
			resp.buf, cn.buf = cn.buf, nil
			cn.release(resp.At)
			return nil
		}
		resp.Body, prefix = all[:start], bytes.Clone(all[start:])
	}
	resp.own(cn)
	resp.Stream = &stream{client: c, conn: cn, prefix: prefix}
	if !cn.watch.Clear() {
		return errLate
	}
	return nil
}

// acquire takes a connection that is alive: an idle one, else a new one.
func (c *Client) acquire(t *loop.Task, now int64, by time.Time) (*conn, *Error) {
	patience := maxWait
	if !by.IsZero() {
		patience = min(patience, time.Until(by))
	}
	var cn *conn
	ok := false
	if t.OnLoop() {
		cn, ok = c.pool.get(0, t.Loop())
	}
	if !ok {
		t.Leave()
		cn, ok = c.pool.get(patience, nil)
		now = c.now()
	}
	if !ok {
		return nil, c.busy
	}
	for stale := 1; cn != nil; stale++ {
		if now < cn.expires && !cn.spent(t) {
			return cn, nil
		}
		cn.abort()
		if stale == manyStale {
			c.pool.dropIdle()
		}
		cn = c.pool.another(t.Loop())
	}
	t.Leave()
	return c.open(by)
}

// open opens a connection in a place that the caller holds; the place is given
// back when that fails.
func (c *Client) open(by time.Time) (*conn, *Error) {
	cn, err := c.dial(context.Background(), by)
	if err != nil {
		c.pool.free(1)
		return nil, err
	}
	cn.place = &c.pool
	return cn, nil
}
