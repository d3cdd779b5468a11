package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// walk follows Link to the last page, as the SDK does, and counts the pages.
func walk(t *testing.T, g *gateway, c call) int {
	t.Helper()
	for page := 1; ; page++ {
		a := g.do(t, c)
		wantStatus(t, a, 200)
		if got := a.header.Get("X-Total-Count"); got != "5" {
			t.Errorf("page %d: X-Total-Count %q, want 5", page, got)
		}
		link := a.header.Get("Link")
		if link == "" {
			return page
		}
		target, found := strings.CutSuffix(strings.TrimPrefix(link, "<"+g.url()), `>; rel="next"`)
		if !found || !strings.HasPrefix(target, "/v2/") || page > 10 {
			t.Fatalf("page %d: Link is %s, want an absolute one to the gateway", page, link)
		}
		c.path = target
	}
}

// startManners is an upstream whose answers try a client's reading of HTTP: with
// and without a body, with a length and chunked, small and large.
func startManners(t *testing.T) *gateway {
	t.Helper()
	large := []byte(`["` + strings.Repeat("0123456789abcdef", largeList/16) + `"]`)
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodOptions:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(204)
		case r.URL.Path == "/v2/gone":
			w.WriteHeader(204)
		case r.Header.Get("If-None-Match") == `"v1"`:
			w.Header().Set("ETag", `"v1"`)
			w.WriteHeader(304)
		case r.URL.Path == "/v2/large":
			w.Header().Set("Content-Length", strconv.Itoa(len(large)))
			_, _ = w.Write(large)
		case r.URL.Path == "/v2/chunked":
			for part := range slices.Chunk(large, 100_000) {
				_, _ = w.Write(part)
				_ = http.NewResponseController(w).Flush()
			}
		case r.URL.Path == "/v2/missing":
			w.WriteHeader(404)
			_, _ = w.Write([]byte(`{"message":"Contact not found"}`))
		default:
			w.Header().Set("Content-Length", "14")
			_, _ = w.Write([]byte(`{"name":"Ada"}`))
		}
	})
	return startGateway(t, up.URL, setup{rest: roomy})
}

// largeList is far beyond what the gateway holds in memory before it streams.
const largeList = 3 << 20

// manner is one question to that upstream.
type manner struct {
	Method, Path, ETag string
	Status, Length     int // Length counts the bytes of the body that arrive
}

// manners follow each other on one connection: an answer that was read wrongly
// spoils the next.
var manners = []manner{
	{"GET", "/v2/small", "", 200, 14},
	{"HEAD", "/v2/small", "", 200, 0},
	{"GET", "/v2/small", `"v1"`, 304, 0},
	{"OPTIONS", "/v2/small", "", 204, 0},
	{"DELETE", "/v2/gone", "", 204, 0},
	{"GET", "/v2/large", "", 200, largeList + 4},
	{"HEAD", "/v2/large", "", 200, 0},
	{"GET", "/v2/chunked", "", 200, largeList + 4},
	{"HEAD", "/v2/chunked", "", 200, 0},
	{"HEAD", "/v2/missing", "", 404, 0},
	{"PUT", "/v2/small", "", 405, -1},
	{"GET", "/v2/small", "", 200, 14},
}

func (m manner) check(t *testing.T, client string, status, length int) {
	t.Helper()
	if status != m.Status || (length != m.Length && m.Length >= 0) {
		t.Errorf("%s read %s %s as %d with %d bytes, want %d with %d", client, m.Method, m.Path, status, length, m.Status, m.Length)
	}
}

func TestCurlReadsEveryAnswerWithoutAComplaint(t *testing.T) {
	t.Parallel()
	g := startManners(t)
	args := []string{}
	for i, m := range manners {
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(args, "-sS", "--max-time", "15", "-o", os.DevNull, "-w", "%{http_code} %{size_download} %{num_connects}\n", g.url()+m.Path)
		if m.Method == "HEAD" {
			args = append(args, "--head")
		} else {
			args = append(args, "-X", m.Method)
		}
		if m.ETag != "" {
			args = append(args, "-H", "If-None-Match: "+m.ETag)
		}
	}
	out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "curl:") {
		t.Fatalf("curl complains: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(manners) {
		t.Fatalf("curl printed %d lines for %d questions:\n%s", len(lines), len(manners), out)
	}
	connections := 0
	for i, m := range manners {
		var status, length, connects int
		if _, err := fmt.Sscan(lines[i], &status, &length, &connects); err != nil {
			t.Fatalf("cannot read %q: %v", lines[i], err)
		}
		m.check(t, "curl", status, length)
		connections += connects
	}
	if connections != 1 {
		t.Errorf("curl opened %d connections, want 1", connections)
	}
}

func TestNetHTTPReadsEveryAnswerWithoutAComplaint(t *testing.T) {
	t.Parallel()
	g := startManners(t)
	var dialed atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	for _, m := range manners {
		req, err := http.NewRequestWithContext(t.Context(), m.Method, g.url()+m.Path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if m.ETag != "" {
			req.Header.Set("If-None-Match", m.ETag)
		}
		a, err := exchange(&http.Client{Transport: transport, Timeout: patience}, req)
		if err != nil {
			t.Fatalf("%s %s: %v", m.Method, m.Path, err)
		}
		m.check(t, "net/http", a.status, len(a.body))
	}
	if n := dialed.Load(); n != 1 {
		t.Errorf("net/http opened %d connections, want 1", n)
	}
}

// nodeReading is what node's http and fetch read: status and bytes of each answer.
type nodeReading struct {
	HTTP, Fetch [][2]int
	Connections int // of node's http
}

func readWithNode(t *testing.T, origin string) nodeReading {
	t.Helper()
	input, err := json.Marshal(map[string]any{"origin": origin, "manners": manners})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "sdk/read.js")
	node.Stdin = bytes.NewReader(input)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("node complains: %v\n%s", err, out)
	}
	var read nodeReading
	if err := json.Unmarshal(out, &read); err != nil || len(read.HTTP) != len(manners) || len(read.Fetch) != len(manners) {
		t.Fatalf("cannot read what node printed: %v\n%s", err, out)
	}
	return read
}

// The parser of node is the strictest of the three, and the SDK's own. It gives a
// connection up after a HEAD whose answer names no length, whoever answers it.
func TestNodeReadsEveryAnswerWithoutAComplaint(t *testing.T) {
	t.Parallel()
	g := startManners(t)
	read, direct := readWithNode(t, g.url()), readWithNode(t, g.upstream)
	for i, m := range manners {
		m.check(t, "node's http", read.HTTP[i][0], read.HTTP[i][1])
		m.check(t, "node's fetch", read.Fetch[i][0], read.Fetch[i][1])
	}
	if read.Connections != direct.Connections {
		t.Errorf("node's http opened %d connections, %d without the gateway", read.Connections, direct.Connections)
	}
}
