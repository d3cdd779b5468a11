package admin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serve runs s on a port of its own until the test ends.
func serve(t *testing.T, s *Server) (origin string, served <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	return "http://" + ln.Addr().String(), done
}

// fetch asks over the network on a connection of its own.
func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	return r, text(t, r)
}

func TestItServesUntilShutdown(t *testing.T) {
	s := server(t, Config{Address: "127.0.0.1:0", Pprof: true}, deps())
	origin, served := serve(t, s)
	if r, body := fetch(t, origin+"/healthz"); r.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %q", r.StatusCode, body)
	}
	if r, body := fetch(t, origin+"/debug/pprof/goroutine?debug=1"); r.StatusCode != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %q", r.StatusCode, body)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v after Shutdown", err)
	}
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	d := deps()
	asked, release := make(chan struct{}), make(chan struct{})
	d.Ready = func() []string {
		close(asked)
		<-release
		return nil
	}
	s := server(t, DefaultConfig(), d)
	origin, served := serve(t, s)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		transport := &http.Transport{DisableKeepAlives: true}
		defer transport.CloseIdleConnections()
		if r, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, origin+"/readyz", nil)); err == nil {
			_ = r.Body.Close()
		}
	}()
	<-asked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "cannot shut the admin listener down") {
		t.Errorf("got %v", err)
	}
	<-answered
	close(release)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAListenerThatBreaksIsAnError(t *testing.T) {
	s := server(t, DefaultConfig(), deps())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := s.Serve(ln); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "cannot serve the admin listener on ") {
		t.Errorf("got %v", err)
	}
}

func TestAPanicIsLoggedWhereTheCallerSays(t *testing.T) {
	var log bytes.Buffer
	d := deps()
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.Ready = func() []string { panic("canary") }
	s := server(t, DefaultConfig(), d)
	origin, served := serve(t, s)
	transport := &http.Transport{DisableKeepAlives: true}
	if _, err := (&http.Client{Transport: transport}).Get(origin + "/readyz"); err == nil {
		t.Error("want a cut connection")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "canary") {
		t.Errorf("got %q", log.String())
	}
}
