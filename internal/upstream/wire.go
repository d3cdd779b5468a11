package upstream

import (
	"io"
	"net"
)

// wire is the TCP connection under a TLS connection. It knows what crypto/tls
// does not tell: how much went out, and whether the end was said or just came.
type wire struct {
	net.Conn
	probe   *probe
	polling bool  // reads don't wait
	written int64 // bytes since the exchange began, TLS records and all
	cut     bool  // the connection ended, and TLS had not said so
}

// errWouldBlock means that nothing is there to read. To crypto/tls it is like a
// deadline that passed: the connection remains usable.
var errWouldBlock error = wouldBlockError{}

type wouldBlockError struct{}

func (wouldBlockError) Error() string   { return "nothing to read" }
func (wouldBlockError) Timeout() bool   { return true }
func (wouldBlockError) Temporary() bool { return true }

// Read reads from the connection; while polling, only what is there.
func (w *wire) Read(p []byte) (n int, err error) {
	if w.polling {
		return w.probe.recv(p, 0)
	}
	n, err = w.Conn.Read(p)
	w.cut = w.cut || err == io.EOF //nolint:errorlint // a Read returns it unwrapped
	return n, err
}

// Write writes to the connection and counts.
func (w *wire) Write(p []byte) (n int, err error) {
	n, err = w.Conn.Write(p)
	w.written += int64(n)
	return n, err
}

// poll lets TLS read what is there, from its own buffer first: session tickets
// and key updates, which it takes in, or anything else: no error means that the
// upstream sent data. errWouldBlock means that all is well.
func (w *wire) poll(secure net.Conn, p []byte) error {
	w.polling = true
	_, err := secure.Read(p)
	w.polling = false
	return err
}
