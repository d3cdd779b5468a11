package e2e

import (
	"fmt"
	"strings"
)

const errorBody = `{"message":"No such thing"}`

// jsonAnswer is an answer of this status with these header lines.
func jsonAnswer(status, body string, lines ...string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s%s", status, upstreamDate, len(body), block(lines...), body)
}

// bareAnswer is one with these lines only.
func bareAnswer(status, rest string) string {
	return "HTTP/1.1 " + status + "\r\nDate: " + upstreamDate + "\r\n" + rest
}

func (l *caseList) statuses() {
	for _, s := range []string{"200 OK", "200 ", "200 Fine", "200", "200 caf\xc3\xa9", "201 Created", "202 Accepted", "203 Non-Authoritative Information", "206 Partial Content", "207 Multi-Status", "226 IM Used", "299 Odd", "300 Multiple Choices", "301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"} {
		l.answered("status "+s, jsonAnswer(s, `{"id":"1"}`), false)
	}
	for _, s := range []string{"400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "405 Method Not Allowed", "409 Conflict", "418 I'm a teapot", "422 Unprocessable Entity", "425 Too Early", "429 Too Many Requests", "451 Unavailable For Legal Reasons", "499 Odd", "500 Internal Server Error", "501 Not Implemented", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "511 Network Authentication Required", "599 Odd"} {
		l.answered("error "+s, jsonAnswer(s, errorBody), false)
	}
	l.answered("foreign error page", bareAnswer("502 Bad Gateway", "Content-Type: text/html\r\nContent-Length: 15\r\n\r\n<h1>nginx</h1>\n"), false)
	l.answered("foreign error without a message", jsonAnswer("404 Not Found", `{"error":"gone"}`), false)
	l.answered("foreign error without a body", bareAnswer("500 Internal Server Error", "Content-Length: 0\r\n\r\n"), false)
	for _, s := range []string{"600 Odd", "999 Odd", "99 Odd", "1000 Odd", "2x0 Odd", "-200 Odd", "+200 Odd"} {
		l.answered("odd status "+s, jsonAnswer(s, `{"id":"1"}`), true)
	}
	for _, s := range []string{"204 No Content", "304 Not Modified", "205 Reset Content"} {
		l.answered("bodiless "+s, bareAnswer(s, "ETag: \"a\"\r\n\r\n"), s == "205 Reset Content")
		l.answered("bodiless "+s+" with length 0", bareAnswer(s, "Content-Length: 0\r\n\r\n"), false)
	}
	l.answered("bodiless 304 Not Modified with the length of the other", bareAnswer("304 Not Modified", "Content-Length: 13\r\n\r\n"), false)
	l.answered("bodiless 204 No Content with a type", bareAnswer("204 No Content", "Content-Type: application/json\r\n\r\n"), false)
	for _, s := range []string{"100 Continue", "102 Processing", "103 Early Hints", "199 Odd"} {
		l.answered("interim "+s, "HTTP/1.1 "+s+"\r\nLink: </a>; rel=preload\r\n\r\n"+plainAnswer, true)
	}
	l.answered("interim 103 Early Hints twice", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n"+plainAnswer, true)
	l.answered("unasked 101 Switching Protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true)
}

func (l *caseList) answerFields() {
	for _, line := range []string{
		"X-A: b", "X-A:b", "X-A:   b   ", "X-A:", "X-A: \xe9\xff", "X-A: a\tb", "x-a: b", "X-a-B: c", "X-A: b\r\nX-A: c", "X-A: b\r\nX-B: c\r\nx-a: d", "!#$%&'*+-.^`|~: a", "X_A: b", "X-A: " + strings.Repeat("v", 8000),
		"Accept-Ranges: bytes", "Age: 1", "Allow: GET", "Alt-Svc: h2=\":1\"", "Cache-Control: no-store", "Content-Disposition: attachment", "Content-Language: nl", "Content-Range: bytes 0-1/2", "ETag: \"a\"", "Expires: 0", "Last-Modified: " + upstreamDate, "Retry-After: 3", "Server: x", "Set-Cookie: a=b; Path=/; HttpOnly", "Set-Cookie: a=b\r\nSet-Cookie: c=d", "Strict-Transport-Security: max-age=1", "Vary: Accept", "Via: 1.1 x", "WWW-Authenticate: Basic", "X-Powered-By: Express", "X-Total-Count: 7", "Access-Control-Allow-Origin: *", "P3P: x", "Refresh: 1", "Pragma: no-cache", "Warning: 199 - x", "Link: </v2/things?offset=2>; rel=\"next\"", "Link: <https://elsewhere.example/x>; rel=\"next\"", "Location: /v2/x", "Location: https://elsewhere.example/x", "Content-Location: /x", "Server-Timing: a;dur=1", "Traceparent: x", "Proxy-Status: x", "X-Accel-Redirect: /x", "X-Sendfile: /x", "Status: 404",
	} {
		l.answered("answer field "+line[:min(len(line), 40)], jsonAnswer("200 OK", `{"id":"1"}`, line), false)
	}
	for _, line := range []string{"Link: <http://UPSTREAM/v2/things?offset=2>; rel=\"next\"", "Location: http://UPSTREAM/v2/x", "Link: <http://UPSTREAM/a>, <https://elsewhere.example/x>"} {
		l.answered("origin in "+line, jsonAnswer("200 OK", `{"id":"1"}`, line), false)
	}
	for _, line := range []string{"X-Request-ID: upstream", "X-RateLimit-Limit: 5", "RateLimit: \"x\";r=1", "RateLimit-Policy: \"x\";q=1", "X-RateLimit-Remaining: 5\r\nX-RateLimit-Reset: 5"} {
		l.answered("own name "+line, jsonAnswer("200 OK", `{"id":"1"}`, line), false)
	}
	for _, line := range []string{"Connection: keep-alive", "Keep-Alive: timeout=5", "Connection: X-A\r\nX-A: b", "Connection: x-a, X-B\r\nX-A: b\r\nX-B: c", "Proxy-Connection: keep-alive", "Proxy-Authenticate: Basic", "Proxy-Authorization: x", "TE: trailers", "Upgrade: h2c", "Trailer: X-T", "Connection: Set-Cookie\r\nSet-Cookie: a=b", "Connection: Content-Type"} {
		l.answered("answer hop "+line, jsonAnswer("200 OK", `{"id":"1"}`, line), false)
	}
	l.answered("answer hop Connection: close", jsonAnswer("200 OK", `{"id":"1"}`, "Connection: close"), true)
	for name, line := range map[string]string{"a bare LF": "X-A: b\nX-B: c", "a bare CR": "X-A: b\rc", "a NUL": "X-A: b\x00c", "a folded line": "X-A: b\r\n c", "a space before the colon": "X-A : b", "a line without a colon": "X-A", "an empty name": ": b", "two types": "Content-Type: a/b"} {
		l.answered("answer with "+name, jsonAnswer("200 OK", `{"id":"1"}`, line), true)
	}
	l.answered("answer without a date", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", false)
	l.answered("answer without a type", bareAnswer("200 OK", "Content-Length: 5\r\n\r\nhello"), false)
	l.answered("answer of 40 kB of header", jsonAnswer("200 OK", `{"id":"1"}`, "X-A: "+strings.Repeat("v", 40_000)), true)
}

func (l *caseList) answerFramings() {
	const text, chunked = "Content-Type: text/plain\r\n", "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
	large := strings.Repeat(binaryBody, 1100) // above what is kept in memory
	for name, rest := range map[string]string{
		"chunks": chunked + "\r\n5\r\nhello\r\n0\r\n\r\n", "chunks with extensions": chunked + "\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n", "chunks with a trailer": chunked + "Trailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "chunks with an unannounced trailer": chunked + "\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "no chunk": chunked + "\r\n0\r\n\r\n", "length 0": text + "Content-Length: 0\r\n\r\n", "a binary body": fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", text, len(binaryBody), binaryBody), "a compressed body": fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", text, len(gzipped("hello")), gzipped("hello")), "300 kB": fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", text, len(large), large), "300 kB in one chunk": fmt.Sprintf("%s\r\n%x\r\n%s\r\n0\r\n\r\n", chunked, len(large), large), "events": "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n",
	} {
		l.answered("framed by "+name, bareAnswer("200 OK", rest), false)
	}
	for name, rest := range map[string]string{
		"the end": text + "\r\nhello", "the end, empty": text + "\r\n", "two equal lengths": text + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "a list of equal lengths": text + "Content-Length: 5, 5\r\n\r\nhello", "two lengths": text + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "length and chunks": chunked + "Content-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "length +5": text + "Content-Length: +5\r\n\r\nhello", "gzip, chunked": text + "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "identity": text + "Transfer-Encoding: identity\r\n\r\nhello", "chunked twice": chunked + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"bytes too many": text + "Content-Length: 2\r\n\r\nhello",
	} {
		l.answered("odd framing by "+name, bareAnswer("200 OK", rest), true)
	}
	l.answered("framed by HTTP/1.0", "HTTP/1.0 200 OK\r\nDate: "+upstreamDate+"\r\n"+text+"Content-Length: 5\r\n\r\nhello", true)
	l.answered("odd version HTTP/2.0", "HTTP/2.0 200 OK\r\n"+text+"Content-Length: 5\r\n\r\nhello", true)
	l.answered("odd version HTTP/1.2", "HTTP/1.2 200 OK\r\nDate: "+upstreamDate+"\r\n"+text+"Content-Length: 5\r\n\r\nhello", true)
	for name, answer := range map[string]string{
		"nothing": "", "no HTTP": "hello\r\n\r\n", "half a head": "HTTP/1.1 200 OK\r\nContent-", "half a body": bareAnswer("200 OK", text+"Content-Length: 10\r\n\r\nhello"), "half a chunk": bareAnswer("200 OK", chunked+"\r\na\r\nhello"), "no last chunk": bareAnswer("200 OK", chunked+"\r\n5\r\nhello\r\n"), "half of 300 kB": bareAnswer("200 OK", fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", text, 2*len(large), large)), "a bad chunk": bareAnswer("200 OK", chunked+"\r\n0x5\r\nhello\r\n0\r\n\r\n"),
	} {
		// Not a GET, which either proxy may try again.
		l.add("cut off: "+name, "POST /v2/things HTTP/1.1\nContent-Length: 5\r\n\r\nhello", answer).hangUp = true
	}
}
