package upstream

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// conn is one connection of a gateway.
type conn struct {
	fd      int
	head    []byte // the beginning of a head that has not come whole
	body    int    // bytes of the present request's body still to come
	answer  []byte // what the present request is answered once its body has come
	out     []byte // answers not written yet
	blocked bool   // the socket takes no more for now
	last    bool   // close after what is written
}

func answer(status, body string) []byte {
	return []byte("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

var (
	small   = answer("200 OK", `{"_id":"65aa0e00aabbccddeeff0001","name":"Ada Lovelace","status":"open","channel":"whatsapp","unread":0,"updatedAt":"2026-11-20T09:30:00.000Z"}`)
	created = answer("201 Created", `{"_id":"65aa0e00aabbccddeeff0002","type":"chat","role":"agent","createdAt":"2026-11-20T09:30:00.000Z"}`)
	large   = answer("200 OK", `{"data":"`+strings.Repeat("a", LargeSize-11)+`"}`)
	refused = answer("501 Not Implemented", `{"message":"the upstream of the benchmark does not know this"}`)
)

var headEnd = []byte("\r\n\r\n")

// take reads p, whatever piece of the stream it is.
func (s *Server) take(c *conn, p []byte) bool {
	if c.head != nil {
		p = append(c.head, p...)
		c.head = nil
	}
	for len(p) > 0 && !c.last {
		if c.answer == nil {
			end := bytes.Index(p, headEnd)
			if end < 0 {
				c.head = bytes.Clone(p) // p is the shared buffer
				return len(p) < 64<<10
			}
			s.understand(c, p[:end+2])
			p = p[end+len(headEnd):]
		}
		n := min(c.body, len(p))
		c.body -= n
		p = p[n:]
		if c.body == 0 {
			c.reply()
		}
	}
	return true
}

// reply queues the answer of the present request. The usual one answer is not copied.
func (c *conn) reply() {
	if len(c.out) == 0 {
		c.out = c.answer
	} else {
		c.out = append(bytes.Clone(c.out), c.answer...)
	}
	c.answer = nil
}

// understand reads a head, which ends with the CRLF of its last line.
func (s *Server) understand(c *conn, head []byte) {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	method, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	length, ok := bodyLength(fields)
	c.body = length
	switch {
	case !ok:
		c.answer, c.body, c.last = refused, 0, true
	case string(path) == CountPath:
		c.answer = answer("200 OK", fmt.Sprint(s.seen.Load()))
		return
	case string(method) == "POST":
		c.answer = created
	case string(path) == LargePath:
		c.answer = large
	default:
		c.answer = small
	}
	s.seen.Add(1)
}

// bodyLength is false when the body is framed in another way.
func bodyLength(fields []byte) (int, bool) {
	length := 0
	for len(fields) > 0 {
		var line []byte
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		// First letters first: nearly every line is skipped by them.
		if len(line) < 15 || (line[0]|0x20 != 'c' && line[0]|0x20 != 't') {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 {
				return 0, false
			}
			length = n
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			return 0, false
		}
	}
	return length, true
}
