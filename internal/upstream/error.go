package upstream

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/chatshipper/gateway/internal/http1"
)

// Reason says why there is no answer. The set is closed: it labels metrics.
type Reason uint8

const (
	// ReasonDNS means that the upstream's name has no address.
	ReasonDNS Reason = iota
	// ReasonConnect means that no TCP connection came about in time.
	ReasonConnect
	// ReasonTLS means that the TLS handshake failed, most often because the
	// upstream's certificate can't be trusted. Nothing of the request was sent.
	ReasonTLS
	// ReasonTimeout means that the answer was not whole at the deadline.
	ReasonTimeout
	// ReasonReset means that the connection ended before any byte of an answer.
	ReasonReset
	// ReasonTruncated means that the connection ended inside the answer.
	ReasonTruncated
	// ReasonInvalid means that the answer is not HTTP, or could be read in two ways.
	ReasonInvalid
	// ReasonNoFreeConns means that all connections were busy for too long.
	ReasonNoFreeConns
	// ReasonSource means that Request.Source failed: the client did not send the
	// whole body. It is no fault of the upstream.
	ReasonSource
	// ReasonCircuitOpen means that nothing was tried: no address could be connected
	// to of late.
	ReasonCircuitOpen
	// ReasonCount is the number of reasons, for tables indexed by reason.
	ReasonCount
)

var reasons = [ReasonCount]struct{ name, sentence string }{
	ReasonDNS:         {"dns", "cannot resolve the name of upstream"},
	ReasonConnect:     {"connect", "cannot connect to upstream"},
	ReasonTLS:         {"tls", "cannot secure the connection to upstream"},
	ReasonTimeout:     {"timeout", "cannot wait longer for upstream"},
	ReasonReset:       {"reset", "cannot get an answer from upstream"},
	ReasonTruncated:   {"truncated", "cannot get the whole answer from upstream"},
	ReasonInvalid:     {"invalid", "cannot understand the answer of upstream"},
	ReasonNoFreeConns: {"no_free_conns", "cannot get a connection to upstream"},
	ReasonSource:      {"client", "cannot send the whole request to upstream"},
	ReasonCircuitOpen: {"circuit_open", "cannot call upstream for now"},
}

// String is the reason's name in metrics and logs.
func (r Reason) String() string { return reasons[r].name }

// Error says why there is no answer. Its text never holds anything that the
// client or the upstream sent.
type Error struct {
	Reason Reason
	// Sent says that at least one byte of the request was written on the last
	// connection: the upstream may have acted on it.
	Sent bool
	// Again says that the same request may be sent to another address: no
	// connection came about, and before that at most one ended on which nothing was
	// written, or that was an old one and the request is idempotent.
	Again bool
	// Wait is how long nothing will be tried, with ReasonCircuitOpen.
	Wait time.Duration
	Err  error // the cause
}

// Error is a sentence such as "cannot connect to upstream: connection refused".
func (e *Error) Error() string { return reasons[e.Reason].sentence + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// sourceError is a failure of Request.Source.
type sourceError struct{ error }

// Unwrap returns the cause.
func (e sourceError) Unwrap() error { return e.error }

// errLate is a deadline that passed while nobody waited for the connection.
var errLate error = os.ErrDeadlineExceeded

// isTimeout reports whether err is a deadline that passed, ours or the kernel's.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// reasonOf says why reading or writing failed; begun means that a byte of the
// answer had come.
func reasonOf(err error, begun bool) Reason {
	var bad http1.MalformedError
	var source sourceError
	switch {
	case errors.As(err, &source):
		return ReasonSource
	case errors.As(err, &bad):
		return ReasonInvalid
	case isTimeout(err):
		return ReasonTimeout
	case begun:
		return ReasonTruncated
	}
	return ReasonReset
}

// unexpected turns an end that came too early into an error that can't be taken
// for the end of an answer.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // a Read returns it unwrapped
		return io.ErrUnexpectedEOF
	}
	return err
}
