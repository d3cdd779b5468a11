package downstream

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/deadline"
	"github.com/chatshipper/gateway/internal/loop"
)

// firstBuffer is the size of the buffers that connections begin with, bytes: most
// heads, and most messages with their heads, fit.
const firstBuffer = 4 << 10

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// buffer takes in what comes, and where the lines of a head in it end.
type buffer struct {
	bytes [firstBuffer]byte
	ends  [maxEnds]uint16
}

// What a connection is doing, as far as others must know.
const (
	busy  int32 = iota
	fresh       // has not had a request yet
	idle        // waits for another one
	closing
)

// Conn is one client's connection, and the request that it carries. Method,
// Target, Version, Block and LineEnds are spans of its buffer: they are valid until
// the exchange is over.
type Conn struct {
	Peer    netip.Addr // who is at the other end, or whom the PROXY protocol names
	Secure  bool       // under TLS
	Method  []byte
	Target  []byte // as on the wire
	Version []byte // "HTTP/" and two digits with a dot
	Block   []byte // the header lines with the blank line that ends them

	// LineEnds are where the first lines of Block end, behind their line feeds. Of a
	// head with many lines, or a large one, some are missing, or all.
	LineEnds []uint16

	Memo any // what the handler wants to find again at the connection's next request

	server  *Server
	nc      net.Conn // what is read and written: socket, or TLS over it
	socket  net.Conn
	proxied bool // the other end is a proxy of our own
	counted bool // Peer's network has one connection less to open
	watch   deadline.Watch
	state   atomic.Int32
	readBy  int64 // when the request must be whole; 0: the head came at once

	task    *loop.Task                 // nil where the connection has a goroutine of its own
	place   *loop.Place                // of the socket; nil where a goroutine waits for it
	bell    atomic.Pointer[loop.Place] // place, for expire
	again   func(*loop.Task)           // resume
	parked  bool                       // rests until then
	drained bool                       // there was no more to read
	out     []byte                     // an answer on its way out

	small      *buffer            // what buf is in, while it is a pooled one
	buf        []byte             // nil while the connection is idle
	r, w       int                // what came and was not yet taken is buf[r:w]
	input      error              // why there is no more input
	pending    Exchange           // understood, and waiting for its body
	tunnel     func(early []byte) // takes the connection over
	tunnelling atomic.Bool
	hangup     bool // no further request
	ragged     bool // what follows in the input is no request
	cutting    bool // the answer broke off
	body       body
	vectors    net.Buffers
	parts      [2][]byte
}

// guarded does what serves the connection, and closes it unless that says that the
// connection rests.
func (c *Conn) guarded(f func() (rests bool)) {
	rests := false
	defer func() {
		if !rests {
			c.close()
		}
	}()
	defer c.recover()
	rests = f()
}

// arrive gets through what comes before the first request.
func (c *Conn) arrive() bool {
	c.server.sweeper.Add(&c.watch, c.expire)
	c.watch.Set(c.server.cfg.HeaderTimeout)
	if !c.greet() {
		return false
	}
	c.watch.Set(c.server.cfg.HeaderTimeout)
	c.join()
	return true
}

// serve serves the connection until it ends, or rests.
func (c *Conn) serve() (rests bool) {
	c.parked = false
	for c.input == nil && !c.hangup && c.await() {
		c.pump()
		c.watch.Set(c.server.cfg.IdleTimeout)
	}
	if c.parked {
		return true
	}
	if c.tunnel != nil {
		c.task.Leave()
		c.tunnelling.Store(true)
		c.watch.Clear()
		c.tunnel(c.buf[c.r:c.w])
	}
	return false
}

// recover keeps a fault on one connection from ending the others.
func (c *Conn) recover() {
	if fault := recover(); fault != nil {
		c.server.handler.Panicked(fault)
	}
}

// greet gets through what comes before HTTP: the PROXY protocol and TLS.
func (c *Conn) greet() bool {
	if c.server.cfg.ProxyProtocol && c.proxied && !c.readProxyHeader() {
		return false
	}
	nc, err := c.server.secure(c.nc)
	if err != nil {
		c.correct(err)
		return false
	}
	c.nc, c.Secure = nc, c.server.cfg.TLS != nil
	return true
}

// closeIdle closes the connection from outside if it waits for a request: for
// another one, or also for its first.
func (c *Conn) closeIdle(alsoFresh bool) {
	if c.state.CompareAndSwap(idle, closing) || alsoFresh && c.state.CompareAndSwap(fresh, closing) {
		c.expire()
	}
}

// resting reports whether the connection waits for a request.
func (c *Conn) resting() bool {
	s := c.state.Load()
	return s == idle || s == fresh
}

// cut ends the connection from outside, whatever it does.
func (c *Conn) cut() {
	c.state.Store(closing)
	if c.tunnelling.Load() { // whoever uses it sets deadlines of its own
		_ = c.socket.Close()
		return
	}
	c.expire()
}

// close is the end. What a client still sends after an answer that it may not
// have read is taken in for a moment.
func (c *Conn) close() {
	c.part()
	if c.ragged && !c.cutting && c.input == nil && c.watch.Clear() {
		_ = c.socket.SetDeadline(time.Now().Add(lingerTime))
		linger(c.nc)
	}
	c.watch.Remove()
	_ = c.nc.Close()
	c.release()
	c.free()
	c.server.left(c)
}

// Cut ends the connection inside an answer. reset makes sure that the client
// can't take what it got for all, even where the answer ends with the connection;
// it may cost the client the last bytes.
func (c *Conn) Cut(reset bool) {
	c.hangup, c.cutting = true, true
	if !reset {
		return
	}
	if tcp, ok := c.socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// Hangup closes the connection after this answer. ragged says that what follows
// in the input can't be trusted to be a request.
func (c *Conn) Hangup(ragged bool) { c.hangup, c.ragged = true, c.ragged || ragged }

// Tunnel hands the connection over once this exchange ends: to run, with what
// the client has sent already.
func (c *Conn) Tunnel(run func(early []byte)) { c.hangup, c.tunnel = true, run }

// Net is the connection itself, for a tunnel.
func (c *Conn) Net() net.Conn { return c.nc }

// pump answers the requests that are in the buffer. It may wait for the rest of
// one.
func (c *Conn) pump() {
	for c.pending != nil || !c.hangup && c.r < c.w {
		if c.pending == nil && !c.begin() {
			if !c.more() {
				return
			}
			continue
		}
		c.exchange()
	}
}

// exchange answers the request that was understood.
func (c *Conn) exchange() {
	x := c.pending
	c.pending = nil
	x.Handle()
	switch {
	case c.cutting:
	case c.hangup:
		c.ragged = c.ragged || !c.body.done()
	case !c.discard():
		c.Hangup(true)
	}
	c.release()
	c.body, c.readBy = body{}, 0
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
}

// rest makes the connection idle: without a buffer, where it can be read
// without one. It reports whether the connection lives on.
func (c *Conn) rest() bool {
	if c.place != nil {
		c.free()
	}
	if !c.state.CompareAndSwap(busy, idle) {
		return false
	}
	return !c.server.stopping.Load() || !c.state.CompareAndSwap(idle, closing)
}

// wake ends the rest. It reports false when somebody ended the connection.
func (c *Conn) wake() bool {
	return (c.state.CompareAndSwap(idle, busy) || c.state.CompareAndSwap(fresh, busy)) && c.watch.Clear()
}

// grab gets a buffer for what comes.
func (c *Conn) grab() {
	if c.buf == nil {
		c.small = buffers.Get().(*buffer)
		c.buf = c.small.bytes[:]
	}
}

// free gives the buffer back.
func (c *Conn) free() {
	if c.small != nil {
		buffers.Put(c.small)
		c.small = nil
	}
	c.buf, c.r, c.w = nil, 0, 0
}
