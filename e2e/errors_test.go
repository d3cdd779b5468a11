package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestUpstreamErrorsLeaveAsJSON(t *testing.T) {
	t.Parallel()
	f := func(name string, status int, contentType, body, secret string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, startStub(t, reply(status, contentType, body)).URL, setup{})
			a := g.do(t, call{path: "/v2/users"})
			wantJSONError(t, a, status)
			if secret != "" && strings.Contains(string(a.body)+fmt.Sprint(a.header), secret) {
				t.Errorf("the upstream's own text reached the client: %s", a)
			}
		})
	}
	f("an HTML page of a proxy", 502, "text/html", "<html><h1>502 Bad Gateway</h1><hr>nginx/1.22.1</html>", "nginx")
	f("an HTML page that claims to be JSON", 500, "application/json", "<html>secret-text</html>", "secret-text")
	f("plain text", 404, "text/plain", "Cannot GET /v2/secret-text", "secret-text")
	f("an empty body", 503, "", "", "")
	f("a JSON string", 400, "application/json", `"secret-text"`, "")
	f("a JSON array", 422, "application/json", `[{"secret-text":1}]`, "")
	f("broken JSON", 500, "application/json", `{"message":"secret-text"`, "secret-text")
	f("a very large body", 500, "application/json", `{"message":"`+strings.Repeat("secret-text ", 20000)+`"}`, "secret-text")
	f("a message that is no string", 400, "application/json", `{"message":{"secret-text":1}}`, "")
}

func TestAnUpstreamErrorWithAMessagePassesByteForByte(t *testing.T) {
	t.Parallel()
	body := "{ \"message\" : \"Contact not found\",\n \"extra\":[1.0, 2e3],\"error\":{\"message\":\"x\"} }\n"
	g := startGateway(t, startStub(t, reply(404, "application/json; charset=utf-8", body)).URL, setup{})
	a := g.do(t, call{path: "/v2/contacts/1"})
	wantStatus(t, a, 404)
	if string(a.body) != body {
		t.Errorf("the body is %q, want %q", a.body, body)
	}
}

func TestAnUpstreamErrorWithoutAMessageGainsOne(t *testing.T) {
	t.Parallel()
	f := func(body, message string) {
		t.Helper()
		g := startGateway(t, startStub(t, reply(409, "application/json", body)).URL, setup{})
		a := g.do(t, call{path: "/v2/contacts"})
		wantStatus(t, a, 409)
		o := a.object(t)
		if at(o, "message") != message {
			t.Errorf("%s became %s, want the message %q", body, a, message)
		}
		if strings.Contains(body, "kept") && at(o, "other") != "kept" {
			t.Errorf("%s became %s: it lost a member", body, a)
		}
	}
	f(`{"error":{"message":"from error.message"},"other":"kept"}`, "from error.message")
	f(`{"error":"from error","other":"kept"}`, "from error")
	f(`{"errors":[{"message":"from errors"}],"other":"kept"}`, "from errors")
	f(`{"detail":"from detail","other":"kept"}`, "from detail")
	f(`{"title":"from title","other":"kept"}`, "from title")
	f(`{"other":"kept"}`, "Conflict")
}

func TestSuccessPassesUntouched(t *testing.T) {
	t.Parallel()
	body := "{\"id\" : \"1\", \"unheard\":1e2, \"emoji\":\"\\ud83d\\ude00\",\n\"__v\":0}\n"
	up := startStub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.unheard+json")
		w.Header().Set("ETag", `"abc"`)
		w.Header().Set("X-Total-Count", "7")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(200)
		_, _ = io.WriteString(w, body)
	})
	g := startGateway(t, up.URL, setup{})
	a := g.do(t, call{path: "/v3/unheard/of?select=a,b&meta.x=%2B1&sort=-a+b&%c3%a9"})
	wantStatus(t, a, 200)
	if string(a.body) != body {
		t.Errorf("the body is %q, want %q", a.body, body)
	}
	for name, want := range map[string]string{"Content-Type": "application/vnd.unheard+json", "ETag": `"abc"`, "X-Total-Count": "7"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := a.header.Values("Set-Cookie"); len(got) != 2 {
		t.Errorf("Set-Cookie: %q, want both", got)
	}
	if got := up.last(t).target; got != "/v3/unheard/of?select=a,b&meta.x=%2B1&sort=-a+b&%c3%a9" {
		t.Errorf("the upstream saw the target %q", got)
	}
}

func TestLargeAndCompressedAnswersArriveWhole(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 5<<16) // 5 MiB, streamed
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"id":"1"}`))
	_ = z.Close()
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/zipped" {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
			return
		}
		if r.URL.Path == "/v2/chunked" {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(large)
	})
	g := startGateway(t, up.URL, setup{})
	for _, path := range []string{"/v2/sized", "/v2/chunked"} {
		a := g.do(t, call{path: path})
		if a.status != 200 || !bytes.Equal(a.body, large) {
			t.Errorf("%s: status %d and %d bytes, want the same %d", path, a.status, len(a.body), len(large))
		}
	}
	a := g.do(t, call{path: "/v2/zipped", header: map[string]string{"Accept-Encoding": "gzip"}})
	if a.header.Get("Content-Encoding") != "gzip" || !bytes.Equal(a.body, zipped.Bytes()) {
		t.Errorf("the compressed answer changed: %v, %d bytes", a.header, len(a.body))
	}
}

func TestLargeRequestBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	large := `{"name":"` + strings.Repeat("x", 5<<20) + `"}`
	wantStatus(t, g.do(t, call{path: "/v2/files", body: large}), 201)
	if got := up.last(t).body; got != large {
		t.Errorf("%d bytes arrived, want the same %d", len(got), len(large))
	}
}

func TestAnUpstreamThatIsDownIs502(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "http://"+freeAddress(t), setup{})
	wantOurError(t, g.do(t, call{path: "/v2/users"}), 502, "upstream_unreachable")
	wantOurError(t, g.do(t, call{path: "/v2/users", body: "{}"}), 502, "upstream_unreachable")
	if got := g.metrics(t).sum("gateway_upstream_errors_total"); got != 2 {
		t.Errorf("upstream_errors_total = %v, want 2", got)
	}
}

func TestAnUpstreamThatIsSlowIs503(t *testing.T) {
	t.Parallel()
	slow := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(900 * time.Millisecond)
		agreeable(w, r)
	})
	g := startGateway(t, slow.URL, setup{upstream: "timeout: 200ms"})
	a := g.do(t, call{path: "/v2/users"})
	wantOurError(t, a, 503, "upstream_timeout")
	if took := a.received.Sub(a.sent); took > 800*time.Millisecond {
		t.Errorf("the answer took %v with a timeout of 200ms", took)
	}
	chosen := startGateway(t, slow.URL, setup{upstream: "timeout: 200ms", rest: "errors: {timeout_status: 504}\n"})
	wantOurError(t, chosen.do(t, call{path: "/v2/users"}), 504, "upstream_timeout")
}

func TestAnUpstreamThatSpeaksNoHTTPIs502(t *testing.T) {
	t.Parallel()
	for _, bytes := range []string{
		"SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x00\x02\x02\x46", "", "HTTP/1.1 abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		up := startRawUpstream(t, func(conn net.Conn) { _, _ = io.WriteString(conn, bytes) })
		g := startGateway(t, up, setup{})
		a := g.do(t, call{path: "/v2/users"})
		if a.status != 502 {
			t.Errorf("the bytes %q became %s", bytes, a)
			continue
		}
		wantOurError(t, a, 502, "upstream_invalid")
	}
}

func TestATruncatedAnswerNeverLooksComplete(t *testing.T) {
	t.Parallel()
	half := strings.Repeat("x", 300<<10) // more than is buffered
	f := func(name, answer string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := startRawUpstream(t, func(conn net.Conn) { _, _ = io.WriteString(conn, answer) })
			g := startGateway(t, up, setup{})
			a, err := try(g.address, call{path: "/v2/users"})
			if err == nil && a.status < 400 {
				t.Errorf("the client took %d bytes with status %d for a complete answer", len(a.body), a.status)
			}
			if err == nil {
				wantOurError(t, a, 502, "upstream_invalid")
			}
		})
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	f("short of its length", head+"Content-Length: 100\r\n\r\n{\"id\":1}")
	f("large, short of its length", head+"Content-Length: 9000000\r\n\r\n"+half)
	f("a chunk short", head+"Transfer-Encoding: chunked\r\n\r\n8\r\n{\"id\":1}\r\n")
	f("inside a chunk", head+"Transfer-Encoding: chunked\r\n\r\nff\r\n{\"id\":1}")
	f("large, a chunk short", head+"Transfer-Encoding: chunked\r\n\r\n"+fmt.Sprintf("%x\r\n%s\r\n", len(half), half))
	f("inside the head", "HTTP/1.1 200 OK\r\nContent-Type: applic")
}

func TestProblemJSONForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	a := g.do(t, call{method: "PUT", path: "/v2/users", header: map[string]string{"Accept": "application/problem+json"}})
	wantStatus(t, a, 405)
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
		t.Errorf("Content-Type %q, want application/problem+json", got)
	}
	if message, _ := at(a.object(t), "message").(string); message == "" {
		t.Errorf("no message in %s", a)
	}
}

func TestErrorsOfHEADHaveNoBody(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "http://"+freeAddress(t), setup{})
	got := raw(t, g.address, "HEAD /v2/users HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 502 ") || body != "" {
		t.Errorf("HEAD got %q", got)
	}
}

func TestBodiesOverTheLimitAre413(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{listen: "max_body_bytes: 64KiB", rest: "loopguard: {max_body_bytes: 64KiB}\n"})
	large := strings.Repeat("x", 65<<10)
	sized := raw(t, g.address, fmt.Sprintf("POST /v2/files HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	chunked := raw(t, g.address, fmt.Sprintf("POST /v2/files HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large))
	for name, got := range map[string]string{"sized": sized, "chunked": chunked} {
		wantRawError(t, name, got, 413, "payload_too_large")
	}
	if got := len(up.seen()); got != 0 {
		t.Errorf("%d of the bodies reached the upstream", got)
	}
}

// wantRawError checks an answer that no client library has read.
func wantRawError(t *testing.T, name, got string, status int, code string) {
	t.Helper()
	resp, err := readResponse(got)
	if err != nil {
		t.Errorf("%s: cannot read the answer %.200q: %v", name, got, err)
		return
	}
	if resp.status != status {
		t.Errorf("%s: got %.200q, want %d", name, got, status)
		return
	}
	wantOurError(t, resp, status, code)
}

func TestRequestsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	const host = "Host: gateway\r\n"
	f := func(request string, status int, code string) {
		t.Helper()
		wantRawError(t, fmt.Sprintf("%.120q", request), raw(t, g.address, request), status, code)
	}
	f("POST /v2/users HTTP/1.1\r\n"+host+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "invalid_request")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, "invalid_request")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Content-Length: +4\r\n\r\nabcd", 400, "invalid_request")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "invalid_request")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "invalid_request")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/1.1\r\n"+host+"X-A: 1\r\n X-Folded: 2\r\n\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/1.1\r\n"+host+"Bad Name: 1\r\n\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/1.1\r\n"+host+"X-Nul: a\x00b\r\n\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/1.1\r\n\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/1.1\r\n"+host+host+"\r\n", 400, "invalid_request")
	f("GET /v2/us\x01ers HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2\\users HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2/users#top HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2/users%00 HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2/users%zz HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2/users%2 HTTP/1.1\r\n"+host+"\r\n", 400, "invalid_request")
	f("GET /v2/users HTTP/2.0\r\n"+host+"\r\n", 505, "http_version_not_supported")
	f("GET /v2/users HTTP/1.2\r\n"+host+"\r\n", 505, "http_version_not_supported")
	f("POST /v2/users HTTP/1.1\r\n"+host+"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation_failed")
	f("GET /v2/users HTTP/1.1\r\n"+host+"X-Large: "+strings.Repeat("x", 20<<10)+"\r\n\r\n", 431, "headers_too_large")
	f("nonsense\r\n\r\n", 400, "invalid_request")
	if got := up.seen(); len(got) != 0 {
		t.Errorf("%d of them reached the upstream, the first: %s %s", len(got), got[0].method, got[0].target)
	}
}

func TestOrdinaryOddRequestsPass(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	const host = "Host: gateway\r\n"
	f := func(request string) {
		t.Helper()
		if got := raw(t, g.address, request); !strings.HasPrefix(got, "HTTP/1.1 20") {
			t.Errorf("%.120q got %.200q", request, got)
		}
	}
	f("GET /v2/users HTTP/1.0\r\n\r\n")
	f("GET http://gateway/v2/users HTTP/1.1\r\n" + host + "\r\n")
	f("POST /v2/users HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	f("GET /v2//users/../users;a=b/%2f/ HTTP/1.1\r\n" + host + "\r\n")
	if got := up.last(t).target; got != "/v2//users/../users;a=b/%2f/" {
		t.Errorf("the upstream saw the target %q: it must arrive byte for byte", got)
	}
}

func TestAnExpected100ContinueComes(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /v2/users HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
	if got := readUntilSilent(conn, 100*time.Millisecond); !strings.HasPrefix(got, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, want 100 Continue", got)
	}
	_, _ = io.WriteString(conn, "{}")
	if got := readUntilSilent(conn, 500*time.Millisecond); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
		t.Errorf("got %q, want 201", got)
	}
	if got := up.last(t).body; got != "{}" {
		t.Errorf("the upstream saw the body %q", got)
	}
}

func TestASlowClientIs408(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{listen: "read_header_timeout: 300ms, read_timeout: 600ms"})
	for name, request := range map[string]string{
		"in the head": "GET /v2/users HTTP/1.1\r\nHost: g\r\nX-",
		"in the body": "POST /v2/users HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n{",
	} {
		started := time.Now()
		wantRawError(t, name, raw(t, g.address, request), 408, "request_timeout")
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("%s: the answer took %v", name, took)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "answer to "+r.URL.Path) })
	g := startGateway(t, up.URL, setup{})
	request := func(path, more string) string { return "GET " + path + " HTTP/1.1\r\nHost: g\r\n" + more + "\r\n" }
	got := raw(t, g.address, request("/one", "")+request("/two", "")+request("/three", "Connection: close\r\n"))
	one, two, three := strings.Index(got, "answer to /one"), strings.Index(got, "answer to /two"), strings.Index(got, "answer to /three")
	if one < 0 || two < one || three < two {
		t.Errorf("the answers came as %q", got)
	}
}
