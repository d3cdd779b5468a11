// Package upstream is the half of the gateway that speaks HTTP/1.1 to the
// backend, over pooled connections. It takes the bytes of a request and gives
// back what the upstream answered, or says why there is no answer and whether
// the upstream may have acted on the request.
//
// It reads strictly: an answer with two possible meanings, or one that breaks
// off, is an error and never a success. It looks at every pooled connection
// before it writes to it, so that neither a connection that the upstream closed
// nor bytes that nobody asked for ever reach a request. A request of which a
// byte was written is sent again only when it is idempotent.
//
// It must not know who asks, what the limits are, or what the answer means.
package upstream

import (
	"io"
	"net"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// Request is one request, ready for the wire. Nothing of it is kept after Do.
type Request struct {
	// Head is the request line, the header lines and the blank line, as they go
	// on the wire. It must frame the body, must not ask for an upgrade unless
	// Upgrade says so, and must not hold a Connection field otherwise.
	Head []byte
	// Body is the body, or its beginning when there is a Source.
	Body []byte
	// Source is what follows Body, up to io.EOF; nil for nothing. Chunked says
	// that Head frames the body by the chunked coding, which is then applied here.
	// An error of Source ends the request: the upstream gets no whole one, and Do
	// returns ReasonSource.
	Source  io.Reader
	Chunked bool
	// Upgrade says that Head asks for a WebSocket. It allows the answer 101, which
	// makes Response.Tunnel.
	Upgrade bool

	// Task is who asks, when that is the task of a loop. It stays on its loop when a
	// connection is free, and the head of the answer comes with all of a small body.
	Task *loop.Task

	// Pipes allows to leave what is large of an answer's body in the kernel, if the
	// status is below 400: nobody will read it.
	Pipes bool

	// HeadMethod says that the answer has no body, whatever its header says.
	HeadMethod bool
	// Idempotent allows to send the request once more when a reused connection
	// ended before any byte of an answer came.
	Idempotent bool
	// Deadline is when the whole answer must be there; zero means
	// Config.Timeout after the first byte is sent.
	Deadline time.Time

	now int64 // process time, ns; 0: somebody has to look
}

// Response is one answer. It may be used again and again; its zero value is
// ready. After an error only Body, as the caller had set it, is left.
type Response struct {
	Status int     // 200 to 599, or 101 with a Tunnel
	Fields []Field // in the order and case received, less repeated Content-Length; valid until Reset or the next Do

	// Body has the body appended to what the caller set before, so that the
	// memory is the caller's. It stays as it was when Stream is set.
	Body []byte
	// Pipe holds the end of the body, behind Body, when Request.Pipes allowed it; nil
	// otherwise. It goes with the answer: Reset gives it back.
	Pipe *loop.Pipe
	// Stream is the whole body, when it is larger than Config.StreamAbove or an
	// event stream; nil otherwise. It must be closed, and outlives Reset. Its
	// errors, but io.EOF at the true end, are *Error; an answer that breaks off
	// wraps io.ErrUnexpectedEOF. It must not be used by two goroutines at once.
	Stream io.ReadCloser
	// Tunnel is the connection, after the answer 101; nil otherwise. It must be
	// closed. What the upstream sent behind the answer is read from it first.
	Tunnel net.Conn
	// ContentLength is the declared length of the body, which an answer to HEAD
	// has without a body; or Undeclared; or CloseDelimited.
	ContentLength int64
	// At is the process time (ns) at which the whole answer was there; 0 with a Stream or
	// a Tunnel.
	At int64
	// Nominates says that the answer has a Connection field.
	Nominates bool

	buf *buffer // of the last exchange, and of the next; it begins with the head, where Fields points
	raw []byte  // the head, where the buffer is not the answer's
}

// What ContentLength says when no length was declared.
const (
	// Undeclared: the end of the body is certain all the same, because the body
	// is chunked or the answer can't have one.
	Undeclared = -1
	// CloseDelimited: the body ended where the upstream closed the connection.
	// Nobody can tell whether it was whole (except under TLS, where it was).
	CloseDelimited = -2
)

// Field is one header line, without the white space around its value.
type Field struct {
	Name, Value []byte
}

// Reset forgets the answer and keeps its memory, that of Body included.
func (r *Response) Reset() {
	r.clear()
	r.Body = r.Body[:0]
}

// own copies the head out of a connection's buffer, which goes on without the answer.
func (r *Response) own(c *conn) {
	if c.base > 0 {
		r.raw = append(r.raw[:0], c.buf[:c.base]...)
		_, _ = r.parse(r.raw) // it was good before
	}
}

// clear forgets all but Body, which is the caller's.
func (r *Response) clear() {
	r.Pipe.Give()
	r.Status, r.Fields, r.raw, r.Pipe, r.Stream, r.Tunnel, r.ContentLength = 0, r.Fields[:0], r.raw[:0], nil, nil, nil, 0
	r.At, r.Nominates = 0, false
}

// Stats tells how many connections there are.
type Stats struct {
	Open int // idle, in use or being opened; at most Config.MaxConnections
	Idle int // open and not in use
}
