package proxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// recorder is an upstream on a real socket that keeps every byte it was sent
// and answers each request with what answer returns.
type recorder struct {
	ln     net.Listener
	mu     sync.Mutex
	seen   bytes.Buffer
	count  int
	answer func(head, body string) string
}

func newRecorder(t testing.TB, answer func(head, body string) string) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{ln: ln, answer: answer}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		head, body, ok := r.read(in)
		if !ok {
			return
		}
		answer := r.answer(head, body)
		if _, err := io.WriteString(conn, answer); err != nil || answer == "" || strings.Contains(answer, "cut here") {
			return
		}
	}
}

func (r *recorder) read(in *bufio.Reader) (head, body string, ok bool) {
	var b strings.Builder
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", "", false
		}
		b.WriteString(line)
		if v, found := strings.CutPrefix(strings.ToLower(line), "content-length:"); found {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if line == "\r\n" {
			break
		}
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(in, data); err != nil {
		return "", "", false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.WriteString(b.String())
	r.seen.Write(data)
	r.count++
	return b.String(), string(data), true
}

func (r *recorder) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func (r *recorder) bytes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.String()
}

// ok is the answer of an upstream that likes everything; POST creates.
func ok(head, _ string) string {
	status := "200 OK"
	if strings.HasPrefix(head, "POST") {
		status = "201 Created"
	}
	return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + `{"id":"65aa"}`
}

// running is a gateway on a real socket in front of a recorder.
type running struct {
	*Gateway
	addr     string
	registry *prometheus.Registry
	log      *bytes.Buffer
}

func testConfig(r *recorder) Config {
	cfg := Config{
		Listen: DefaultListen(), Upstream: upstream.DefaultConfig(), Identity: identity.DefaultConfig(),
		Methods: DefaultMethods(), Limits: limiter.DefaultConfig(), LoopGuard: loopguard.DefaultConfig(),
		Webhook: DefaultWebhook(), Errors: DefaultErrors(), MemoryBytes: 64 << 20,
	}
	cfg.Upstream.URL = "http://" + r.ln.Addr().String()
	return cfg
}

func start(t testing.TB, r *recorder, change func(*Config)) *running {
	t.Helper()
	return startTraced(t, r, change, nil)
}

func startTraced(t testing.TB, r *recorder, change func(*Config), tracer *trace.Tracer) *running {
	t.Helper()
	cfg := testConfig(r)
	if change != nil {
		change(&cfg)
	}
	g := &running{registry: prometheus.NewRegistry(), log: new(bytes.Buffer)}
	var err error
	access := accesslog.New(io.Discard, accesslog.JSON)
	g.Gateway, err = New(cfg, Deps{Registry: g.registry, Logger: slog.New(slog.NewTextHandler(g.log, nil)), Access: access, Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- g.Serve(ln) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = g.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := access.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// unlimited lifts the request limits, for tests that are about something else.
func unlimited(cfg *Config) {
	cfg.Limits.PerIP.Requests, cfg.Limits.PerKey.Requests = 10000, 10000
}

// raw sends bytes on a connection of its own and returns everything that comes
// back until the gateway closes or falls silent.
func (g *running) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	buf := make([]byte, 64<<10)
	patience := 2 * time.Second
	for {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String()
		}
		patience = 100 * time.Millisecond
	}
}

// caller is one connection of a client who speaks byte by byte.
type caller struct {
	t    *testing.T
	conn net.Conn
}

func (g *running) dial(t *testing.T) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &caller{t, conn}
}

func (w *caller) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, text); err != nil {
		w.t.Fatal(err)
	}
}

// send is say for another goroutine: what goes wrong shows in what is heard.
func (w *caller) send(text string) { _, _ = io.WriteString(w.conn, text) }

// until reads up to the first occurrence of end.
func (w *caller) until(end string) string {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var got []byte
	for one := make([]byte, 1); !bytes.HasSuffix(got, []byte(end)); {
		if _, err := w.conn.Read(one); err != nil {
			w.t.Fatalf("got %q and then %v, want more up to %q", got, err, end)
		}
		got = append(got, one[0])
	}
	return string(got)
}

var volatile = regexp.MustCompile(`(?m)^(Date|X-Request-ID|X-Forwarded-Host|Host): .*\r$`)

// stable replaces what differs from run to run.
func stable(s string) string { return volatile.ReplaceAllString(s, "$1: …\r") }

// answer is what a client sees of one request.
type answer struct {
	*http.Response
	body string
}

type request struct {
	method, path, token, body string
	header                    map[string]string
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, CheckRedirect: func(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}}

func (g *running) do(t *testing.T, r request) answer {
	t.Helper()
	req, err := http.NewRequest(r.method, "http://"+g.addr+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

// metric is the value of one series by its name and label values.
func (g *running) metric(t *testing.T, series string) float64 {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			if name == series {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no series %q", series)
	return 0
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("it never became true that %s", what)
}
