package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
)

// wireMessage is a request or an answer as it stood on the wire, with its framing
// undone.
type wireMessage struct {
	start    string   // request line or status line
	fields   []string // header lines as they came
	framing  string   // none, length, chunked or until close
	body     string
	trailers []string
	broken   string // why it could not be read to its end
}

// values lists the values of a field, in order.
func (m *wireMessage) values(name string) []string {
	var list []string
	for _, line := range m.fields {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			list = append(list, strings.Trim(v, " \t"))
		}
	}
	return list
}

// names maps every field's name in lower case to how it was spelled first.
func (m *wireMessage) names() map[string]string {
	names := map[string]string{}
	for _, line := range m.fields {
		n, _, _ := strings.Cut(line, ":")
		if _, ok := names[strings.ToLower(n)]; !ok {
			names[strings.ToLower(n)] = n
		}
	}
	return names
}

// readWire reads a message. Errors end up in broken, with what was read before. io.EOF
// means that nothing came at all.
func readWire(r *bufio.Reader, isAnswer bool, method string) (wireMessage, error) {
	lines := textproto.NewReader(r)
	start, err := lines.ReadLine()
	if err != nil {
		return wireMessage{}, err
	}
	m := wireMessage{start: start, framing: "none"}
	if m.fields, err = readLines(lines); err == nil {
		err = m.readBody(r, isAnswer, method)
	}
	if err == nil && m.framing == "chunked" {
		m.trailers, err = readLines(lines)
	}
	if err != nil {
		m.broken = reasonOf(err)
	}
	return m, nil
}

func readLines(r *textproto.Reader) ([]string, error) {
	var list []string
	for {
		line, err := r.ReadLine()
		if err != nil || line == "" {
			return list, err
		}
		list = append(list, line)
	}
}

// readBody reads what the head announces, as RFC 9112 section 6.3 has it.
func (m *wireMessage) readBody(r *bufio.Reader, isAnswer bool, method string) (err error) {
	var body []byte
	length := m.values("Content-Length")
	switch {
	case isAnswer && (method == "HEAD" || m.hasNoBody()):
	case len(m.values("Transfer-Encoding")) > 0:
		m.framing = "chunked"
		body, err = io.ReadAll(httputil.NewChunkedReader(r))
	case len(length) > 0:
		m.framing = "length"
		var n int
		if n, err = strconv.Atoi(length[0]); err == nil {
			body = make([]byte, n)
			n, err = io.ReadFull(r, body)
			body = body[:n]
		}
	case isAnswer:
		m.framing = "until close"
		body, err = io.ReadAll(r)
	}
	m.body = string(body)
	return err
}

// hasNoBody reports whether the status of an answer rules a body out.
func (m *wireMessage) hasNoBody() bool {
	s := m.status()
	return s >= 100 && s < 200 || s == 204 || s == 304
}

func (m *wireMessage) status() int {
	_, rest, _ := strings.Cut(m.start, " ")
	code, _, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(code) // 0 is no status
	return n
}

// reasonOf names a failed read without an address.
func reasonOf(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset") {
		return "cut off"
	}
	return fmt.Sprintf("%T", err)
}
