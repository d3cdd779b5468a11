package upstream

import (
	"errors"
	"io"

	"github.com/chatshipper/gateway/internal/loop"
)

// stream is the body of an answer that is not held in memory. It holds its
// connection until the body ends or the stream is closed.
type stream struct {
	client *Client
	conn   *conn  // nil when it is given back or closed
	prefix []byte // what was read before it was clear that the body is large
	err    error
}

// Read returns what has come, and waits for at most Config.Timeout when nothing has.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.prefix) > 0 {
		n := copy(p, s.prefix)
		if s.prefix = s.prefix[n:]; len(s.prefix) == 0 {
			s.prefix = nil
		}
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	return s.receive(p)
}

func (s *stream) receive(p []byte) (int, error) {
	c := s.conn
	c.watch.SetAt(s.client.sweeper.After(s.client.cfg.Timeout))
	n, err := c.body.read(p)
	return s.received(n, err)
}

// received judges what came of the body.
func (s *stream) received(n int, err error) (int, error) {
	c := s.conn
	if !c.watch.Clear() && err == nil {
		err = errLate
	}
	switch {
	case err != nil:
		s.err = &Error{Reason: reasonOf(err, true), Sent: true, Err: err}
		s.conn = nil
		c.drop()
		return 0, s.err
	case c.body.done:
		s.err = io.EOF
		s.conn = nil
		c.release(s.client.now())
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

// Pour is Read of Stream into a pipe, which is empty. It returns
// errors.ErrUnsupported, having done nothing, when what comes next had better be read.
func (r *Response) Pour(pipe *loop.Pipe) (int, error) {
	s, ok := r.Stream.(*stream)
	switch {
	case !ok || len(s.prefix) > 0:
		return 0, errors.ErrUnsupported
	case s.err != nil:
		return 0, s.err
	case !s.conn.pipes() || len(s.conn.window()) > 0:
		return 0, errors.ErrUnsupported
	}
	c := s.conn
	c.watch.SetAt(s.client.sweeper.After(s.client.cfg.Timeout))
	n, err := c.body.pour(pipe)
	if errors.Is(err, errors.ErrUnsupported) && c.watch.Clear() {
		return 0, err
	}
	return s.received(n, err)
}

// Close gives up what was not read: the connection can't be used again then.
func (s *stream) Close() error {
	if s.conn != nil {
		s.conn.drop()
		s.conn = nil
	}
	s.prefix = nil
	if s.err == nil || s.err == io.EOF { //nolint:errorlint // set by Read, unwrapped
		s.err = io.ErrClosedPipe
	}
	return nil
}
