package upstream

import "io"

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
