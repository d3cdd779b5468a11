package proxy

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// More ambiguous requests, each refused once, with the connection closed and
// nothing sent upstream.
func TestFramingInDoubtIsRefused(t *testing.T) {
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
	const post = "POST /v2/x HTTP/1.1\r\nHost: a\r\n"
	for _, coding := range []string{
		"gzip, chunked", "chunked, identity", "chunked, chunked", "chunked;q=1", "\"chunked\"", "", "CHUNKED x", "chunked\tx",
	} {
		refused("400", post+"Transfer-Encoding: "+coding+"\r\n\r\n0\r\n\r\n")
	}
	refused("400", "POST /v2/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	for _, length := range []string{"0x3", "3, 3", "-1", "3 3", "", "18446744073709551619", "３"} {
		refused("400", post+"Content-Length: "+length+"\r\n\r\nabc")
	}
	refused("400", post+"Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc")
	for _, line := range []string{
		"X: a\rb", "X: a\x00b", "X: a\x0bb", "X : a", "X\t: a", "\tX: a", ": a", "X", "X y: a", "Content-Length x: 99", "X_forwarded_for: 1.2.3.4",
		"Expect: 100-continue\r\nExpect: 100-continue", "Content-Type: a/b\r\nContent-Type: c/d", "Content-Encoding: gzip\r\nContent-Encoding: br",
		"X-HTTP-Method-Override: PUT", "X-Method-Override: PUT", "X-HTTP-Method: PUT",
	} {
		refused("400", post+line+"\r\n\r\n")
	}
	refused("400", "POST /v2/x HTTP/1.1\nHost: a\r\nContent-Length: 0\r\n\r\n")
	refused("400", "GET /v2/x HTTP/1.1\r\nHost: \r\n\r\n")
	refused("400", "GET /v2/x HTTP/1.1\r\n\r\n")
	refused("400", "GET ftp://a/v2/x HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET http:///v2/x HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET a/v2/x HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET /v2/x%zz HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET /v2\\x HTTP/1.1\r\nHost: a\r\n\r\n")
	refused("400", "GET /v2/x HTTP/1.1 x\r\nHost: a\r\n\r\n")
	refused("505", "GET /v2/x HTTP/2.0\r\nHost: a\r\n\r\n")
	refused("505", "PRI * HTTP/2.0\r\nHost: a\r\n\r\n")
	if got := r.bytes(); got != "" {
		t.Errorf("the upstream saw %q", got)
	}
}

// Odd, but with one reading: they pass, and reach the upstream in plain form.
func TestOddButPlainFramingPasses(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	passes := func(raw, seen string) {
		t.Helper()
		if got := g.raw(t, raw); !strings.HasPrefix(got, "HTTP/1.1 20") {
			t.Errorf("%q: got %q", raw, got)
		}
		if !strings.HasSuffix(r.bytes(), seen) {
			t.Errorf("%q: the upstream saw %q", raw, r.bytes())
		}
	}
	passes("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", "Content-Length: 3\r\n\r\nabc")
	passes("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length:\t3\t\r\n\r\nabc", "Content-Length: 3\r\n\r\nabc")
	passes("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3 ;a=b\r\nabc\r\n0\r\n\r\n", "Content-Length: 3\r\n\r\nabc")
	passes("POST /x HTTP/1.1\r\nHost: a\r\nX: x\t\xa0Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na", "Content-Length: 1\r\n\r\na")
	passes("\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", "Content-Length: 1\r\n\r\na")
	passes("POST /x HTTP/1.0\r\nContent-Length: 1\r\n\r\na", "Content-Length: 1\r\n\r\na")
}

func TestTunnelsAndTracesAreNoMethods(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	for _, line := range []string{"CONNECT a:443", "TRACE /x", "PUT /x", "FOO /x", "get /x"} {
		if got := g.raw(t, line+" HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 405 ") || !strings.Contains(got, "\r\nAllow: ") {
			t.Errorf("%s: got %q", line, got)
		}
	}
	if got := r.bytes(); got != "" {
		t.Errorf("the upstream saw %q", got)
	}
}

func TestTheClientsVersionStaysHere(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	for range 100 {
		if got := g.raw(t, "GET /x HTTP/1.0\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "Connection: close") {
			t.Fatalf("got %q", got)
		}
	}
	if got := r.bytes(); strings.Contains(got, "HTTP/1.0") || strings.Contains(got, "Connection") {
		t.Errorf("the upstream saw %q", got[:200])
	}
	if open := g.upstream.Stats().Open; open != 1 {
		t.Errorf("100 clients of HTTP/1.0 took %d connections to the upstream, want one", open)
	}
	if got := g.raw(t, strings.Repeat("GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 2)); strings.Count(got, "Connection: keep-alive\r\n") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestAnswersWithoutABodyStayInStep(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	f := func(method, answer, absent string) {
		t.Helper()
		r := newRecorder(t, func(head, _ string) string {
			if strings.Contains(head, "/next") {
				return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
			}
			return answer
		})
		got := start(t, r, unlimited).raw(t, method+" /x HTTP/1.1\r\nHost: a\r\n\r\n"+next)
		if strings.Count(got, "HTTP/1.1 ") != 2 || !strings.HasSuffix(got, "\r\n\r\nnext") || strings.Contains(got[:strings.LastIndex(got, "HTTP/1.1")], absent) {
			t.Errorf("%s, %q: got %q", method, answer, got)
		}
	}
	f("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "\r\n\r\nx")
	f("HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n", "message")
	f("GET", "HTTP/1.1 204 No Content\r\n\r\n", "Content-Length")
	f("GET", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "Content-Length: 0")
	f("GET", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 103")
}

func TestARefusedHEADStaysInStep(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Requests = 1 })
	got := g.raw(t, strings.Repeat("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", 3))
	if strings.Count(got, "HTTP/1.1 429 ") != 2 || strings.Contains(got, "{") {
		t.Errorf("got %q", got)
	}
}

// Nobody can tell whether an answer that ends with its connection is whole: the
// client must be as unsure as we are.
func TestAnAnswerThatEndsWithItsConnectionEndsSoForTheClient(t *testing.T) {
	for _, size := range []int{5, 300 << 10} {
		body := strings.Repeat("x", size)
		r := newRecorder(t, func(string, string) string {
			return "HTTP/1.1 200 OK\r\nConnection: close\r\nX: cut here\r\n\r\n" + body
		})
		got := start(t, r, unlimited).raw(t, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		head, rest, _ := strings.Cut(got, "\r\n\r\n")
		if rest != body || strings.Contains(head, "Content-Length") || strings.Contains(head, "chunked") || !strings.Contains(head, "Connection: close") {
			t.Errorf("%d bytes: got %q and %d bytes", size, head, len(rest))
		}
	}
}

func TestBytesPassAsTheyAreInBothDirections(t *testing.T) {
	var mu sync.Mutex
	sent, echoed := map[string]bool{}, ""
	r := newRecorder(t, func(_, body string) string {
		mu.Lock()
		defer mu.Unlock()
		sent[fmt.Sprintf("%x", sha256.Sum256([]byte(body)))] = true
		echoed = body
		return fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Type: multipart/mixed; boundary=x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	g := start(t, r, unlimited)
	source := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		body := make([]byte, source.IntN(60<<10))
		for i := range body {
			body[i] = byte(source.Uint32())
		}
		text := "--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n" + string(body) + "\r\n--x--\r\nepilogue"
		got := g.raw(t, fmt.Sprintf("POST /v2/files HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n", len(text))+text)
		_, answered, _ := strings.Cut(got, "\r\n\r\n")
		mu.Lock()
		if !sent[fmt.Sprintf("%x", sha256.Sum256([]byte(text)))] || answered != echoed || answered != text {
			t.Fatalf("%d bytes went in, %d arrived, %d came back", len(text), len(echoed), len(answered))
		}
		mu.Unlock()
	}
}

func TestHopByHopFieldsOfAnswersStayHere(t *testing.T) {
	r := newRecorder(t, func(string, string) string {
		return "HTTP/1.1 200 OK\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nTrailer: x\r\n" +
			"Proxy-Authenticate: Basic\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Theirs: 1\r\nContent-Length: 2\r\n\r\nok"
	})
	got := start(t, r, unlimited).raw(t, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, gone := range []string{"X-Mine", "Keep-Alive", "Upgrade", "Trailer", "Proxy-", "Connection"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s reached the client: %q", gone, got)
		}
	}
	if !strings.Contains(got, "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n") || strings.Count(got, "Date: ") != 1 || !strings.Contains(got, "X-Theirs: 1\r\n") {
		t.Errorf("got %q", got)
	}
}

// A token that leaked from one request into the key of another would show as a
// count that is not its own.
func TestPipelinedRequestsNeverMixTheirKeys(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Requests = 1 << 20; c.Limits.PerKey.Window = 1 << 40 })
	const keys, each = 8, 30 // 20 of 30 pass for every key
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			var b strings.Builder
			for i := range keys * each {
				_, _ = fmt.Fprintf(&b, "GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d-%d%s\r\n\r\n", part, i%keys, strings.Repeat("k", i%keys))
			}
			c := g.dial(t)
			go c.send(b.String() + "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			all, err := io.ReadAll(c.conn)
			if err != nil {
				t.Error(err)
			}
			got := string(all)
			if passed, refused := strings.Count(got, "HTTP/1.1 200 "), strings.Count(got, "HTTP/1.1 429 "); passed != keys*20+1 || refused != keys*10 {
				t.Errorf("%d passed and %d were refused, want %d and %d", passed, refused, keys*20+1, keys*10)
			}
		})
	}
	all.Wait()
}
