package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fault sets one and returns a client of the bot.
func (w *world) fault(f string) client {
	w.t.Helper()
	w.as("").post("/sandbox/faults", f).must(201)
	return w.as("bot")
}

func TestFaultStatus(t *testing.T) {
	w := newWorld(t)
	bot := w.fault(`{"method":"POST","path":"/v2/messages","status":502,"html":true,"times":2}`)
	body := `{` + inDemo + `,"text":"x"}`
	for range 2 {
		r := bot.post("/v2/messages", body).must(502)
		if r.header.Get("Content-Type") != "text/html" || !strings.Contains(r.raw, "<h1>502 Bad Gateway</h1>") {
			t.Errorf("got %s", r.raw)
		}
	}
	bot.get("/v2/contacts").must(200)
	bot.post("/v2/messages", body).must(201)
	equal(t, "created", w.s.Stats().Messages, 1)
	equal(t, "but all arrived", w.s.Stats().Routes["POST /v2/messages"], 3)
}

func TestFaultBodyAndHeaders(t *testing.T) {
	w := newWorld(t)
	r := w.fault(`{"status":429,"headers":{"Retry-After":"7"}}`).get("/v2/contacts")
	equal(t, "text", r.refused(429), "Too Many Requests")
	equal(t, "Retry-After", r.header.Get("Retry-After"), "7")
	r = w.fault(`{"status":500,"body":"plain","headers":{"Content-Type":"text/plain"}}`).get("/v2/contacts").must(500)
	equal(t, "body", []string{r.raw, r.header.Get("Content-Type")}, []string{"plain", "text/plain"})
}

func TestFaultMatching(t *testing.T) {
	w := newWorld(t)
	f := func(fault, path string, want int) {
		t.Helper()
		w.as("").do("DELETE", "/sandbox/faults", "").must(204)
		w.fault(fault).get(path).must(want)
	}
	f(`{"path":"/v2/cont","status":503}`, "/v2/contacts", 503)
	f(`{"path":"/v2/cont","exact":true,"status":503}`, "/v2/contacts", 200)
	f(`{"path":"/v2/contacts","exact":true,"status":503}`, "/v2/contacts?x=y", 503)
	f(`{"method":"get","status":503}`, "/v2/contacts", 503)
	f(`{"method":"POST","status":503}`, "/v2/contacts", 200)
	f(`{"path":"/sandbox","status":503}`, "/sandbox/stats", 200)
	f(`[{"path":"/v2/x","status":503},{"status":504,"times":-1}]`, "/v2/contacts", 504)
	w.as("bot").get("/v2/contacts").must(504)
	list := w.as("").get("/sandbox/faults").must(200).list()
	equal(t, "left", []any{len(list), list[0]["status"], list[1]["times"]}, []any{2, 503, -1})
	w.as("").do("DELETE", "/sandbox/faults", "").must(204)
	equal(t, "cleared", w.as("").get("/sandbox/faults").raw, "[]")
}

func TestFaultDelay(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	w.fault(`{"delay":"50ms"}`).get("/v2/contacts").must(200)
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}

// broken sends a request that must fail, and says how.
func (w *world) broken(method, path, body string) error {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.s.Credential("bot").Token)
	r.Close = true // a fresh connection: the transport would try again on an old one
	res, err := new(http.Transport).RoundTrip(r)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		w.t.Fatal("the answer came whole")
	}
	return err
}

func TestFaultReset(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"reset":true}`)
	if err := w.broken("POST", thread, `{"text":"x"}`); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a connection reset", err)
	}
	equal(t, "created", w.s.Stats().Messages, 0)
}

func TestFaultAfterTheWorkIsDone(t *testing.T) {
	w := newWorld(t)
	f := func(fault string) {
		t.Helper()
		w.as("").post("/sandbox/reset", "").must(204)
		w.fault(fault)
		_ = w.broken("POST", thread, `{"text":"x"}`)
		equal(t, "created", w.s.Stats().Messages, 1)
	}
	f(`{"after":true,"reset":true}`)
	f(`{"after":true,"close":true}`)
	f(`{"after":true,"delay":"10ms"}`)
	w.fault(`{"after":true,"status":500}`).post(thread, `{"text":"y"}`).must(500)
	equal(t, "created", w.texts(conversationID), "x y")
}

func TestFaultTruncatedBody(t *testing.T) {
	w := newWorld(t)
	f := func(fault, head string) {
		t.Helper()
		w.fault(strings.Replace(fault, "}", `,"times":2}`, 1))
		if err := w.broken("GET", "/v2/contacts", ""); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want an unexpected end", err)
		}
		raw := w.rawGet("/v2/contacts")
		if !strings.HasPrefix(raw, "HTTP/1.1 200 OK\r\n") || !strings.Contains(raw, head) {
			t.Errorf("got %q", raw)
		}
	}
	f(`{"truncate":true}`, "\r\nContent-Length: ")
	f(`{"truncate":true,"chunked":true}`, "\r\nTransfer-Encoding: chunked\r\n")
}

// rawGet reads all that the server writes.
func (w *world) rawGet(path string) string {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	raw, _ := io.ReadAll(bufio.NewReader(conn))
	return string(raw)
}

func TestFaultRaw(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"raw":"SSH-2.0-OpenSSH\r\n"}`)
	equal(t, "raw", w.rawGet("/v2/contacts"), "SSH-2.0-OpenSSH\r\n")
}

func TestInvalidFaults(t *testing.T) {
	w := newWorld(t)
	f := func(body string) {
		t.Helper()
		w.as("").post("/sandbox/faults", body).refused(400)
	}
	f(`{"staus":500}`)
	f(`{"status":99}`)
	f(`{"status":"500"}`)
	f(`{"delay":"soon"}`)
	f(`"x"`)
	f(`{`)
	equal(t, "none was set", w.as("").get("/sandbox/faults").raw, "[]")
}
