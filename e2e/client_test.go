package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// call is one request. The zero value of a field leaves it out.
type call struct {
	method string // default GET, or POST with a body
	path   string
	token  string
	body   string
	header map[string]string
	from   string // source address, 127.0.0.1 by default; all of 127.0.0.0/8 is ours
}

// answer is what came back.
type answer struct {
	status         int
	header         http.Header
	body           []byte
	sent, received time.Time
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s", a.status, lastBytes(string(a.body), 500))
}

// clients are kept by source address: a connection has one source.
var (
	clientsMu sync.Mutex
	clients   = map[string]*http.Client{}
)

func clientFrom(source string) *http.Client {
	clientsMu.Lock()
	defer clientsMu.Unlock()
	if c, ok := clients[source]; ok {
		return c
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	c := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 128,
			IdleConnTimeout:     10 * time.Second,
		},
	}
	clients[source] = c
	return c
}

// try sends the call to an address such as 127.0.0.1:8080.
func try(address string, c call) (answer, error) {
	if c.method == "" {
		c.method = http.MethodGet
		if c.body != "" {
			c.method = http.MethodPost
		}
	}
	if c.from == "" {
		c.from = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(context.Background(), c.method, "http://"+address, strings.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	path, query, _ := strings.Cut(c.path, "?")
	req.URL.Opaque = path // byte for byte, whatever net/url thinks of it
	req.URL.RawQuery = query
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range c.header {
		if strings.EqualFold(name, "Host") {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	return exchange(clientFrom(c.from), req)
}

func exchange(client *http.Client, req *http.Request) (answer, error) {
	a := answer{sent: time.Now()}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, err = io.ReadAll(resp.Body)
	a.received = time.Now()
	return a, err
}

// do sends the call through the gateway and expects an answer.
func (g *gateway) do(t *testing.T, c call) answer {
	t.Helper()
	a, err := try(g.address, c)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	return a
}

// together sends n calls at once.
func (g *gateway) together(t *testing.T, n int, c func(i int) call) []answer {
	t.Helper()
	answers, errs := make([]answer, n), make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = try(g.address, c(i))
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("one of %d concurrent requests: %v", n, err)
		}
	}
	return answers
}

// fetch is a plain GET.
func fetch(url string) (int, string, error) {
	client := clientFrom("127.0.0.1")
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	a, err := exchange(client, req)
	return a.status, string(a.body), err
}

// object reads the body as a JSON object.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("the body is no JSON object: %v\n%s", err, a)
	}
	return o
}

// at follows keys into nested objects; nil when there is nothing.
func at(o map[string]any, keys ...string) any {
	var v any = o
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// count counts the answers of one status.
func count(answers []answer, status int) int {
	n := 0
	for _, a := range answers {
		if a.status == status {
			n++
		}
	}
	return n
}

func wantStatus(t *testing.T, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, lastBytes(string(a.body), 500))
	}
}

// wantJSONError checks what every answer with status 400 or more promises.
func wantJSONError(t *testing.T, a answer, status int) map[string]any {
	t.Helper()
	wantStatus(t, a, status)
	contentType := a.header.Get("Content-Type")
	if !strings.HasPrefix(contentType, "application/json") {
		t.Errorf("Content-Type %q, want application/json", contentType)
	}
	o := a.object(t)
	if message, _ := at(o, "message").(string); message == "" {
		t.Errorf("no top-level string message in %s", a)
	}
	if message, _ := at(o, "error", "message").(string); message == "" {
		t.Errorf("no error.message, which the SDK reads, in %s", a)
	}
	return o
}

// wantOurError checks what the gateway's own errors promise beyond that.
func wantOurError(t *testing.T, a answer, status int, code string) map[string]any {
	t.Helper()
	o := wantJSONError(t, a, status)
	if got := at(o, "error", "code"); got != code {
		t.Errorf("error.code = %v, want %q: %s", got, code, a)
	}
	if got := at(o, "status"); got != float64(status) {
		t.Errorf("status in the body = %v, want %d", got, status)
	}
	if at(o, "message") != at(o, "error", "message") {
		t.Errorf("message and error.message differ: %s", a)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	if status == 429 || status == 503 {
		wantRetryAfter(t, a)
	}
	return o
}

// wantRetryAfter returns the whole seconds of Retry-After, at least 1.
func wantRetryAfter(t *testing.T, a answer) int {
	t.Helper()
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		t.Errorf("Retry-After %q, want whole seconds, at least 1", a.header.Get("Retry-After"))
	}
	return seconds
}

// raw writes bytes to the address and returns everything that comes back until
// the other side closes or falls silent.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, request) // a server may refuse before it has read all
	return readUntilSilent(conn, 500*time.Millisecond)
}

// readUntilSilent reads until the end, or until an answer has come and nothing
// more comes for the given time.
func readUntilSilent(conn net.Conn, silence time.Duration) string {
	var got bytes.Buffer
	buf := make([]byte, 32<<10)
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		wait := time.Until(deadline)
		if got.Len() > 0 {
			wait = silence
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return got.String()
}

// readResponse reads an answer out of raw bytes.
func readResponse(text string) (answer, error) {
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, err
}
