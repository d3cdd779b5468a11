package upstream

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// lines is a log that tests can read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// fleetOf makes a fleet of addresses, and closes it in the end.
func fleetOf(t testing.TB, addresses []string, change ...func(*Config, *Deps)) (*Fleet, *lines) {
	t.Helper()
	log := &lines{}
	cfg := DefaultConfig()
	cfg.URL, cfg.Addresses, cfg.Timeout = "http://api.example.com", addresses, 10*time.Second
	d := Deps{Clock: func() int64 { return time.Now().UnixNano() }, Log: slog.New(slog.NewTextHandler(log, nil)), Failed: func(Reason) {}}
	for _, f := range change {
		f(&cfg, &d)
	}
	f, err := NewFleet(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.Start()
	return f, log
}

func (b *backend) address() string { return b.ln.Addr().String() }

func (b *backend) served() int {
	requests, _ := b.seen()
	return len(requests)
}

// do makes one request.
func do(f *Fleet, req *Request) (string, *Error) {
	var resp Response
	err := f.Do(f.clock(), req, &resp)
	failure, _ := err.(*Error) //nolint:errorlint // as promised
	if err != nil && failure == nil {
		panic("not an *Error")
	}
	return string(resp.Body), failure
}
