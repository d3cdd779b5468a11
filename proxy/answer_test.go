package proxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func respond(status, headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

// answering starts a gateway whose upstream gives one answer to everything.
func answering(t *testing.T, text string) *running {
	t.Helper()
	return start(t, newRecorder(t, func(_, _ string) string { return text }), unlimited)
}

func TestUpstreamErrorsTakeOneShape(t *testing.T) {
	is := func(text string, status int, body string) {
		t.Helper()
		a := answering(t, text).do(t, request{method: "GET", path: "/x"})
		if a.StatusCode != status || a.body != body || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
			t.Errorf("got %d %q %s, want %d %s", a.StatusCode, a.Header.Get("Content-Type"), a.body, status, body)
		}
	}
	const html = "<html><h1>502 Bad Gateway</h1>secret stack</html>"
	is(respond("502 Bad Gateway", "Content-Type: text/html\r\n", html), 502,
		`{"message":"Bad Gateway","status":502,"error":{"message":"Bad Gateway","status":502}}`)
	is(respond("404 Not Found", "", ""), 404, `{"message":"Not Found","status":404,"error":{"message":"Not Found","status":404}}`)
	ours := `{"extra": [1,  2], "message":"Contact not found"}`
	is(respond("404 Not Found", "Content-Type: application/json; charset=utf-8\r\n", ours), 404, ours)
	is(respond("404 Not Found", "Content-Type: text/plain\r\n", ours), 404, ours)
	is(respond("422 Unprocessable Entity", "Content-Type: application/json\r\n", `{"error":{"message":"text is required","field":"text"}}`), 422,
		`{"message":"text is required","error":{"message":"text is required","field":"text"}}`)
	is(respond("500 Internal Server Error", "Content-Type: text/plain\r\n", strings.Repeat("x", 70<<10)), 500,
		`{"message":"Internal Server Error","status":500,"error":{"message":"Internal Server Error","status":500}}`)
}

func TestCompressedUpstreamErrors(t *testing.T) {
	pack := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return b.String()
	}
	ours := pack(`{"message":"x"}`)
	got := answering(t, respond("400 Bad Request", "Content-Encoding: gzip\r\nContent-Type: application/json\r\n", ours)).
		raw(t, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.Contains(got, "Content-Encoding: gzip\r\n") || !strings.HasSuffix(got, ours) {
		t.Errorf("a compressed error of the right shape must pass byte for byte, got %q", got)
	}
	got = answering(t, respond("400 Bad Request", "Content-Encoding: gzip\r\nETag: \"1\"\r\n", pack("<html>"))).
		raw(t, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if strings.Contains(got, "gzip") || strings.Contains(got, "ETag") || !strings.Contains(got, `{"message":"Bad Request"`) {
		t.Errorf("a compressed error of another shape must be replaced, got %q", got)
	}
}

func TestHeadErrorsHaveNoBody(t *testing.T) {
	g := answering(t, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n")
	got := g.raw(t, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nHEAD /y HTTP/1.1\r\nHost: a\r\n\r\n")
	if strings.Count(got, "HTTP/1.1 502") != 2 || strings.Contains(got, "{") || !strings.Contains(got, "application/json") {
		t.Errorf("got %q", got)
	}
}

func TestSuccessPassesUntouched(t *testing.T) {
	body := "\x00\x01binary\xff"
	g := answering(t, "HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 08:00:00 GMT\r\nContent-Type: image/png\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: a=2\r\n"+
		"x-lower: kept\r\nX-Total-Count: 7\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: x\r\nX-RateLimit-Limit: 9\r\nServer: up\r\n"+
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
	got := g.raw(t, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"Content-Type: image/png\r\n", "Set-Cookie: a=1; Path=/\r\n", "Set-Cookie: a=2\r\n", "x-lower: kept\r\n", "X-Total-Count: 7\r\n", "Server: up\r\n", "\r\n\r\n" + body} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from %q", want, got)
		}
	}
	for _, gone := range []string{"X-Hop", "Keep-Alive", "Proxy-Authorization", "Connection:", "X-RateLimit-Limit: 9"} {
		if strings.Contains(got, gone) {
			t.Errorf("%q must not reach the client: %q", gone, got)
		}
	}
}

func TestLinksPointAtTheClientsOrigin(t *testing.T) {
	r := newRecorder(t, nil)
	r.answer = func(_, _ string) string {
		up := "http://" + r.ln.Addr().String()
		return respond("201 Created", "Link: <"+up+"/v2/x?select=a%2Cb&offset=100>; rel=\"next\"\r\nLocation: "+up+"/v2/x/1\r\n", "{}")
	}
	g := start(t, r, func(c *Config) { unlimited(c); c.Listen.TrustedProxies = []string{"127.0.0.1"} })
	a := g.do(t, request{method: "POST", path: "/v2/x", body: "{}", header: map[string]string{
		"X-Forwarded-Host": "api.edge.example", "X-Forwarded-Proto": "https",
	}})
	if got, want := a.Header.Get("Link"), `<https://api.edge.example/v2/x?select=a%2Cb&offset=100>; rel="next"`; got != want {
		t.Errorf("Link %s, want %s", got, want)
	}
	if got, want := a.Header.Get("Location"), "https://api.edge.example/v2/x/1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
}

func TestUpstreamUnreachable(t *testing.T) {
	r := newRecorder(t, ok)
	_ = r.ln.Close()
	g := start(t, r, unlimited)
	g.do(t, request{method: "GET", path: "/x"}).is(t, 502, "upstream_unreachable")
	if n := g.metric(t, "gateway_upstream_up"); n != 0 {
		t.Errorf("upstream_up %v, want 0", n)
	}
}

func TestUpstreamThatIsNotHTTP(t *testing.T) {
	answering(t, "SSH-2.0-OpenSSH\r\n\r\ncut here").do(t, request{method: "GET", path: "/x"}).is(t, 502, "upstream_invalid")
	answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut here").do(t, request{method: "GET", path: "/x"}).is(t, 502, "upstream_invalid")
	answering(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ncut here\r\n").do(t, request{method: "POST", path: "/x", body: "{}"}).is(t, 502, "upstream_invalid")
}

func TestUpstreamTimeout(t *testing.T) {
	for _, status := range []int{503, 504} {
		release := make(chan struct{})
		r := newRecorder(t, func(_, _ string) string { <-release; return "" })
		g := start(t, r, func(c *Config) {
			unlimited(c)
			c.Upstream.Timeout, c.Errors.TimeoutStatus = 100*time.Millisecond, status
		})
		a := g.do(t, request{method: "GET", path: "/x"})
		a.is(t, status, "upstream_timeout")
		if status == 503 && a.Header.Get("Retry-After") == "" {
			t.Error("a 503 without Retry-After")
		}
		close(release)
		if n := r.requests(); n != 1 {
			t.Errorf("the upstream was asked %d times, want once", n)
		}
	}
}

func TestACutOffStreamIsNeverComplete(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	for name, text := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + big + "cut here",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(big), big) + "8\r\ncut here\r\n",
	} {
		got := answering(t, text).raw(t, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200 ") || strings.HasSuffix(got, "0\r\n\r\n") || len(got) < len(big) {
			t.Errorf("%s: got %d bytes ending in %q", name, len(got), got[max(0, len(got)-20):])
		}
	}
}

func TestLargeAnswersFlowThrough(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 40<<10)
	g := answering(t, respond("200 OK", "Content-Type: text/plain\r\n", big))
	for range 3 {
		if a := g.do(t, request{method: "GET", path: "/x"}); a.body != big {
			t.Fatalf("got %d bytes, want %d", len(a.body), len(big))
		}
	}
	if n := g.metric(t, "gateway_requests_total code=200 method=GET route=other source=upstream"); n != 3 {
		t.Errorf("%v requests counted, want 3", n)
	}
}

func TestProblemJSONForThoseWhoAsk(t *testing.T) {
	g := start(t, newRecorder(t, ok), nil)
	a := g.do(t, request{method: "PUT", path: "/x", header: map[string]string{"Accept": "application/problem+json"}})
	if a.StatusCode != 405 || a.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.body, `"message"`) {
		t.Errorf("got %d %q %s", a.StatusCode, a.Header.Get("Content-Type"), a.body)
	}
}

func TestPanicIsOne500(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	whole := g.rules.Load()
	broken := *whole
	broken.reader = nil
	g.rules.Store(&broken)
	a := g.post(t, nested, botToken, `{"text":"secret words"}`)
	a.is(t, 500, "internal")
	if strings.Contains(a.body, "nil pointer") || g.metric(t, "gateway_panics_total") != 1 {
		t.Errorf("got %s", a.body)
	}
	g.rules.Store(whole)
	g.post(t, nested, botToken, `{"text":"secret words"}`).is(t, 201, "")
}

func TestTooManyConnectionsAreToldSo(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Listen.MaxConnections = 1 })
	first, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	_, _ = first.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	buf := make([]byte, 4096)
	if _, err := first.Read(buf); err != nil {
		t.Fatal(err)
	}
	if got := g.raw(t, ""); !strings.HasPrefix(got, "HTTP/1.1 503") || !strings.Contains(got, `"code":"overloaded"`) {
		t.Errorf("got %q", got)
	}
}

func TestNoErrorOfOursSendsTheSDKIntoALoopOnTheTokenRoute(t *testing.T) {
	g := answering(t, respond("401 Unauthorized", "Content-Type: application/json\r\n", `{"detail":"jwt expired"}`))
	a := g.do(t, request{method: "POST", path: "/v2/auth/token", body: "{}"})
	if a.StatusCode != 401 || strings.Contains(a.body, "jwt expired") {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	a = g.do(t, request{method: "GET", path: "/v2/users"})
	if a.StatusCode != 401 || !strings.Contains(a.body, `"message":"jwt expired"`) {
		t.Errorf("elsewhere the text must stay: %d %s", a.StatusCode, a.body)
	}
}

func TestEveryStatusHasItsOwnWordsOrNone(t *testing.T) {
	for status, want := range map[int]string{
		200: "HTTP/1.1 200 OK\r\n", 413: "HTTP/1.1 413 Request Entity Too Large\r\n", 425: "HTTP/1.1 425 Too Early\r\n",
		429: "HTTP/1.1 429 Too Many Requests\r\n", 599: "HTTP/1.1 599 \r\n",
	} {
		if got := statusLines[status]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
