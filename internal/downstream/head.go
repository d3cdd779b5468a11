package downstream

import (
	"bytes"

	"github.com/chatshipper/gateway/internal/http1"
)

// maxBlankLines is how many empty lines may stand before a request: old clients
// sent one behind a body.
const maxBlankLines = 2

// maxEnds is for how many lines their ends are kept. Most heads have fewer.
const maxEnds = 32

var blankLine = []byte("\r\n")

// begin makes the head that the buffer begins with the next exchange. It reports
// false when more of it must come first.
func (c *Conn) begin() bool {
	c.Method, c.Target, c.Version, c.Block, c.LineEnds = nil, nil, nil, nil, nil
	for range maxBlankLines {
		if bytes.HasPrefix(c.buf[c.r:c.w], blankLine) {
			c.r += len(blankLine)
		}
	}
	head := c.buf[c.r:c.w]
	line, end := c.scan(head)
	switch {
	case end < 0 && !plausible(head):
		c.unread(BadRequestLine)
		return true
	case end < 0:
		return false
	case end > c.server.cfg.MaxHead:
		c.unread(HeadTooLarge)
		return true
	}
	head = head[:end]
	if !c.readLine(head[:line]) {
		c.unread(BadRequestLine)
		return true
	}
	c.Block = head[line:]
	c.r += len(head)
	c.pending = c.server.handler.Understand(c)
	return true
}

// scan finds the end of the first line and that of the head, which is negative while it
// has not come, and keeps where the lines in between end, so that nobody has to look for
// that again.
func (c *Conn) scan(b []byte) (line, head int) {
	n := 0
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return line, -1
		}
		at += i + 1
		if line == 0 {
			line = at
		} else if c.small != nil && n < maxEnds {
			c.small.ends[n] = uint16(at - line)
			n++
		}
		if at > 1 && b[at-2] == '\r' && bytes.HasPrefix(b[at:], blankLine) {
			if c.small != nil {
				c.LineEnds = c.small.ends[:n]
			}
			return line, at + len(blankLine)
		}
	}
}

// plausible tells the beginning of a head from what can't become one, so that
// nobody waits for its end: a line feed alone, or another protocol.
func plausible(b []byte) bool {
	if len(b) > 0 && !http1.IsTokenByte(b[0]) && (len(b) > 1 || b[0] != '\r') {
		return false
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if i == 0 || b[i-1] != '\r' {
			return false
		}
		b = b[i+1:]
	}
	return true
}

// readLine reads "GET /path HTTP/1.1\r\n": three words with a space between them
// and nothing else. Whether there is such a method, target or version is for the
// handler to say.
func (c *Conn) readLine(line []byte) bool {
	n := len(line) - len(blankLine)
	if n < 0 || line[n] != '\r' {
		return false
	}
	line = line[:n]
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 1 || last <= first+1 {
		return false
	}
	c.Method, c.Target, c.Version = line[:first], line[first+1:last], line[last+1:]
	for _, b := range c.Method {
		if !http1.IsTokenByte(b) {
			return false
		}
	}
	for _, b := range c.Target {
		if b <= ' ' || b == 0x7f {
			return false
		}
	}
	v := c.Version
	return len(v) == len("HTTP/1.1") && string(v[:5]) == "HTTP/" && isDigit(v[5]) && v[6] == '.' && isDigit(v[7])
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
