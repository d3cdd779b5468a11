package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// witness sees the certificates that new connections meet.
type witness struct{ seen sync.Map }

// transport accepts only what one of the roots signed, whichever is current.
func (w *witness) transport(roots func() []*x509.CertPool) *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		w.seen.Store(string(leaf.Raw), true)
		err := errors.New("nobody who is trusted signed it")
		for _, pool := range roots() {
			if _, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1"}); err == nil {
				return nil
			}
		}
		return err
	}}}
}

func (w *witness) certificates() (n int) {
	w.seen.Range(func(any, any) bool { n++; return true })
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

func TestACertificateIsSwappedUnderLoadWithoutAFailedRequest(t *testing.T) {
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
	seen, clients := &onceOnly{posts: map[string]int{}}, new(witness)
	g := startGateway(t, startStub(t, seen.handle).URL, setup{
		listen: "tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}", rest: noRequestLimits,
	})
	load := startLoad(t, "https://"+g.address+"/v2/users", clients.transport(known))
	renewals := 0
	for end := time.Now().Add(loadTime); time.Now().Before(end); {
		mu.Lock() // so that nobody sees it before it is trusted
		roots = append(roots, renew(t, certFile, keyFile))
		mu.Unlock()
		renewals++
		eventually(t, "the renewed certificate is in use", func() error {
			if n := clients.certificates(); n <= renewals {
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
	load.wantNoFailure(t, fmt.Sprintf("%d renewals", renewals))
	seen.wantNoRepeat(t)
	if n := clients.certificates(); n != renewals+1 {
		t.Errorf("clients saw %d certificates, want %d", n, renewals+1)
	}
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
