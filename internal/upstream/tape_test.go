package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// tape is a connection in memory: it plays an answer, at most step bytes at a
// time, and then ends.
type tape struct {
	net.Conn
	in   []byte
	step int
	out  bytes.Buffer
}

func (p *tape) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.step)], p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *tape) Write(b []byte) (int, error)   { return p.out.Write(b) }
func (p *tape) SetDeadline(_ time.Time) error { return nil }
func (p *tape) Close() error                  { return nil }

// played is what the client made of an answer.
type played struct {
	resp Response
	body []byte
	keep bool // the connection can carry another request
	err  error
}

// listen plays an answer to a client that streams what is larger than 1 KiB.
func listen(t testing.TB, answer string, step int, req *Request) (p played) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URL, cfg.StreamAbove = "http://a", 1<<10
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cn := &conn{nc: &tape{in: []byte(answer), step: step}, retires: 1 << 62}
	if failure := c.try(cn, req, &p.resp, c.by(time.Time{})); failure != nil {
		p.err = failure
		return p
	}
	p.body = p.resp.Body
	if p.resp.Stream != nil {
		p.body, p.err = io.ReadAll(p.resp.Stream)
		_ = p.resp.Stream.Close()
	}
	p.keep = cn.keep && cn.r == cn.w && cn.body.done
	return p
}

// reason is why there is no answer, in a word.
func (p *played) reason() string {
	var failure *Error
	if errors.As(p.err, &failure) {
		return failure.Reason.String()
	}
	return ""
}
