package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// receiver is a webhook that passes on what it was sent.
type receiver struct {
	t      *testing.T
	url    string
	got    chan delivered
	answer atomic.Pointer[func(w http.ResponseWriter)] // nil: 200
}

type delivered struct {
	signature string
	raw       string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, got: make(chan delivered, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			_, _ = io.WriteString(w, q.URL.Query().Get("challenge"))
			return
		}
		raw, _ := io.ReadAll(q.Body)
		if f := r.answer.Load(); f != nil {
			(*f)(w)
		}
		r.got <- delivered{q.Header.Get("X-Hub-Signature"), string(raw)}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	return r
}

func (r *receiver) answers(f func(w http.ResponseWriter)) { r.answer.Store(&f) }

// next waits for a delivery.
func (r *receiver) next() (delivered, map[string]any) {
	r.t.Helper()
	select {
	case d := <-r.got:
		var body map[string]any
		if err := json.Unmarshal([]byte(d.raw), &body); err != nil {
			r.t.Fatal(err)
		}
		return d, body
	case <-time.After(10 * time.Second):
		r.t.Fatal("no delivery came")
		panic("unreachable")
	}
}

// events are the names of the next deliveries.
func (r *receiver) events(n int) string {
	r.t.Helper()
	var names []string
	for range n {
		_, body := r.next()
		names = append(names, body["event"].(string))
	}
	return strings.Join(names, " ")
}

// subscribe makes a webhook service with more params.
func (w *world) subscribe(r *receiver, params string) result {
	w.t.Helper()
	return w.as("admin").post("/v2/services", `{"name":"hook","type":"webhook","params":{"url":"`+r.url+`"`+params+`}}`).must(201)
}

const onlyMessages = `,"secret":"s3cret","events":["message.create"]`
