package e2e

import (
	"fmt"
	"strconv"
	"strings"
)

// wireCase is a request and the upstream's answer to it, byte for byte. PROXY and
// UPSTREAM stand for addresses.
type wireCase struct {
	name    string
	request string
	answer  string
	hangUp  bool // the upstream closes the connection behind the answer
	number  int
}

func (c *wireCase) id() string { return strconv.Itoa(c.number) }

func (c *wireCase) method() string {
	method, _, _ := strings.Cut(strings.TrimLeft(c.request, "\r\n"), " ")
	return method
}

// upstreamDate is the Date of the upstream's answers.
const upstreamDate = "Mon, 02 Nov 2026 08:00:00 GMT"

const plainAnswer = "HTTP/1.1 200 OK\r\nDate: " + upstreamDate + "\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"id\":\"same\"}"

// caseList collects cases and numbers them.
type caseList []wireCase

// add completes a request, which says with its first line break where the
// headers begin: there the Host goes in, and the number of the case.
func (l *caseList) add(name, request, answer string) *wireCase {
	c := wireCase{name: name, answer: answer, number: len(*l)}
	head := "\r\nHost: PROXY\r\nX-Case: " + c.id() + "\r\n"
	if strings.Contains(request, "Host:") {
		head = "\r\nX-Case: " + c.id() + "\r\n"
	}
	line, rest, _ := strings.Cut(request, "\n")
	c.request = line + head + rest
	*l = append(*l, c)
	return &(*l)[len(*l)-1]
}

// get is a GET with these header lines.
func (l *caseList) get(name string, lines ...string) {
	l.add(name, "GET /v2/things HTTP/1.1\n"+block(lines...), plainAnswer)
}

// answered is a GET and a HEAD with this answer, and whether the upstream hangs
// up behind it.
func (l *caseList) answered(name, answer string, hangUp bool) {
	for _, method := range []string{"GET", "HEAD"} {
		a := answer
		if head, _, ok := strings.Cut(answer, "\r\n\r\n"); ok && method == "HEAD" && !strings.HasPrefix(answer, "HTTP/1.1 1") {
			a = head + "\r\n\r\n"
		}
		l.add(name+" to "+method, method+" /v2/things HTTP/1.1\n\r\n", a).hangUp = hangUp
	}
}

// block ends a header.
func block(lines ...string) string {
	text := ""
	for _, line := range lines {
		text += line + "\r\n"
	}
	return text + "\r\n"
}

// wireCases is some hundred exchanges.
func wireCases() []wireCase {
	var l caseList
	l.methods()
	l.targets()
	l.requestFields()
	l.hops()
	l.versions()
	l.requestBodies()
	l.ambiguous()
	l.statuses()
	l.answerFields()
	l.answerFramings()
	return l
}

func (l *caseList) methods() {
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"} {
		l.add("method "+m, m+" /v2/things HTTP/1.1\n\r\n", plainAnswerTo(m))
		l.add("method "+m+" with an empty body", m+" /v2/things HTTP/1.1\nContent-Length: 0\r\n\r\n", plainAnswerTo(m))
		l.add("method "+m+" with a body", m+" /v2/things HTTP/1.1\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", plainAnswerTo(m))
		l.add("method "+m+" with a chunked body", m+" /v2/things HTTP/1.1\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", plainAnswerTo(m))
	}
	for _, m := range []string{"PUT", "TRACE", "PROPFIND", "M-SEARCH", "get", "Get", "FOO!", "PRI", "G\"ET", "CONNECT"} {
		l.add("other method "+m, m+" /v2/things HTTP/1.1\n\r\n", plainAnswerTo(m))
	}
	l.add("OPTIONS of the server", "OPTIONS * HTTP/1.1\n\r\n", plainAnswer)
}

func plainAnswerTo(method string) string {
	if method == "HEAD" {
		head, _, _ := strings.Cut(plainAnswer, "\r\n\r\n")
		return head + "\r\n\r\n"
	}
	return plainAnswer
}

func (l *caseList) targets() {
	for _, t := range []string{
		"/", "/v2", "/v2/", "//v2", "/v2//things", "/v2/./things", "/v2/../things", "/..", "/v2/%2e%2e/x", "/v2/a%2fb", "/v2/a%2Fb", "/v2/%41", "/v2/%7e~", "/v2/a;b=c", "/v2/a:b", "/v2/a@b", "/v2/a,b", "/v2/(a)", "/v2/a'b", "/v2/a!b$c&d*e+f=g", "/v2/[a]", "/v2/{a}", "/v2/a|b", "/v2/a^b", "/v2/a`b", "/v2/<a>", "/v2/a\"b", "/v2/%C3%A9", "/v2/%ff", "/v2/%20a", "/v2/a+b", "/:80", "/v2/things/" + strings.Repeat("a", 4000),
		"/v2/t?", "/v2/t?a", "/v2/t?a=b&a=c", "/v2/t?a=%20+&b=%2B", "/v2/t?a=b;c=d", "/v2/t?a;b", "/v2/t?a=%26", "/v2/t?=", "/v2/t?&&", "/v2/t??", "/v2/t?a=/../", "/v2/t?a=[b]", "/v2/t?a={}", "/v2/t?a=%C3%A9", "/v2/t?a='\"<>`|^",
		"http://PROXY/v2/t", "HTTP://PROXY/v2/t?a", "http://PROXY", "https://PROXY/v2/t",
	} {
		l.add("target "+t[:min(len(t), 40)], "GET "+t+" HTTP/1.1\n\r\n", plainAnswer)
	}
	for _, t := range []string{
		"/v2/t#x", "/v2/\\t", "/v2/%", "/v2/%zz", "/v2/t?a=%", "/v2/t?a=%zz", "/v2/%00", "/v2/t?a=%00", "/v2/\x7f", "/v2/\x01", "/v2/\xc3\xa9", "/v2/t?\xc3\xa9", "v2/t", "*", "?a", "http://user@PROXY/v2", "http://elsewhere.example/v2", "ftp://PROXY/v2", "http:///v2", "http://PROXY?a", "/v2/t t", "//elsewhere.example/v2", "/v2/t?\\",
	} {
		l.add("odd target "+t, "GET "+t+" HTTP/1.1\n\r\n", plainAnswer)
	}
}

func (l *caseList) requestFields() {
	for _, line := range []string{
		"X-A: b", "X-A:b", "X-A:   b   ", "X-A:\tb\t", "X-A:", "X-A: a\tb", "X-A: \"q\\\"\"", "X-A: a,b , c", "X-A: \xe9\xff", "X-A: \xc3\xa9", "X-A: " + strings.Repeat("v", 8000), "x-a: b", "X-a-B: c", "X-A: b\r\nX-A: c", "X-A: b\r\nX-B: c\r\nx-a: d", "!#$%&'*+-.^`|~: a", "A: b", "1: 2",
		"Accept: */*", "Accept: application/json\r\nAccept: text/html", "Accept-Encoding: gzip, br", "Accept-Encoding:", "Accept-Language: nl;q=0.5", "Authorization: Bearer abc", "Authorization: bearer abc", "Authorization: Basic dTpw", "Authorization: Token x", "Authorization:", "Cookie: a=b; c=d", "Cookie: a=b\r\nCookie: c=d", "Cookie: a=\"b c\"", "Content-Type: text/plain", "Content-Encoding: gzip", "Content-Language: nl", "Content-Location: /x", "Content-MD5: x", "Content-Range: bytes 0-1/2", "Date: " + upstreamDate, "From: a@b.c", "If-Match: \"a\"", "If-Modified-Since: " + upstreamDate, "If-None-Match: W/\"a\", *", "If-Range: \"a\"", "Range: bytes=0-1, 3-", "Max-Forwards: 1", "Origin: null", "Pragma: no-cache", "Cache-Control: no-cache", "Referer: http://x/", "User-Agent: a/1 (b)", "User-Agent:", "Via: 1.1 x", "Warning: 199 - x", "DNT: 1", "Priority: u=1", "Sec-Fetch-Mode: cors", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Real-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /x", "X-Forwarded-Server: x", "X-Original-URL: /x", "X-Rewrite-URL: /x", "Early-Data: 1", "Alt-Used: x", "Server: x", "Location: /x", "Set-Cookie: a=b", "Content-Security-Policy: x", "Proxy-Status: x",
	} {
		l.get("field "+line[:min(len(line), 40)], line)
	}
	for _, line := range []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2", "X-Request-ID: 7b1f-42", "X-HTTP-Method-Override: PUT", "X-Method-Override: DELETE"} {
		l.get("claim "+line, line)
	}
	for n, line := range map[int]string{90: "X-A: b", 150: "X-A: b", 300: "X-A: " + strings.Repeat("v", 100)} {
		l.get(fmt.Sprintf("%d lines", n), strings.TrimSuffix(strings.Repeat(line+"\r\n", n), "\r\n"))
	}
}

func (l *caseList) hops() {
	for _, line := range []string{
		"Connection: close", "Connection: keep-alive", "Connection: Close, X-A\r\nX-A: b", "Connection: x-a\r\nX-A: b\r\nx-a: c", "Connection: X-A\r\nConnection: X-B\r\nX-A: b\r\nX-B: c", "Connection: , ,X-A ,\r\nX-A: b", "Connection:", "Connection: \r\nX-A: b\r\nConnection: X-A",
		"Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authenticate: Basic", "Proxy-Authorization: Basic eA==", "TE: gzip", "TE: trailers", "Connection: TE\r\nTE: trailers", "Trailer: X-T", "Upgrade: h2c", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
		"Connection: Authorization\r\nAuthorization: Bearer abc", "Connection: Cookie\r\nCookie: a=b", "Connection: Content-Type\r\nContent-Type: text/plain", "Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto", "Connection: close, X-Forwarded-For\r\nX-Forwarded-For: 192.0.2.1", "Connection: X-Request-ID", "Connection: User-Agent\r\nUser-Agent: x", "Connection: Accept\r\nAccept: text/html",
	} {
		l.get("hop "+line, line)
	}
	l.add("hop Connection: Host", "GET /v2/things HTTP/1.1\nConnection: Host\r\n\r\n", plainAnswer)
	l.add("hop Connection: Content-Length", "POST /v2/things HTTP/1.1\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", plainAnswer)
	for _, expect := range []string{"100-continue", "100-Continue", "200-ok", ""} {
		l.add("Expect: "+expect, "POST /v2/things HTTP/1.1\nExpect: "+expect+"\r\nContent-Length: 5\r\n\r\nhello", plainAnswer)
	}
}

func (l *caseList) versions() {
	for _, v := range []string{"HTTP/1.0", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1", "HTTP/1.10", "http/1.1", "HTTP/01.1", "HTTPS/1.1", "HTTP/9.9", "HTTP/1.1 "} {
		l.add("version "+v, "GET /v2/things "+v+"\n\r\n", plainAnswer)
	}
	l.add("version HTTP/1.0 kept alive", "GET /v2/things HTTP/1.0\nConnection: keep-alive\r\n\r\n", plainAnswer)
	l.add("version HTTP/1.0 with a body", "POST /v2/things HTTP/1.0\nContent-Length: 5\r\n\r\nhello", plainAnswer)
	l.add("version HTTP/1.0 and a chunked answer", "GET /v2/things HTTP/1.0\n\r\n", "HTTP/1.1 200 OK\r\nDate: "+upstreamDate+"\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	l.add("no version", "GET /v2/things\n\r\n", plainAnswer)
	for name, host := range map[string]string{"of another name": "Host: api.example.com", "of another port": "Host: api.example.com:81", "in upper case": "Host: API.example.com", "of IPv6": "Host: [::1]:80", "twice": "Host: a\r\nHost: b", "twice the same": "Host: a\r\nHost: a", "empty": "Host:", "with a path": "Host: a/b", "with userinfo": "Host: a:b@c", "with a space": "Host: a b", "with a comma": "Host: a,b"} {
		l.add("host "+name, "GET /v2/things HTTP/1.1\n"+host+"\r\n\r\n", plainAnswer)
	}
	l.add("host missing", "GET /v2/things HTTP/1.1\nX-Host: a\r\n\r\n", plainAnswer)
	(*l)[len(*l)-1].request = "GET /v2/things HTTP/1.1\r\nX-Case: " + (*l)[len(*l)-1].id() + "\r\n\r\n"
}

// binaryBody is every byte, and what looks like framing.
var binaryBody = func() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b) + "\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
}()

func (l *caseList) requestBodies() {
	multipart := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\nX-Part: kept\r\n\r\n" + binaryBody + "\r\n--x--\r\nepilogue"
	for name, body := range map[string]string{"binary": binaryBody, "multipart": multipart, "gzip": gzipped(binaryBody), "of 300 kB": strings.Repeat(binaryBody, 1100), "of one byte": "x"} {
		for _, kind := range []string{"application/octet-stream", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"} {
			l.add("body "+name+" as "+kind, fmt.Sprintf("POST /v2/files HTTP/1.1\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body), plainAnswer)
		}
		l.add("body "+name+" in chunks", fmt.Sprintf("POST /v2/files HTTP/1.1\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body), plainAnswer)
	}
	for name, chunks := range map[string]string{
		"none": "0\r\n\r\n", "with extensions": "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "with zeros": "0005\r\nhello\r\n000\r\n\r\n", "in upper case": "A\r\nhellohello\r\n0\r\n\r\n", "with a trailer": "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "with a space": "5 \r\nhello\r\n0\r\n\r\n",
	} {
		l.add("chunks "+name, "POST /v2/files HTTP/1.1\nTransfer-Encoding: chunked\r\n\r\n"+chunks, plainAnswer)
	}
	l.add("chunks with an announced trailer", "POST /v2/files HTTP/1.1\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", plainAnswer)
	l.add("chunks in Chunked", "POST /v2/files HTTP/1.1\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", plainAnswer)
}

// ambiguous is what two parsers could read differently.
func (l *caseList) ambiguous() {
	for name, rest := range map[string]string{
		"length and chunks": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "chunks and length": "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "two equal lengths": "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "a list of lengths": "Content-Length: 5, 5\r\n\r\nhello", "length +5": "Content-Length: +5\r\n\r\nhello", "length -1": "Content-Length: -1\r\n\r\n", "length 0x5": "Content-Length: 0x5\r\n\r\nhello", "length 005": "Content-Length: 005\r\n\r\nhello", "length 5 and a tab": "Content-Length: \t5\t\r\n\r\nhello", "an empty length": "Content-Length:\r\n\r\n", "length of 20 digits": "Content-Length: 18446744073709551621\r\n\r\nhello",
		"coding identity": "Transfer-Encoding: identity\r\n\r\n", "coding gzip, chunked": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "coding chunked, identity": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "coding chunked twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "coding xchunked": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "an empty coding": "Transfer-Encoding:\r\n\r\n",
		"a bare LF": "X-A: b\nX-B: c\r\n\r\n", "a bare CR": "X-A: b\rc\r\n\r\n", "a NUL": "X-A: b\x00c\r\n\r\n", "a folded line": "X-A: b\r\n c\r\n\r\n", "a space before the colon": "X-A : b\r\n\r\n", "an underscore": "X_A: b\r\n\r\n", "a line without a colon": "X-A\r\n\r\n", "an empty name": ": b\r\n\r\n", "a name beyond ASCII": "X-\xe9: b\r\n\r\n", "a name with a bracket": "X(A): b\r\n\r\n", "a control character": "X-A: b\x01c\r\n\r\n", "DEL": "X-A: b\x7fc\r\n\r\n",
		"two types": "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "two credentials": "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", "two encodings": "Content-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n", "two expectations": "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
		"a bad chunk": "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "a negative chunk": "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", "a chunk of 20 digits": "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", "a chunk too long": "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", "LF in chunks": "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
	} {
		l.add("ambiguous: "+name, "POST /v2/files HTTP/1.1\n"+rest, plainAnswer)
	}
	l.add("leading blank lines", "GET /v2/things HTTP/1.1\n\r\n", plainAnswer)
	last := &(*l)[len(*l)-1]
	last.request = "\r\n" + last.request
}
