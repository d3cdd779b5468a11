package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// world is a sandbox on a real socket.
type world struct {
	t   *testing.T
	s   *Sandbox
	url string
}

func newWorld(t *testing.T) *world { return newWorldWith(t, Options{}) }

func newWorldWith(t *testing.T, o Options) *world {
	t.Helper()
	if o.WebhookRetry == 0 {
		o.WebhookRetry = 5 * time.Millisecond
	}
	s := New(o)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		server.Close()
		s.Close()
	})
	return &world{t, s, server.URL}
}

// result is an answer, read whole.
type result struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
}

// as is a client with the token of a ready-made user; "" has none.
func (w *world) as(name string) client {
	if name == "" {
		return client{w, ""}
	}
	return client{w, w.s.Credential(name).Token}
}

type client struct {
	w     *world
	token string
}

func (c client) do(method, path, body string, headers ...string) result {
	c.w.t.Helper()
	r, err := http.NewRequest(method, c.w.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return result{c.w.t, res.StatusCode, res.Header, string(raw)}
}

func (c client) get(path string) result        { c.w.t.Helper(); return c.do("GET", path, "") }
func (c client) post(path, body string) result { c.w.t.Helper(); return c.do("POST", path, body) }
func (c client) patch(path, body string) result {
	c.w.t.Helper()
	return c.do("PATCH", path, body)
}

// must fails the test unless the status is the given one.
func (r result) must(status int) result {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("got status %d, want %d: %s", r.status, status, r.raw)
	}
	return r
}

// refused checks a status and that the text stands in both places.
func (r result) refused(status int) string {
	r.t.Helper()
	r.must(status)
	var body struct {
		Message string
		Error   struct{ Message string }
	}
	if err := json.Unmarshal([]byte(r.raw), &body); err != nil {
		r.t.Fatalf("the refusal is no JSON: %v: %s", err, r.raw)
	}
	if body.Message == "" || body.Message != body.Error.Message {
		r.t.Fatalf("the text must stand in message and in error.message: %s", r.raw)
	}
	return body.Message
}

func (r result) object() map[string]any {
	r.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.raw), &v); err != nil {
		r.t.Fatalf("no JSON object: %v: %s", err, r.raw)
	}
	return v
}

func (r result) list() []map[string]any {
	r.t.Helper()
	var v []map[string]any
	if err := json.Unmarshal([]byte(r.raw), &v); err != nil {
		r.t.Fatalf("no JSON array of objects: %v: %s", err, r.raw)
	}
	return v
}

// id is the id of the answer.
func (r result) id() string {
	r.t.Helper()
	id, _ := r.object()["id"].(string)
	return id
}

// JSON is a value as compact JSON, to compare with what is wanted.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := asJSON(got), asJSON(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}
