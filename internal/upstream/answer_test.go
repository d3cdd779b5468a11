package upstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chatshipper/gateway/internal/http1"
)

// both plays an answer whole and byte by byte: what it means must not depend on
// how it comes.
func both(t *testing.T, answer string, req *Request, judge func(p played)) {
	t.Helper()
	for _, step := range []int{1 << 20, 1} {
		judge(listen(t, answer, step, req))
	}
}

const (
	kept   = true
	closed = false
)

func TestWhatAnAnswerSays(t *testing.T) {
	f := func(answer string, status int, length int64, body string, keep bool) {
		t.Helper()
		both(t, answer, get("/"), func(p played) {
			t.Helper()
			if p.err != nil {
				t.Errorf("%.60q: unexpected error: %v", answer, p.err)
				return
			}
			if p.resp.Status != status || p.resp.ContentLength != length || string(p.body) != body || p.keep != keep {
				t.Errorf("%.60q: got %d, length %d, body %.40q, keep %v; want %d, %d, %.40q, %v",
					answer, p.resp.Status, p.resp.ContentLength, p.body, p.keep, status, length, body, keep)
			}
		})
	}
	const ok = "HTTP/1.1 200 OK\r\n"
	const kilo = "\r\n400\r\n"
	large := strings.Repeat("x", 1<<10)

	// Lengths
	f(ok+"Content-Length: 2\r\n\r\nok", 200, 2, "ok", kept)
	f(ok+"content-LENGTH:\t 002 \r\n\r\nok", 200, 2, "ok", kept)
	f(ok+"Content-Length: 0\r\n\r\n", 200, 0, "", kept)
	f(ok+"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", kept)
	f(ok+"Content-Length: 1024\r\n\r\n"+large, 200, 1024, large, kept)
	f(ok+"Content-Length: 1025\r\n\r\n"+large+"y", 200, 1025, large+"y", kept)

	// Chunks
	const te = ok + "Transfer-Encoding: chunked\r\n\r\n"
	f(te+"2\r\nok\r\n0\r\n\r\n", 200, Undeclared, "ok", kept)
	f(ok+"transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", 200, Undeclared, "", kept)
	f(te+"1\r\no\r\n00000001\r\nk\r\n000\r\n\r\n", 200, Undeclared, "ok", kept)
	f(te+"a;x=1;y=\"z\"\r\n0123456789\r\nA \t;x\r\n0123456789\r\n0;last\r\n\r\n", 200, Undeclared, "01234567890123456789", kept)
	f(te+"2\r\nok\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", 200, Undeclared, "ok", kept)
	f(te[:len(te)-2]+kilo+large+"\r\n0\r\n\r\n", 200, Undeclared, large, kept)
	f(te[:len(te)-2]+kilo+large+kilo+large+"\r\n0\r\n\r\n", 200, Undeclared, large+large, kept)

	// The end of the connection
	f(ok+"\r\nall of it", 200, CloseDelimited, "all of it", closed)
	f(ok+"\r\n"+large+large, 200, CloseDelimited, large+large, closed)
	f("HTTP/1.0 200 OK\r\n\r\nold", 200, CloseDelimited, "old", closed)

	// Who keeps the connection
	f("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", closed)
	f("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", kept)
	f(ok+"Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", closed)
	f(ok+"Connection: X-Y , CLOSE\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", closed)
	f(ok+"Connection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", closed)
	f("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno", 400, 2, "no", closed)
	f("HTTP/1.1 400 Bad Request\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno", 400, 2, "no", kept)
	f("HTTP/1.1 400 Bad Request\r\nDate: x\r\nContent-Length: 2\r\n\r\nno", 400, 2, "no", kept)
	f(ok+"Connection: keep-alive, closed\r\nContent-Length: 2\r\n\r\nok", 200, 2, "ok", kept)

	// Answers without a body
	f("HTTP/1.1 204 No Content\r\n\r\n", 204, Undeclared, "", kept)
	f("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, 5, "", closed)
	f("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, Undeclared, "", closed)
	f("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, 5, "", kept)
	f("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, Undeclared, "", kept)

	// Status lines
	f("HTTP/1.1 599 \r\nDate: x\r\nContent-Length: 0\r\n\r\n", 599, 0, "", kept)
	f("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0, "", kept)
	f("HTTP/1.1 404 Nicht gefunden \xfc\t!\r\ndate:\r\nContent-Length: 0\r\n\r\n", 404, 0, "", kept)

	// Interim answers
	f("HTTP/1.1 100 Continue\r\n\r\n"+ok+"Content-Length: 2\r\n\r\nok", 200, 2, "ok", kept)
	f(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 10)+ok+"Content-Length: 2\r\n\r\nok", 200, 2, "ok", kept)
	f("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, Undeclared, "", kept)
}

func TestBytesBehindAnAnswerEndItsConnection(t *testing.T) {
	for _, answer := range []string{
		okAnswer,
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	} {
		if p := listen(t, answer+"x", 1<<20, get("/")); p.err != nil || p.keep {
			t.Errorf("%q and a byte more: error %v, keep %v", answer, p.err, p.keep)
		}
	}
}

func TestAnAnswerToHEADHasNoBody(t *testing.T) {
	f := func(fields string, length int64) {
		t.Helper()
		req := get("/")
		req.HeadMethod = true
		both(t, "HTTP/1.1 200 OK\r\n"+fields+"\r\n", req, func(p played) {
			t.Helper()
			if p.err != nil || len(p.body) > 0 || p.resp.ContentLength != length || !p.keep {
				t.Errorf("%q: error %v, body %q, length %d, keep %v; want length %d", fields, p.err, p.body, p.resp.ContentLength, p.keep, length)
			}
		})
	}
	f("Content-Length: 5000000\r\n", 5000000)
	f("Transfer-Encoding: chunked\r\n", Undeclared)
	f("Content-Type: text/event-stream\r\n", Undeclared)
	f("", Undeclared)
}

func TestFieldsComeInOrderAndInTheirCase(t *testing.T) {
	p := listen(t, "HTTP/1.1 200 OK\r\nx-B: 1 2\t\r\nSet-Cookie:a\r\nContent-Length: 0\r\ncontent-length: 0\r\nSET-COOKIE:   b:c \xe9\r\nEmpty:\r\n\r\n", 1, get("/"))
	var got []string
	for _, f := range p.resp.Fields {
		got = append(got, string(f.Name)+"="+string(f.Value))
	}
	if want := "x-B=1 2|Set-Cookie=a|Content-Length=0|SET-COOKIE=b:c \xe9|Empty="; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "|"), want)
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	f := func(answer string) {
		t.Helper()
		both(t, answer, get("/"), func(p played) {
			t.Helper()
			if p.reason() != "invalid" {
				t.Errorf("%.80q: got %d and error %v, want an invalid answer", answer, p.resp.Status, p.err)
			}
		})
	}
	with := func(fields string) { t.Helper(); f("HTTP/1.1 200 OK\r\n" + fields + "\r\n\r\nok") }

	// Status lines
	f("HTTP/1.2 200 OK\r\n\r\n")
	f("HTTP/2 200 OK\r\n\r\n")
	f("HTTP/2.0 200 OK\r\n\r\n")
	f("http/1.1 200 OK\r\n\r\n")
	f("HTTP/1.1  200 OK\r\n\r\n")
	f("HTTP/1.1\t200 OK\r\n\r\n")
	f("HTTP/1.1200 OK\r\n\r\n")
	f("HTTP/1.1 2000 OK\r\n\r\n")
	f("HTTP/1.1 20 OK\r\n\r\n")
	f("HTTP/1.1 099 OK\r\n\r\n")
	f("HTTP/1.1 600 OK\r\n\r\n")
	f("HTTP/1.1 999 OK\r\n\r\n")
	f("HTTP/1.1 +20 OK\r\n\r\n")
	f("HTTP/1.1 200 O\x00K\r\n\r\n")
	f("HTTP/1.1 \r\n\r\n")
	f("HTTP/1.\r\n\r\n")
	f("\r\nHTTP/1.1 200 OK\r\n\r\n")
	f("\r\n\r\n")
	f("SSH-2.0-OpenSSH_9.2\r\n")
	f("<html>")

	// Header lines
	with("X: 1\r\n folded")
	with("X: 1\r\n\tfolded")
	with(" X: 1")
	with("X : 1")
	with("X\t: 1")
	with("X Y: 1")
	with(": 1")
	with("X")
	with("X(: 1")
	with("\xe9: 1")
	with("X: a\x00b")
	with("X: a\rb")
	with("X: a\x7fb")
	with("X: 12345678\x0112345678")
	with("X: a\nY: b")
	f("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n")
	with(strings.TrimSuffix(strings.Repeat("X: 1\r\n", maxFields+1), "\r\n"))
	with("X: " + strings.Repeat("x", maxHead))
	f("HTTP/1.1 200 " + strings.Repeat("x", maxHead))

	// Framing
	with("Content-Length: ")
	with("Content-Length: +2")
	with("Content-Length: -2")
	with("Content-Length: 0x2")
	with("Content-Length: 2 2")
	with("Content-Length: 2, 2")
	with("Content-Length: 2.0")
	with("Content-Length: 99999999999999999999")
	with("Content-Length: 9223372036854775808")
	with("Content-Length: 2\r\nContent-Length: 3")
	with("Content-Length: 2\r\nTransfer-Encoding: chunked")
	with("Transfer-Encoding: chunked\r\nContent-Length: 2")
	with("Transfer-Encoding: chunked\r\nContent-Length: 0")
	with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")
	with("Transfer-Encoding: gzip, chunked")
	with("Transfer-Encoding: chunked, identity")
	with("Transfer-Encoding: identity")
	with("Transfer-Encoding: xchunked")
	with("Transfer-Encoding: chunked;q=1")
	with("Transfer-Encoding:")
	f("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

	// Interim answers
	f("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
	f(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 11) + okAnswer)
	f("HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok" + okAnswer)
	f("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + okAnswer)
	f("HTTP/1.1 100 Continue\r\n\r\nx" + okAnswer)
}

func TestChunksThatAreRefused(t *testing.T) {
	f := func(body string) {
		t.Helper()
		answer := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
		both(t, answer, get("/"), func(p played) {
			t.Helper()
			if p.reason() != "invalid" {
				t.Errorf("%.60q: got the body %q and error %v, want an invalid answer", body, p.body, p.err)
			}
		})
	}
	f("\r\n")
	f("x\r\n")
	f(" 2\r\nok\r\n0\r\n\r\n")
	f("+2\r\nok\r\n0\r\n\r\n")
	f("-2\r\nok\r\n0\r\n\r\n")
	f("0x2\r\nok\r\n0\r\n\r\n")
	f("2g\r\nok\r\n0\r\n\r\n")
	f("2 2\r\nok\r\n0\r\n\r\n")
	f(";x\r\nok\r\n0\r\n\r\n")
	f("2\nok\r\n0\r\n\r\n")
	f("2;x\nok\r\n0\r\n\r\n")
	f("2;x\ry\r\nok\r\n0\r\n\r\n")
	f("2;\x00\r\nok\r\n0\r\n\r\n")
	f("2\r\nok0\r\n\r\n")
	f("2\r\nok\n0\r\n\r\n")
	f("2\r\nokk\r\n0\r\n\r\n")
	f("3\r\nok\r\n0\r\n\r\n")
	f("00000000000000002\r\nok\r\n0\r\n\r\n")
	f("8000000000000000\r\n")
	f("ffffffffffffffff\r\n")
	f("2;" + strings.Repeat("x", http1.MaxExtension) + "\r\nok\r\n0\r\n\r\n")
	f("2" + strings.Repeat(" ", http1.MaxExtension+1) + "\r\nok\r\n0\r\n\r\n")
	f("0\r\nX\r\n\r\n")
	f("0\r\n: 1\r\n\r\n")
	f("0\r\n folded\r\n\r\n")
	f("0\r\nX: 1\n\r\n")
	f("0\r\nX: 1\rY\r\n\r\n")
	f("0\r\nX: \x00\r\n\r\n")
	f("0\r\nX Y: 1\r\n\r\n")
	f("0\r\n\rX")
	f("0\r\n" + strings.Repeat("X: 123456789\r\n", http1.MaxTrailers/13+1) + "\r\n")
}

func TestAnEventStreamIsNotHeldBack(t *testing.T) {
	f := func(kind string, streamed bool) {
		t.Helper()
		p := listen(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 2\r\n\r\nok", kind), 1<<20, get("/"))
		if p.err != nil || string(p.body) != "ok" || (p.resp.Stream != nil) != streamed {
			t.Errorf("%q: error %v, body %q, streamed: %v, want %v", kind, p.err, p.body, p.resp.Stream != nil, streamed)
		}
	}
	f("text/event-stream", true)
	f("Text/Event-Stream; charset=utf-8", true)
	f("text/event-stream ;x", true)
	f("text/event-streams", false)
	f("text/event", false)
	f("text/plain", false)
}
