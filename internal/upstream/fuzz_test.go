package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzAnswer plays any bytes as an answer. However they are cut, they must mean
// the same; and where they mean an answer to us, they must mean the same answer
// to net/http, which is another reader of the same language.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		okAnswer, typical(10, false), typical(10, true), typical(3000, true),
		"HTTP/1.1 200 OK\r\n\r\nto the end",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
		"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(7), false)
		f.Add([]byte(seed), uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, step uint8, head bool) {
		if len(answer) > 4*maxHead {
			return
		}
		req := get("/")
		req.HeadMethod = head
		whole := listen(t, string(answer), 1<<20, req)
		cut := listen(t, string(answer), 1+int(step), req)
		same := whole.resp.Status == cut.resp.Status && bytes.Equal(whole.body, cut.body)
		if whole.reason() != cut.reason() || whole.err == nil && !same {
			t.Errorf("whole: %d %q %v; in pieces of %d: %d %q %v",
				whole.resp.Status, whole.body, whole.err, 1+int(step), cut.resp.Status, cut.body, cut.err)
		}
		if whole.err == nil {
			compare(t, answer, head, &whole)
		}
	})
}

// compare holds an answer against what net/http reads.
func compare(t *testing.T, answer []byte, head bool, ours *played) {
	req := &http.Request{Method: http.MethodGet}
	if head {
		req.Method = http.MethodHead
	}
	in := bufio.NewReader(bytes.NewReader(answer))
	for {
		theirs, err := http.ReadResponse(in, req)
		if err != nil {
			if !strings.Contains(err.Error(), "bad trailer key") { // a Trailer field that announces Content-Length
				t.Errorf("we read %d, net/http says: %v", ours.resp.Status, err)
			}
			return
		}
		if theirs.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(theirs.Body)
		_ = theirs.Body.Close()
		if err != nil && choosy(err) {
			return
		}
		if theirs.StatusCode != ours.resp.Status || err != nil || !bytes.Equal(body, ours.body) {
			t.Errorf("we read %d %q, net/http %d %q and error %v", ours.resp.Status, ours.body, theirs.StatusCode, body, err)
		}
		return
	}
}

// choosy reports whether net/http refuses, in a chunked body, what it may, and
// we need not.
func choosy(err error) bool {
	for _, text := range []string{
		"too much non-data",            // long extensions of short chunks
		"invalid byte in chunk length", // white space before an extension, which RFC 9112 allows
		"malformed MIME header",        // trailers
		"suspiciously long trailer",
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
