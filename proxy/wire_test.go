package proxy

import (
	"strings"
	"testing"
	"time"
)

// Requests that two parsers could read differently: one 400 (or its kin), the
// connection is closed, and the upstream receives nothing.
func TestAmbiguousRequestsNeverReachTheUpstream(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	refused := func(status, raw string) {
		t.Helper()
		got := g.raw(t, raw+"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || strings.Count(got, "X-Request-ID: ") != 1 ||
			!strings.Contains(got, "Connection: close") || !strings.Contains(got, `{"message":"`) {
			t.Errorf("%q: got %q", raw, got)
		}
	}
	const post, host = "POST /v2/x HTTP/1.1\r\n", "Host: a\r\n"
	refused("400", "GET * HTTP/1.1\r\n"+host+"\r\n")
	refused("400", post+host+"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX")
	refused("400", post+host+"Transfer-Encoding: identity\r\n\r\n")
	refused("400", post+host+"Transfer-Encoding: xchunked\r\n\r\n")
	refused("400", post+host+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	refused("400", post+host+"Content-Length: +3\r\n\r\nabc")
	refused("400", post+host+"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
	refused("400", post+host+"X: 1\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	refused("400", post+host+"X: 1\r\n Y: 2\r\n\r\n")
	refused("400", post+host+"Transfer Encoding: chunked\r\n\r\n")
	refused("400", post+host+"Transfer_Encoding: chunked\r\n\r\n")
	refused("400", post+host+"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n")
	refused("400", post+host+host+"\r\n")
	refused("400", "GET http://tok:x@evil/v2/x HTTP/1.1\r\nHost: evil\r\nAuthorization: Bearer REAL\r\n\r\n")
	refused("400", "GET http://evil/v2/x HTTP/1.1\r\nHost: good\r\n\r\n")
	refused("400", "GET /v2/x HTTP/1.1\r\nHost: a:b@h\r\n\r\n")
	refused("400", "GET /v2/x%00 HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET /v2/x#f HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("505", "GET /v2/x HTTP/9.9\r\nHost: a\r\n\r\n")
	refused("417", "POST /v2/x HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n")
	refused("431", "GET /v2/x HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 20<<10)+"\r\n\r\n")
	refused("431", "GET /v2/x HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("X: 1\r\n", 120)+"\r\n")
	refused("413", "POST /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n")
	refused("400", "POST //v2/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
	if got := r.bytes(); got != "" {
		t.Errorf("the upstream saw %q", got)
	}
}

func TestWhatGoesUpstreamIsWhatWasJudged(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	g.raw(t, "POST /v2//x/./%7e;p?q=%2F+a HTTP/1.0\r\nHost: edge.example\r\nAuthorization: bearer  T\r\nX-Forwarded-For: 1.2.3.4\r\n"+
		"X-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Request-ID: mine\r\nConnection: X-Drop, Authorization\r\nX-Drop: 1\r\nTE: trailers\r\n"+
		"Upgrade: h2c\r\nuser-agent: Test\r\nContent-Length: 3\r\n\r\nabc")
	got := r.bytes()
	for _, want := range []string{
		"POST /v2//x/./%7e;p?q=%2F+a HTTP/1.1\r\n", "Authorization: bearer  T\r\n", "user-agent: Test\r\n",
		"X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Host: edge.example\r\n", "X-Forwarded-Proto: http\r\n", "Content-Length: 3\r\n\r\nabc",
		"Host: " + r.ln.Addr().String() + "\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from %q", want, got)
		}
	}
	for _, gone := range []string{"1.2.3.4", "X-Drop", "TE:", "Upgrade", "Connection", "X-Request-ID: mine"} {
		if strings.Contains(got, gone) {
			t.Errorf("%q must not go upstream: %q", gone, got)
		}
	}
}

func TestChunkedRequestsGoUpstreamWithALengthAndWithoutTrailers(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	g.raw(t, "POST /v2/x HTTP/1.1\r\nHost: a\r\nTrailer: X-Role\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX-Role: admin\r\n\r\n")
	if got := r.bytes(); !strings.HasSuffix(got, "Content-Length: 3\r\n\r\nabc") || strings.Contains(got, "X-Role") || strings.Contains(got, "chunked") {
		t.Errorf("the upstream saw %q", got)
	}
}

func TestExpectContinueIsAnsweredHere(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	const head = "POST /v2/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	c := g.dial(t)
	c.say(head)
	if got := c.until("\r\n\r\n"); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	c.say("abc")
	if got := c.until(`{"id":"65aa"}`); !strings.HasPrefix(got, "HTTP/1.1 201 ") || strings.Contains(r.bytes(), "Expect") {
		t.Errorf("got %q, the upstream saw %q", got, r.bytes())
	}
	if got := g.raw(t, head+"abc"); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
		t.Errorf("a body that has come is not asked for: got %q", got)
	}
}

func TestRequestIDOfATrustedProxyIsKept(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) { unlimited(c); c.Listen.TrustedProxies = []string{"127.0.0.1"} })
	if got := g.do(t, request{method: "GET", path: "/x", header: map[string]string{"X-Request-ID": "abc.DEF-1_2"}}).Header.Get("X-Request-ID"); got != "abc.DEF-1_2" {
		t.Errorf("got %q", got)
	}
	if got := g.do(t, request{method: "GET", path: "/x", header: map[string]string{"X-Request-ID": "a b"}}).Header.Get("X-Request-ID"); len(got) != 32 {
		t.Errorf("a malformed id became %q", got)
	}
	if !strings.Contains(r.bytes(), "X-Request-ID: abc.DEF-1_2\r\n") {
		t.Errorf("the upstream saw %q", r.bytes())
	}
}

func TestSlowHeadTimesOut(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Listen.ReadHeaderTimeout = 50 * time.Millisecond })
	if got := g.raw(t, "GET /x HTTP/1.1\r\nHost:"); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, `"code":"request_timeout"`) {
		t.Errorf("got %q", got)
	}
}
