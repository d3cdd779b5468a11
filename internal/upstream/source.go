package upstream

import (
	"io"
	"strconv"
	"sync"
	"syscall"
)

// pieceSize is how much of a streamed request is read and written at once, bytes.
const pieceSize = 32 << 10

// chunkFrame is how many bytes the chunked coding adds to a piece at most: its
// size in hexadecimal digits, and two line ends.
const chunkFrame = 20

var pieces = sync.Pool{New: func() any { return new([pieceSize + chunkFrame]byte) }}

// sendSource writes what the source of a request gives, piece by piece. The time
// limit is for each piece; the source has its own. An upstream that answers
// before it has got all is listened to instead.
func (c *conn) sendSource(req *Request) error {
	buf := pieces.Get().(*[pieceSize + chunkFrame]byte)
	defer pieces.Put(buf)
	for {
		if !c.watch.Clear() {
			return errLate
		}
		n, err := req.Source.Read(buf[chunkFrame/2 : chunkFrame/2+pieceSize])
		c.watch.SetAt(c.later())
		if n > 0 {
			if c.answered() {
				c.early = true
				return nil
			}
			if wrong := c.sendPiece(buf, n, req.Chunked); wrong != nil {
				return wrong
			}
		}
		switch {
		case err == io.EOF:
			return c.endSource(req.Chunked)
		case err != nil:
			return sourceError{err}
		}
	}
}

func (c *conn) sendPiece(buf *[pieceSize + chunkFrame]byte, n int, chunked bool) error {
	start, end := chunkFrame/2, chunkFrame/2+n
	if chunked {
		var size [chunkFrame / 2]byte
		head := appendChunkSize(size[:0], n)
		start -= len(head)
		copy(buf[start:], head)
		end += copy(buf[end:], "\r\n")
	}
	m, err := c.write(buf[start:end])
	c.sent = c.sent || m > 0
	return err
}

func (c *conn) endSource(chunked bool) error {
	if !chunked {
		return nil
	}
	_, err := c.write([]byte("0\r\n\r\n"))
	return err
}

// appendChunkSize writes the line before a chunk of n bytes.
func appendChunkSize(dst []byte, n int) []byte {
	return append(strconv.AppendInt(dst, int64(n), 16), "\r\n"...)
}

// answered reports whether the upstream has said something already, or hung up.
func (c *conn) answered() bool {
	if c.wire != nil {
		return false // TLS has records that say nothing; its answer is read in the end
	}
	_, err := c.probe.recv(c.probe.one[:], syscall.MSG_PEEK)
	return err != errWouldBlock //nolint:errorlint // our own, never wrapped
}
