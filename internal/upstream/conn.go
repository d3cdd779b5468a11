package upstream

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/deadline"
	"github.com/chatshipper/gateway/internal/loop"
)

const (
	// maxHead bounds the status line and the header lines of an answer, so that
	// one buffer holds them whole.
	maxHead = 32 << 10
	// copyLimit is up to which size a request's head and body are copied
	// together, to go out in one segment and one TLS record.
	copyLimit = 16 << 10
	// firstRead is how much of an answer is read at first: its head, most often,
	// and all of it when it is small. What is left of a large body goes to where
	// it belongs without a copy (5 % of BenchmarkDo with 30 kB).
	firstRead = 4 << 10
)

// buffer serves one exchange: the request leaves from it, then the answer comes
// into it, and its head stays there. Idle connections hold none.
type buffer [maxHead]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// conn is one connection to the upstream.
type conn struct {
	tcp   *net.TCPConn // nil in tests that need no socket
	nc    net.Conn     // *net.TCPConn, or *tls.Conn over wire
	wire  *wire        // nil without TLS
	probe probe
	watch deadline.Watch

	client   *Client
	place    *pool // the pool that it has a place in, or nil
	reused   bool  // has carried an answer before
	retires  int64 // process time from which it is not used again, ns
	patience int64 // how long it may be idle, ns
	expires  int64 // while it is idle: process time from which it is not used again, ns

	// the exchange that runs on it
	buf   *buffer
	base  int  // buf begins with the head of the answer, so long
	r, w  int  // the bytes received and not yet consumed are buf[r:w]
	begun bool // a byte of the answer came
	sent  bool // a byte of the request was written
	early bool // the answer began before the whole request was sent
	keep  bool // may be used again after this answer
	hard  bool // a deadline is set on nc itself
	body  body

	asking asking                     // see ask
	task   *loop.Task                 // what runs the exchange
	seat   atomic.Pointer[loop.Place] // on the loop that it was used on last
	whole  int64                      // when the whole answer must be there, while watch is for its head; else 0

	parts   [2][]byte // what vectors points into
	vectors net.Buffers
}

// begin makes the connection ready for an exchange that must be over in time. The
// buffer is the answer's, when it has one from the last time.
func (c *conn) begin(by limit, resp *Response) error {
	if c.buf, resp.buf = resp.buf, nil; c.buf == nil {
		c.buf = buffers.Get().(*buffer)
	}
	c.asking.err = nil
	c.base, c.r, c.w, c.begun, c.sent, c.early, c.keep = 0, 0, 0, false, false, false, false
	if c.wire != nil {
		c.wire.written = 0
	}
	c.whole = 0
	if by.hard.IsZero() {
		if by.head != 0 {
			c.whole, by.soft = by.soft, by.head
		}
		c.watch.SetAt(by.soft)
		return nil
	}
	c.hard = true
	return c.nc.SetDeadline(by.hard)
}

// expire ends whatever waits for the connection; the sweeper calls it.
func (c *conn) expire() {
	_ = c.nc.SetDeadline(time.Unix(1, 0))
	if p := c.seat.Load(); p != nil {
		p.Wake()
	}
}

// end gives the buffer back.
func (c *conn) end() {
	if c.buf != nil {
		buffers.Put(c.buf)
		c.buf = nil
	}
}

// send writes a request.
func (c *conn) send(req *Request) error {
	err := c.sendWhole(req.Head, req.Body, req.Chunked)
	if err == nil && req.Source != nil {
		err = c.sendSource(req)
	}
	return err
}

// sendWhole writes what is in memory: in one write when it is small, else
// without copying it.
func (c *conn) sendWhole(head, body []byte, chunked bool) error {
	if chunked && len(body) > 0 {
		head = appendChunkSize(bytes.Clone(head), len(body))
		body = append(bytes.Clone(body), "\r\n"...)
	}
	var n int64
	var err error
	switch {
	case len(body) == 0:
		n, err = c.write(head)
	case len(head)+len(body) <= copyLimit:
		n, err = c.write(append(append(c.buf[:0], head...), body...))
	case c.wire == nil:
		n, err = c.writev(head, body)
	default:
		if n, err = c.write(head); err == nil {
			_, err = c.write(body)
		}
	}
	c.sent = n > 0
	if c.wire != nil {
		c.sent = c.wire.written > 0 // a TLS record that went out in part counts as well
	}
	return err
}

// later is the moment when the next piece must be over.
func (c *conn) later() int64 { return c.client.sweeper.After(c.client.cfg.Timeout) }

func (c *conn) write(b []byte) (int64, error) {
	n, err := c.nc.Write(b)
	return int64(n), err
}

func (c *conn) writev(head, body []byte) (int64, error) {
	c.parts = [2][]byte{head, body}
	c.vectors = c.parts[:]
	n, err := c.vectors.WriteTo(c.nc)
	c.parts, c.vectors = [2][]byte{}, nil
	return n, err
}

// window is what was received and not yet consumed.
func (c *conn) window() []byte { return c.buf[c.r:c.w] }

// fill waits for more bytes and adds them to the window.
func (c *conn) fill() error {
	if err := c.asking.err; err != nil { // of the first read, which ask did
		c.asking.err = nil
		return err
	}
	if c.r == c.w {
		c.r, c.w = c.base, c.base
	}
	end := len(c.buf)
	if !c.begun {
		end = firstRead
	}
	n, err := c.read(c.buf[c.w:end])
	c.w += n
	if n > 0 {
		c.begun = true
		return nil // an error comes back with the next read
	}
	return err
}

// release gives the connection back after a whole answer: to the pool when
// nothing is in doubt.
func (c *conn) release(now int64) {
	inTime := c.watch.Clear()
	if c.hard {
		c.hard = false
		inTime = c.nc.SetDeadline(time.Time{}) == nil && inTime
	}
	clean := inTime && c.keep && c.r == c.w // bytes behind the answer belong to nobody
	c.end()
	c.task = nil
	c.reused, c.expires = true, min(now+c.patience, c.retires)
	if !clean || c.place == nil || !c.place.put(c, now) {
		c.drop()
	}
}

// drop closes the connection at once and gives up its place.
func (c *conn) drop() {
	c.abort()
	if c.place != nil {
		c.place.free(1)
	}
}

// close says good-bye, and closes the connection, which is idle.
func (c *conn) close() {
	c.watch.Remove()
	c.part()
	_ = c.nc.Close()
}

// abort closes the connection at once. Under TLS a good-bye could block behind
// what the upstream does not read.
func (c *conn) abort() {
	c.end()
	c.watch.Remove()
	c.part()
	c.cut()
}

// cut closes the socket; the exchange that runs on it, if any, fails.
func (c *conn) cut() {
	if c.wire != nil {
		_ = c.wire.Close()
		return
	}
	_ = c.nc.Close()
}
