package proxy

import (
	"strconv"
	"strings"
	"testing"
)

func TestUnusualButPlainRequests(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	passes := func(raw, upstreamSees string) {
		t.Helper()
		before := len(r.bytes())
		got := g.raw(t, raw)
		if seen := r.bytes()[before:]; !strings.HasPrefix(got, "HTTP/1.1 20") || !strings.HasPrefix(seen, upstreamSees) {
			t.Errorf("%q: got %q, the upstream saw %q", raw, got, seen)
		}
	}
	passes("GET http://edge.example/v2/users?a=b HTTP/1.1\r\nHost: edge.example\r\n\r\n", "GET /v2/users?a=b HTTP/1.1\r\n")
	passes("GET /v2/users HTTP/1.0\r\n\r\n", "GET /v2/users HTTP/1.1\r\n")
	passes("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\n")
	passes("GET /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "GET /v2/x HTTP/1.1\r\n")
	passes("DELETE /v2/x HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE /v2/x HTTP/1.1\r\n")
	passes("POST /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", "POST /v2/x HTTP/1.1\r\n")
	passes("\r\nGET /v2/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v2/x HTTP/1.1\r\n")
	if got := r.bytes(); strings.Count(got, "Content-Length: 3\r\n\r\nabc") != 2 {
		t.Errorf("bodies must go upstream with their length: %q", got)
	}
}

func TestTheGuardSeesAbsoluteForm(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	send := func() string {
		body := chat("same")
		return g.raw(t, "POST http://edge.example/V2/messages/ HTTP/1.1\r\nHost: edge.example\r\nAuthorization: Bearer "+botToken+
			"\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\nConnection: close\r\n\r\n"+body)
	}
	for range 8 {
		if got := send(); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
			t.Fatalf("got %q", got)
		}
	}
	if got := send(); !strings.HasPrefix(got, "HTTP/1.1 429 ") {
		t.Errorf("got %q", got)
	}
}
