package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic asks the gateway over TLS from several clients, half of them on kept
// connections and half on a new one each time, until it is stopped.
type traffic struct {
	wg           sync.WaitGroup
	stop         context.CancelFunc
	sent, failed atomic.Int64
	mu           sync.Mutex
	first        error
	seen         sync.Map // the certificates that new connections saw
}

func startTraffic(t *testing.T, url string, roots func() []*x509.CertPool) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	load := &traffic{stop: stop}
	for i := range 4 {
		transport := &http.Transport{
			DisableKeepAlives: i%2 == 0,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, VerifyConnection: load.verify(roots)},
		}
		load.wg.Go(func() {
			defer transport.CloseIdleConnections()
			client := &http.Client{Timeout: patience, Transport: transport}
			for ctx.Err() == nil {
				load.ask(client, url)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return load
}

// verify accepts only what one of the roots signed, whichever is current.
func (l *traffic) verify(roots func() []*x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		l.seen.Store(string(leaf.Raw), true)
		err := errors.New("nobody who is trusted signed it")
		for _, pool := range roots() {
			if _, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1"}); err == nil {
				return nil
			}
		}
		return err
	}
}

func (l *traffic) ask(client *http.Client, url string) {
	l.sent.Add(1)
	req, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err == nil {
		var a answer
		if a, err = exchange(client, req); err == nil && a.status != 200 {
			err = fmt.Errorf("answered %s", a)
		}
	}
	if err != nil {
		l.failed.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.first == nil {
			l.first = err
		}
	}
}

func (l *traffic) end() (sent, failed int64, first error) {
	l.stop()
	l.wg.Wait()
	return l.sent.Load(), l.failed.Load(), l.first
}

func (l *traffic) certificates() (n int) {
	l.seen.Range(func(any, any) bool { n++; return true })
	return n
}

// renew puts another certificate into the files and returns who signed it.
func renew(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	newCert, newKey, authority, _ := identityOf(t)
	for from, to := range map[string]string{newCert: certFile, newKey: keyFile} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return authority
}

func TestACertificateIsSwappedUnderTrafficWithoutAFailedRequest(t *testing.T) {
	t.Parallel()
	certFile, keyFile, authority, _ := identityOf(t)
	roots := []*x509.CertPool{authority}
	var mu sync.Mutex
	// A client trusts every authority that there has been: which one is in use is
	// the gateway's to say.
	known := func() []*x509.CertPool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(roots)
	}
	g := startGateway(t, startStub(t, nil).URL, setup{
		listen: "tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}", rest: noRequestLimits,
	})
	load := startTraffic(t, "https://"+g.address+"/v2/users", known)
	renewals := 0
	for deadline := time.Now().Add(swapTime()); time.Now().Before(deadline) || renewals < 2; {
		mu.Lock() // so that nobody sees it before it is trusted
		roots = append(roots, renew(t, certFile, keyFile))
		mu.Unlock()
		renewals++
		eventually(t, "the renewed certificate is in use", func() error {
			if n := load.certificates(); n <= renewals {
				return fmt.Errorf("clients saw %d certificates", n)
			}
			return nil
		})
	}
	// A broken file changes nothing and is in the log.
	if err := os.WriteFile(keyFile, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the broken file is in the log", func() error {
		if !strings.Contains(g.logs(), "certificate was not renewed") {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	sent, failed, first := load.end()
	if failed > 0 || sent < 100 {
		t.Errorf("%d of %d requests failed, the first with: %v", failed, sent, first)
	}
	if n := load.certificates(); n != renewals+1 {
		t.Errorf("clients saw %d certificates, want %d", n, renewals+1)
	}
	t.Logf("%d requests, %d failed, %d renewals", sent, failed, renewals)
}

// swapTime is how long certificates are swapped under traffic: 30s, as a release
// is checked, when GATEWAY_E2E_LONG is set.
func swapTime() time.Duration {
	if os.Getenv("GATEWAY_E2E_LONG") != "" {
		return 30 * time.Second
	}
	return 4 * time.Second
}

func TestTheAdminListenerAndItsHealthcheckSpeakTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, authority, _ := identityOf(t)
	g := &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: startStub(t, nil).URL}
	g.config = configFile(t, fmt.Sprintf("listen: {address: %q}\nadmin: {address: %q, tls: {cert_file: %s, key_file: %s}}\nupstream: {url: %q}\n",
		g.address, g.admin, certFile, keyFile, g.upstream))
	g.process = launch(t, "run", "--config", g.config)
	eventually(t, "the gateway is healthy", func() error {
		if r := run(t, "healthcheck", "--config", g.config); r.code != 0 {
			return errors.New(r.stderr)
		}
		return nil
	})
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+g.admin+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := exchange(client, req)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(a.body), `gateway_tls_certificate_expiry_timestamp_seconds{certificate="admin"} `) {
		t.Errorf("no series says when the certificate expires: %s", a)
	}
}
