package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }() // ends with the process, as in the benchmark
	return s
}

func TestRequestsOfEveryKindAreAnsweredAndCounted(t *testing.T) {
	s := start(t)
	f := func(method, path, body string, status, size int) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status || len(got) < size {
			t.Errorf("%s %s: %d, %d bytes, %v", method, path, res.StatusCode, len(got), err)
		}
	}
	f("GET", "/v2/contacts", "", 200, 100)
	f("GET", LargePath, "", 200, LargeSize)
	f("POST", "/v2/messages", `{"text":"hello"}`, 201, 50)
	f("POST", "/v2/files", strings.Repeat("x", 1<<20), 201, 50)
	f("GET", CountPath, "", 200, 1)
	if s.Seen() != 4 {
		t.Errorf("%d requests seen, want 4", s.Seen())
	}
}

func TestRequestsInPiecesAndSeveralAtOnce(t *testing.T) {
	s := start(t)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	post := "POST /v2/messages HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhello"
	go func() {
		for _, piece := range strings.SplitAfter(post, "\r\n") {
			fmt.Fprint(c, piece)
		}
		fmt.Fprint(c, post+"GET / HTTP/1.1\r\n\r\n"+post)
	}()
	r := bufio.NewReader(c)
	for _, want := range []int{201, 201, 200, 201} {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != want {
			t.Errorf("status %d, want %d (%v)", res.StatusCode, want, err)
		}
	}
	if s.Seen() != 4 {
		t.Errorf("%d requests seen, want 4", s.Seen())
	}
}

func TestOtherFramingIsRefusedAndTheConnectionClosed(t *testing.T) {
	s := start(t)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 501 ") {
		t.Errorf("answered %q, %v", all, err)
	}
}
