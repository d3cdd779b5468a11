package upstream

import (
	"errors"
	"io"
	"slices"

	"github.com/chatshipper/gateway/internal/http1"
	"github.com/chatshipper/gateway/internal/loop"
)

// body reads the body of one answer, and knows where it ends.
type body struct {
	conn   *conn
	kind   bodyKind
	done   bool // all of it was read
	events bool
	left   int64 // of a fixed body
	chunks http1.Chunks
}

type bodyKind uint8

const (
	fixed      bodyKind = iota // as long as declared, or nothing
	chunked                    // up to the last chunk
	untilClose                 // up to the end of the connection
)

// read reads some of the body into p, which is not empty: what is there, and at
// least one byte unless the body ends. It sets done with the last byte as far as
// the end is there already. It never returns io.EOF.
func (b *body) read(p []byte) (n int, err error) {
	if b.kind == chunked {
		return b.readChunked(p)
	}
	if b.kind == fixed {
		p = p[:min(int64(len(p)), b.left)]
	}
	if n = b.readPlain(p, &err); n == 0 && err != nil {
		return 0, b.ended(err)
	}
	if b.left -= int64(n); b.kind == fixed && b.left == 0 {
		b.done = true
	}
	return n, nil // an error behind the bytes comes back with the next read
}

// readPlain reads from the window first, then past the buffer.
func (b *body) readPlain(p []byte, err *error) (n int) {
	c := b.conn
	if n = copy(p, c.window()); n > 0 {
		c.r += n
		return n
	}
	n, *err = c.read(p)
	return n
}

// ended judges an error, which may be the end of a body that ends so.
func (b *body) ended(err error) error {
	if b.kind != untilClose || err != io.EOF { //nolint:errorlint // a Read returns it unwrapped
		return unexpected(err)
	}
	if w := b.conn.wire; w != nil && w.cut {
		return io.ErrUnexpectedEOF // anybody can end a TCP connection; the upstream would have said so in TLS
	}
	b.done = true
	return nil
}

func (b *body) readChunked(p []byte) (n int, err error) {
	for {
		n, err = b.decode(p)
		if n > 0 || b.done || err != nil {
			return n, err
		}
		if b.chunks.Ahead() >= firstRead {
			return b.readChunk(p)
		}
		if err = b.conn.fill(); err != nil {
			return 0, unexpected(err)
		}
	}
}

// readChunk reads inside a long chunk, past the buffer.
func (b *body) readChunk(p []byte) (n int, err error) {
	n, err = b.conn.read(p[:min(int64(len(p)), b.chunks.Ahead())])
	if n == 0 && err != nil {
		return 0, unexpected(err)
	}
	b.chunks.Take(n)
	return n, nil
}

// pourAll moves a fixed body into a pipe, but what was read already, which goes to
// dst. What finds no room in the pipe is left, and what is in the pipe goes to dst too.
func (b *body) pourAll(dst []byte, pipe *loop.Pipe) ([]byte, error) {
	window := b.conn.window()
	window = window[:min(int64(len(window)), b.left)]
	dst = append(dst, window...)
	b.conn.r += len(window)
	b.left -= int64(len(window))
	for !b.done {
		switch _, err := b.pour(pipe); {
		case errors.Is(err, loop.ErrFull), errors.Is(err, errors.ErrUnsupported):
			return pipe.Append(dst)
		case err != nil:
			return dst, err
		}
	}
	return dst, nil
}

// pour moves what comes of a fixed body into a pipe, at least one byte. There must
// be nothing in the window.
func (b *body) pour(pipe *loop.Pipe) (int, error) {
	n, err := b.conn.fillPipe(pipe, int(b.left))
	if err != nil {
		return 0, unexpected(err)
	}
	b.left -= int64(n)
	b.done = b.left == 0
	return n, nil
}

// decode takes what the window holds, as far as p has room.
func (b *body) decode(p []byte) (n int, err error) {
	c := b.conn
	for c.r < c.w {
		data, used, err := b.chunks.Next(c.window(), len(p)-n)
		if err != nil {
			return 0, err
		}
		n += copy(p[n:], data)
		c.r += used
		if used == 0 || b.chunks.Done() {
			break
		}
	}
	b.done = b.chunks.Done()
	return n, nil
}

// minRead is how much room a body of unknown length gets at least, bytes.
const minRead = 512

// appendTo reads the body to its end, or until more than limit bytes are there;
// done tells which. With a pipe, which is for a fixed body, what was not read yet
// goes there, as far as that has room.
func (b *body) appendTo(dst []byte, limit int64, pipe *loop.Pipe) ([]byte, error) {
	start := len(dst)
	if pipe != nil {
		var err error
		if dst, err = b.pourAll(dst, pipe); err != nil || b.done {
			return dst, err
		}
	}
	if b.kind == fixed {
		dst = slices.Grow(dst, int(b.left))
	}
	for !b.done {
		room := limit + 1 - int64(len(dst)-start)
		if room == 0 {
			return dst, nil
		}
		if b.kind != fixed {
			dst = slices.Grow(dst, int(min(room, max(minRead, int64(len(b.conn.window())), b.chunks.Ahead()))))
		}
		n, err := b.read(dst[len(dst):min(int64(cap(dst)), int64(len(dst))+room)])
		if err != nil {
			return dst, err
		}
		dst = dst[:len(dst)+n]
	}
	return dst, nil
}
