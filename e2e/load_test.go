package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loadTime is how long tests of a change under load send real traffic.
const loadTime = 30 * time.Second

// load sends requests from several clients until it is stopped: half of them on
// kept connections and half on a new one each time, and each client a POST after
// every GET. No request is ever sent twice by a client.
type load struct {
	wg           sync.WaitGroup
	stop         context.CancelFunc
	sent, failed atomic.Int64
	mu           sync.Mutex
	first        error
}

// startLoad sends to a URL, by transports that are like the given one.
func startLoad(t *testing.T, url string, like *http.Transport) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	t.Cleanup(func() { _, _, _ = l.end() })
	for i := range 4 {
		transport := like.Clone()
		transport.DisableKeepAlives = i%2 == 0
		l.wg.Go(func() {
			defer transport.CloseIdleConnections()
			client := &http.Client{Timeout: patience, Transport: transport}
			for n := 0; ctx.Err() == nil; n++ {
				l.ask(client, url, fmt.Sprintf("%d-%d", i, n))
				time.Sleep(8 * time.Millisecond)
			}
		})
	}
	return l
}

// ask sends a GET and a POST of that name.
func (l *load) ask(client *http.Client, url, name string) {
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPost: 201} {
		var body io.Reader = http.NoBody
		if method == http.MethodPost {
			body = strings.NewReader(`{"name":"` + name + `"}`)
		}
		req, err := http.NewRequest(method, url, body)
		if err == nil {
			req.Header.Set("X-Load", name)
			req.GetBody = nil // Go's client would send it again where it must not
			var a answer
			if a, err = exchange(client, req); err == nil && a.status != want {
				err = errors.New("answered " + a.String())
			}
		}
		l.sent.Add(1)
		if err != nil {
			l.failed.Add(1)
			l.mu.Lock()
			if l.first == nil {
				l.first = fmt.Errorf("%s %s at %s: %w", method, name, time.Now().Format(time.StampMilli), err)
			}
			l.mu.Unlock()
		}
	}
}

func (l *load) end() (sent, failed int64, first error) {
	l.stop()
	l.wg.Wait()
	return l.sent.Load(), l.failed.Load(), l.first
}

// wantNoFailure ends the load and demands that nobody noticed anything.
func (l *load) wantNoFailure(t *testing.T, what string) {
	t.Helper()
	sent, failed, first := l.end()
	if failed > 0 || sent < 2000 {
		t.Errorf("%d of %d requests failed, the first: %v", failed, sent, first)
	}
	t.Logf("%d requests in %v, %d failed; %s", sent, loadTime, failed, what)
}

// onceOnly is an upstream that counts how often each POST of a load arrives.
type onceOnly struct {
	arrived atomic.Int64 // requests of any method
	mu      sync.Mutex
	posts   map[string]int
}

func (o *onceOnly) handle(w http.ResponseWriter, r *http.Request) {
	o.arrived.Add(1)
	if r.Method == http.MethodPost {
		o.mu.Lock()
		o.posts[r.Header.Get("X-Load")]++
		o.mu.Unlock()
	}
	time.Sleep(3 * time.Millisecond)
	agreeable(w, r)
}

func (o *onceOnly) wantNoRepeat(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, n := range o.posts {
		if n != 1 {
			t.Errorf("POST %s arrived %d times", name, n)
		}
	}
}
