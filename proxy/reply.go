package proxy

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// reply is the answer to the client while it is put together.
type reply struct {
	lines   []byte // header lines
	body    []byte
	length  int64 // what Content-Length says; undeclared: nothing
	close   bool  // the connection ends after this answer
	old     bool  // the client speaks HTTP/1.0
	dated   bool  // lines has a Date
	retries bool  // lines has a Retry-After
	head    []byte
}

const (
	undeclared = -1 // no Content-Length: there is no body, or its end shows otherwise
	ofBody     = -2 // as long as the body
)

// maxJoined is up to which size head and body are sent from one buffer, bytes:
// copying costs less than a longer system call.
const maxJoined = 16 << 10

func (r *reply) reset() {
	*r = reply{lines: r.lines[:0], head: r.head[:0], length: ofBody}
}

// clear forgets what was put together so far, but not what is known of the
// client.
func (r *reply) clear() {
	r.lines, r.body, r.length, r.dated = r.lines[:0], nil, ofBody, false
	r.retries = false
}

func (r *reply) add(name, value []byte) { r.lines = appendField(r.lines, name, value) }

// statusLines are the first lines of answers. A status that nobody has named has no text.
var statusLines = func() (lines [600]string) {
	for status := range lines {
		if status >= 100 {
			lines[status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n"
		}
	}
	return lines
}()

// appendHead writes the head.
func (r *reply) appendHead(dst []byte, status int, date []byte, chunked bool) []byte {
	dst = append(dst, statusLines[status]...)
	if !r.dated {
		dst = append(append(append(dst, "Date: "...), date...), "\r\n"...)
	}
	dst = append(dst, r.lines...)
	length := r.length
	if length == ofBody {
		length = int64(len(r.body))
	}
	switch {
	case chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case length >= 0 && status != fasthttp.StatusNoContent && status >= 200:
		dst = append(strconv.AppendInt(append(dst, "Content-Length: "...), length, 10), "\r\n"...)
	}
	switch {
	case status == fasthttp.StatusSwitchingProtocols:
		dst = append(dst, "Connection: Upgrade\r\n"...)
	case r.close:
		dst = append(dst, "Connection: close\r\n"...)
	case r.old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// date is the wall clock to the second, looked at once in each of the process time.
type date struct{ latest atomic.Pointer[second] }

type second struct {
	at    int64 // process time, s
	ahead int64 // how far the wall clock is ahead of the process time, ns
	text  []byte
}

// second is the second in which a process time (ns) is. A step of the wall clock is
// found out in the next one.
func (d *date) second(now int64, c *clock) *second {
	s := d.latest.Load()
	if s == nil || s.at != now/1e9 {
		s = &second{at: now / 1e9, ahead: c.wall().UnixNano() - c.now()}
		s.text = fasthttp.AppendHTTPDate(nil, unixTime(now+s.ahead))
		d.latest.Store(s)
	}
	return s
}

// at is the text of the Date field at a process time.
func (d *date) at(now int64, c *clock) []byte { return d.second(now, c).text }
