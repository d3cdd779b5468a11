package admin

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheListenerSpeaksTLS(t *testing.T) {
	lent := httptest.NewUnstartedServer(http.NotFoundHandler()) // its certificate is for 127.0.0.1
	lent.StartTLS()
	defer lent.Close()
	d := deps()
	d.TLS = &tls.Config{Certificates: lent.TLS.Certificates}
	s := server(t, DefaultConfig(), d)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client := lent.Client()
	r, err := client.Get("https://" + ln.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, r); r.StatusCode != 200 || body != "ok\n" {
		t.Errorf("%d %q", r.StatusCode, body)
	}
	_ = r.Body.Close()
	client.CloseIdleConnections()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestBothFilesOfTheCertificateAreSetOrNone(t *testing.T) {
	f := func(cert, key, want string) {
		t.Helper()
		c := DefaultConfig()
		c.TLS = TLS{cert, key}
		var got []string
		c.Validate(func(path, problem string) { got = append(got, path+": "+problem) })
		if got := strings.Join(got, "\n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("c", "k", "")
	f("", "", "")
	f("c", "", "tls.cert_file: must be set when admin.tls.key_file is, and only then")
	f("", "k", "tls.cert_file: must be set when admin.tls.key_file is, and only then")
}
