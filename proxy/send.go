package proxy

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/chatshipper/gateway/internal/loop"
	"github.com/chatshipper/gateway/internal/upstream"
)

// send writes the answer to the client.
func (x *exchange) send() {
	r := &x.reply
	if x.hangUp || x.g.draining.Load() || x.conn.MustClose() {
		r.close = true
	}
	if r.close {
		x.conn.Hangup(false)
	}
	if x.streaming {
		x.stream()
		return
	}
	r.head = r.appendHead(r.head[:0], x.status, x.g.date.at(x.now, &x.g.clock), false)
	body := r.body
	if x.method == methodHead {
		body = nil
	}
	piped := x.answer.Pipe.Len() > 0 && !x.refused
	if piped || len(r.head)+len(body) <= maxJoined {
		r.head, body = append(r.head, body...), nil
	}
	var err error
	if piped {
		err = x.conn.WriteFrom(r.head, x.answer.Pipe)
	} else {
		err = x.conn.Write(r.head, body)
	}
	if err != nil {
		x.closeTunnel()
		return
	}
	if x.answer.Tunnel != nil {
		x.openTunnel()
	}
}

const (
	pieceSize  = 32 << 10
	chunkFrame = 20 // bytes that the chunked coding adds to a piece at most
)

var pieces = sync.Pool{New: func() any { return new([pieceSize + chunkFrame]byte) }}

// stream hands a large or endless answer on while it arrives. What is cut off
// upstream is cut off for the client too, never ended as if it were complete.
func (x *exchange) stream() {
	defer x.finish()
	defer func() { _ = x.answer.Stream.Close() }()
	chunked := x.reply.length == undeclared && !x.reply.old && !x.reply.close
	if x.reply.length == undeclared && !chunked {
		x.reply.close = true
		x.conn.Hangup(false)
	}
	x.reply.head = x.reply.appendHead(x.reply.head[:0], x.status, x.g.date.at(x.now, &x.g.clock), chunked)
	err := x.conn.Write(x.reply.head, nil)
	buf := pieces.Get().(*[pieceSize + chunkFrame]byte)
	defer pieces.Put(buf)
	for err == nil {
		if err = x.pour(chunked); errors.Is(err, errors.ErrUnsupported) {
			err = x.piece(buf, chunked)
		}
	}
	if err == io.EOF { //nolint:errorlint // as a Reader returns it
		return
	}
	x.conn.Cut(!chunked && x.reply.length == undeclared)
	if failure := (*upstream.Error)(nil); errors.As(err, &failure) {
		x.g.metrics.upstreamError(failure.Reason)
	}
}

// pour hands one piece on without reading it. Where that can't be done now, the error
// is errors.ErrUnsupported.
func (x *exchange) pour(chunked bool) error {
	if chunked || x.reply.length < pieceSize || !x.conn.Moves() {
		return errors.ErrUnsupported
	}
	if x.answer.Pipe == nil {
		if x.answer.Pipe = loop.NewPipe(); x.answer.Pipe == nil {
			return errors.ErrUnsupported
		}
	}
	n, err := x.answer.Pour(x.answer.Pipe)
	x.bytesOut += int64(n)
	if wrong := x.conn.WriteFrom(nil, x.answer.Pipe); wrong != nil && err == nil {
		return wrong //nolint:wrapcheck // only its being matters
	}
	return err //nolint:wrapcheck // likewise
}

// piece hands one piece on.
func (x *exchange) piece(buf *[pieceSize + chunkFrame]byte, chunked bool) error {
	start := chunkFrame / 2
	n, err := x.answer.Stream.Read(buf[start : start+pieceSize])
	x.bytesOut += int64(n)
	end := start + n
	if chunked {
		start, end = frame(buf[:], n, err == io.EOF)
	}
	if start < end {
		if wrong := x.conn.Write(buf[start:end], nil); wrong != nil {
			return wrong //nolint:wrapcheck // only its being matters
		}
	}
	return err //nolint:wrapcheck // likewise
}

// frame makes a chunk of n bytes in the middle of buf, and the end of the coding
// behind it when it is the last.
func frame(buf []byte, n int, last bool) (start, end int) {
	start, end = chunkFrame/2, chunkFrame/2+n
	if n > 0 {
		var size [chunkFrame / 2]byte
		head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
		start -= len(head)
		copy(buf[start:], head)
		end += copy(buf[end:], "\r\n")
	}
	if last {
		end += copy(buf[end:], "0\r\n\r\n")
	}
	return start, end
}
