package proxy

import (
	"errors"
	"io"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/downstream"
)

// receive reads the request's body into memory, up to limit bytes; x.whole tells
// whether that was all. It refuses a body that does not arrive.
func (x *exchange) receive(limit int64) bool {
	if x.received {
		return true
	}
	var err error
	x.received = true
	most := int64(x.g.listen.MaxBodyBytes)
	x.body, x.whole, err = x.conn.Body(min(limit, most))
	x.bytesIn = int64(len(x.body))
	if x.bytesIn > 0 || err != nil {
		x.arrived = x.g.clock.now() // what the client needed until then is not our time
	}
	if err == nil && x.bytesIn > most {
		err = errTooLarge
	}
	return err == nil || x.incomplete(err)
}

// incomplete refuses a request whose body broke off.
func (x *exchange) incomplete(err error) bool {
	x.hangUp = true
	var why downstream.BodyError
	switch {
	case errors.Is(err, errTooLarge):
		return x.refuse(apierror.PayloadTooLarge)
	case errors.As(err, &why) && why == downstream.ErrBodyTimedOut:
		return x.refuse(apierror.RequestTimeout)
	}
	return x.refuseWith(apierror.Error{Code: apierror.InvalidRequest, Message: badBody})
}

const badBody = "The request's body ended too early, or its chunked coding is wrong."

var errTooLarge = errors.New("request body larger than listen.max_body_bytes")

// upload is the rest of a body that is too large to hold in memory, on its way
// from the client to the upstream.
type upload struct{ x *exchange }

// Read reads what comes next. A body that turns out to be larger than it may is
// an error: the upstream never gets a whole one.
func (u upload) Read(p []byte) (int, error) {
	n, err := u.x.conn.Read(p)
	u.x.bytesIn += int64(n)
	if u.x.bytesIn > int64(u.x.g.listen.MaxBodyBytes) {
		return 0, errTooLarge
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

var _ io.Reader = upload{}
