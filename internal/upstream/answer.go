package upstream

import (
	"bytes"

	"github.com/chatshipper/gateway/internal/http1"
)

const (
	maxFields  = 200 // header lines of one answer
	maxInterim = 10  // 1xx answers before the final one
)

// receive reads the head of the final answer into resp and prepares c.body.
func (c *conn) receive(resp *Response, req *Request) error {
	for range maxInterim + 1 {
		block, err := c.readHead()
		if err != nil {
			return err
		}
		f, err := resp.parse(block)
		if err != nil {
			return err
		}
		c.stay(resp, block)
		if resp.Status >= 200 {
			c.frame(resp, &f, req.HeadMethod)
			c.keep = c.keep && !req.Upgrade
			return nil
		}
		if resp.Status == 101 && req.Upgrade && resp.isWebSocket() {
			return nil
		}
		if resp.Status == 101 {
			return http1.MalformedError("101 Switching Protocols to what the request did not ask for")
		}
	}
	return http1.MalformedError("more than 10 interim answers")
}

// stay leaves the head where it is for as long as the answer is read. One so large that
// little room would be left behind it goes elsewhere.
func (c *conn) stay(resp *Response, block []byte) {
	c.base = len(block)
	if c.base > len(c.buf)/2 {
		resp.own(c)
		c.base = 0
	}
}

// frame decides where the body ends and whether the connection can carry
// another request after it. An error without a Date comes from below the
// application: the upstream could not read the request and is about to hang up,
// which not every one says (Fastify doesn't).
func (c *conn) frame(resp *Response, f *framing, headMethod bool) {
	c.keep = !f.close && (!f.http10 || f.keepAlive) && (resp.Status < 400 || f.dated || f.keepAlive)
	c.patience = idleTime
	if f.patience > 0 {
		c.patience = min(c.patience, f.patience)
	}
	resp.ContentLength = f.length
	switch {
	case headMethod || resp.Status == 304:
		c.body = body{conn: c, kind: fixed, done: true}
	case resp.Status == 204:
		c.body = body{conn: c, kind: fixed, done: true}
		c.keep = c.keep && !f.chunked && f.length <= 0 // a body that can't be may follow
	case f.chunked:
		c.body = body{conn: c, kind: chunked}
	case f.length >= 0:
		c.body = body{conn: c, kind: fixed, left: f.length, done: f.length == 0}
	default:
		resp.ContentLength = CloseDelimited
		c.body = body{conn: c, kind: untilClose}
		c.keep = false
	}
	c.body.events = f.events && !c.body.done
}

var endOfHead = []byte("\r\n\r\n")

// readHead reads up to the next blank line. The block is in the buffer, and
// valid until the next read.
func (c *conn) readHead() ([]byte, error) {
	c.w = copy(c.buf[:], c.window()) // behind an interim answer
	c.base, c.r = 0, 0
	for seen := 0; ; {
		if i := bytes.Index(c.buf[seen:c.w], endOfHead); i >= 0 {
			c.r = seen + i + len(endOfHead)
			return c.buf[:c.r], nil
		}
		if err := plausible(c.buf[:c.w]); err != nil {
			return nil, err
		}
		if c.w == len(c.buf) {
			return nil, http1.MalformedError("header larger than 32 KiB")
		}
		seen = max(0, c.w-len(endOfHead)+1) // the end may be cut anywhere
		if err := c.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

var version = []byte("HTTP/1.")

// plausible tells the beginning of an answer from what can't become one, so
// that nobody waits for its end.
func plausible(b []byte) error {
	if n := min(len(b), len(version)); !bytes.Equal(b[:n], version[:n]) {
		return errVersion
	}
	for i := bytes.IndexByte(b, '\n'); i >= 0; {
		if b[i-1] != '\r' { // i > 0: b begins with the version
			return errBareLF
		}
		next := bytes.IndexByte(b[i+1:], '\n')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}
