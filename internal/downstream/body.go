package downstream

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/chatshipper/gateway/internal/http1"
)

const (
	// maxDiscard is how much of a body that nobody wanted is read to keep the
	// connection, bytes: more than that is not worth a connection.
	maxDiscard = 256 << 10
	// maxKept is the largest body buffer that is used again, bytes.
	maxKept = 512 << 10
	// firstBody is how much room a body gets before it has shown how large it
	// really is, bytes.
	firstBody = 16 << 10
)

// Chunked is the length of a body whose end only its chunks tell.
const Chunked = -1

// bodies are buffers for bodies that did not come with their head.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// body is where the reading of one request's body stands.
type body struct {
	left    int64 // bytes to come; of a chunked one unknown
	chunked bool
	expects bool // the client waits for 100 Continue
	begun   bool // the socket was read for it
	chunks  http1.Chunks
	raw     *buffer // input behind the buffer, of a chunked body
	r, w    int     // what of raw was not yet decoded
	held    *[]byte // what Body returned, when it is not the connection's buffer
}

func (b *body) done() bool {
	if b.chunked {
		return b.chunks.Done()
	}
	return b.left == 0
}

// Expect says how the body is framed: by its length, 0 for none, or Chunked.
// continues says that the client waits for 100 Continue before it sends it.
func (c *Conn) Expect(length int64, continues bool) {
	c.body = body{left: max(0, length), chunked: length == Chunked, expects: continues}
}

// Body reads the body, up to its end or until more than limit bytes are there;
// whole tells which. What is left can be read with Read. The bytes are valid
// until the exchange is over. Errors are of type BodyError.
func (c *Conn) Body(limit int64) (data []byte, whole bool, err error) {
	b := &c.body
	if !b.chunked && b.left <= int64(c.w-c.r) {
		data = c.buf[c.r : c.r+int(b.left)]
		c.r += int(b.left)
		b.left = 0
		return data, true, nil
	}
	if b.held == nil {
		b.held = bodies.Get().(*[]byte)
	}
	data = (*b.held)[:0]
	for !b.done() && int64(len(data)) <= limit {
		data = slices.Grow(data, int(b.want(limit+1-int64(len(data)), len(data))))
		room := min(int64(cap(data)), limit+1) - int64(len(data))
		n, err := c.Read(data[len(data) : int64(len(data))+room])
		if data = data[:len(data)+n]; err != nil && err != io.EOF { //nolint:errorlint // our own Read returns it unwrapped
			*b.held = data
			return data, false, err
		}
	}
	*b.held = data
	return data, b.done(), nil
}

// want is how much room to make for what comes: no more than has come so far,
// because a large length is easily claimed.
func (b *body) want(room int64, have int) int64 {
	want := min(room, int64(max(firstBody, have)))
	if !b.chunked {
		want = min(want, b.left)
	}
	return max(want, 1)
}

// Read reads what comes next of the body, and io.EOF at its end. Other errors
// are of type BodyError.
func (c *Conn) Read(p []byte) (n int, err error) {
	b := &c.body
	if b.done() {
		return 0, io.EOF
	}
	if b.chunked {
		return c.readChunked(p)
	}
	p = p[:min(int64(len(p)), b.left)]
	if n = copy(p, c.buf[c.r:c.w]); n > 0 {
		c.r += n
	} else if n, err = c.receive(p); err != nil {
		return 0, err
	}
	b.left -= int64(n)
	return n, c.arrived()
}

func (c *Conn) readChunked(p []byte) (n int, err error) {
	b := &c.body
	for n == 0 && !b.done() {
		window := c.buf[c.r:c.w]
		if b.raw != nil && len(window) == 0 {
			window = b.raw.bytes[b.r:b.w]
		}
		if len(window) == 0 {
			if err = c.refill(); err != nil {
				return 0, err
			}
			continue
		}
		data, used, wrong := b.chunks.Next(window, len(p))
		if wrong != nil {
			return 0, ErrBodyMalformed
		}
		n = copy(p, data)
		if c.r < c.w {
			c.r += used
		} else {
			b.r += used
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, c.arrived()
}

// refill reads more of a chunked body. It goes beside the connection's buffer,
// which holds the head.
func (c *Conn) refill() error {
	b := &c.body
	if b.raw == nil {
		b.raw = buffers.Get().(*buffer)
	}
	n, err := c.receive(b.raw.bytes[:])
	b.r, b.w = 0, n
	return err
}

// receive reads from the socket, in the time that the request has left, and asks
// for the body before the first time.
func (c *Conn) receive(p []byte) (int, error) {
	b := &c.body
	if !b.begun {
		b.begun = true
		if c.readBy == 0 {
			c.readBy = c.server.sweeper.After(c.server.cfg.ReadTimeout)
		}
		c.watch.SetAt(c.readBy)
		if b.expects {
			b.expects = false
			c.task.Leave()
			if _, err := c.nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return 0, c.broken(err)
			}
		}
	}
	n, err := c.read(p)
	if n > 0 {
		return n, nil
	}
	return 0, c.broken(err)
}

func (c *Conn) broken(err error) error {
	c.Hangup(true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrBodyTimedOut
	}
	return ErrBodyCut
}

// arrived lifts the time limit once the body is whole.
func (c *Conn) arrived() error {
	if c.body.begun && c.body.done() && !c.watch.Clear() {
		c.Hangup(true)
		return ErrBodyTimedOut
	}
	return nil
}

// MustClose reports whether the connection can't be used after an answer now,
// because too much of the body was not read: the answer must say so.
func (c *Conn) MustClose() bool {
	b := &c.body
	switch {
	case c.hangup:
		return true
	case b.done():
		return false
	case b.expects, !b.chunked:
		return b.expects || b.left > maxDiscard
	}
	c.discardChunks()
	return !b.done()
}

// discardChunks drops what has already come of a chunked body.
func (c *Conn) discardChunks() {
	b := &c.body
	for !b.done() && (c.r < c.w || b.raw != nil && b.r < b.w) {
		var drop [512]byte
		if _, err := c.readChunked(drop[:]); err != nil {
			return
		}
	}
}

// discard reads what is left of the body, so that the next request can be found.
// It reports false when there is too much of it.
func (c *Conn) discard() bool {
	b := &c.body
	if !b.done() && c.MustClose() {
		return false
	}
	for b.left > 0 {
		var drop [4 << 10]byte
		if _, err := c.Read(drop[:]); err != nil {
			return false
		}
	}
	return true
}

// release gives the body's buffers back. What a client sent behind a chunked
// body is the beginning of its next request.
func (c *Conn) release() {
	b := &c.body
	if b.raw != nil {
		if b.r < b.w {
			c.r, c.w = 0, copy(c.buf, b.raw.bytes[b.r:b.w])
		}
		buffers.Put(b.raw)
		b.raw = nil
	}
	if b.held != nil {
		if cap(*b.held) <= maxKept {
			bodies.Put(b.held)
		}
		b.held = nil
	}
}
