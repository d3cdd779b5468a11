// Package downstream is the half of the gateway that speaks HTTP/1.1 to clients.
// It accepts connections, finds where a request's head ends, reads its body and
// writes answers, in bounded time and memory whatever a client does.
//
// It reads the request line strictly. The header lines are the handler's to
// judge: it says how the body is framed, and may refuse the request before a
// byte of the body was read. What a client sent too early, too slowly or beyond
// what was asked for never becomes a request of its own.
//
// It must not know who asks, what the limits are, or what an answer means.
package downstream

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Config is what a server holds its clients to.
type Config struct {
	MaxHead        int           // bytes of the request line and the header lines
	HeaderTimeout  time.Duration // from the first byte of a head to its last; for PROXY and TLS likewise
	ReadTimeout    time.Duration // from the first byte of a request to its last
	IdleTimeout    time.Duration // between two requests
	WriteTimeout   time.Duration // for a client to take an answer, or the next piece of a streamed one
	MaxConnections int           // 0: no limit
	MaxPerAddress  int           // connections of one IPv4 address or IPv6 network, proxies excepted; 0: no limit
	IPv6Prefix     int           // length of the network that shares MaxPerAddress

	// Proxy says which peers are proxies of our own; nil means none.
	Proxy func(netip.Addr) bool
	// ProxyProtocol makes every connection of a proxy begin with the PROXY
	// protocol, version 1 or 2. From anybody else it is no request.
	ProxyProtocol bool
	// TLS makes connections speak TLS; nil means plain text.
	TLS *tls.Config
}

// Handler answers requests. Its methods run on the connection's goroutine.
type Handler interface {
	// Understand reads the head that c holds, and tells c how the body is
	// framed (Conn.Expect). It must not wait for anything.
	Understand(c *Conn) Exchange
	// Unread is called instead for what is no request.
	Unread(c *Conn, why Fault) Exchange
	// Refusal is the whole answer to a connection that gets no place, or speaks
	// plain HTTP under TLS. It must not change once it was returned.
	Refusal(why Fault) []byte
	// Panicked is told what a fault of this half or of the handler said. The
	// connection it happened on is closed.
	Panicked(fault any)
}

// Exchange is one request and its answer. Handle writes the answer, or hangs up
// (Conn.Hangup); nothing that it got from the Conn may outlive it.
type Exchange interface {
	Handle()
}

// Fault says why there is no request, or no whole body.
type Fault uint8

const (
	// BadRequestLine means that the first line is none of HTTP's.
	BadRequestLine Fault = iota
	// HeadTooLarge means that the head has more than Config.MaxHead bytes.
	HeadTooLarge
	// HeadTimedOut means that a head began and did not end in time.
	HeadTimedOut
	// NotSecure means that a client speaks plain HTTP where Config.TLS is set.
	NotSecure
	// TooManyConnections means that Config.MaxConnections are open.
	TooManyConnections
	// TooManyOfAddress means that Config.MaxPerAddress of this address are open.
	TooManyOfAddress
)

// BodyError says why a body did not arrive whole.
type BodyError uint8

const (
	// ErrBodyTimedOut means that it was not whole within Config.ReadTimeout.
	ErrBodyTimedOut BodyError = iota
	// ErrBodyCut means that the client ended the connection inside the body.
	ErrBodyCut
	// ErrBodyMalformed means that the chunked coding is wrong.
	ErrBodyMalformed
)

// Error is a sentence.
func (e BodyError) Error() string {
	return [...]string{
		ErrBodyTimedOut:  "cannot wait longer for the request body",
		ErrBodyCut:       "cannot read the whole request body: the client ended the connection",
		ErrBodyMalformed: "cannot read the request body: bad chunked coding",
	}[e]
}
