package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const token = "the-admin-token"

func tokenFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheTokenGuardsTheRest(t *testing.T) {
	s := server(t, Config{Address: "0.0.0.0:9900", TokenFile: tokenFile(t, token+"\n"), Pprof: true}, deps())
	f := func(want int, headers ...string) {
		t.Helper()
		for _, path := range []string{"/admin/v1/seen", "/debug/pprof/", "/debug/pprof/cmdline"} {
			r := get(s, "GET", path, "gateway.internal:9900", headers...)
			if r.StatusCode != want {
				t.Errorf("%s with %q: %d, want %d", path, headers, r.StatusCode, want)
			}
			if want == 401 {
				wantRefusal(t, r, 401)
				if got := r.Header.Get("WWW-Authenticate"); got != `Bearer realm="gateway admin"` {
					t.Errorf("WWW-Authenticate: %q", got)
				}
			}
		}
	}
	f(200, "Authorization: Bearer "+token)
	f(200, "Authorization: bearer  "+token+" ")
	f(401)
	f(401, "Authorization: Bearer")
	f(401, "Authorization: Bearer wrong")
	f(401, "Authorization: Bearer "+token+"x")
	f(401, "Authorization: Basic "+token)
	f(401, "Authorization: "+token)
	f(401, "Authorization: Bearer "+token, "Authorization: Bearer "+token)
	wantRefusal(t, get(s, "GET", "/nothing", "x"), 401) // what exists is not told either
}

func TestATokenThatCannotBeReadIsAnError(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := New(Config{TokenFile: missing}, deps())
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot read the admin token: ") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{TokenFile: tokenFile(t, " \n")}, deps()); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("got %v", err)
	}
}

func TestAStrangersNameDoesNotLeadToTheConsole(t *testing.T) {
	f := func(address, host string, want int) {
		t.Helper()
		s := server(t, Config{Address: address, Pprof: true}, deps())
		for _, path := range []string{"/", "/admin/v1/seen", "/debug/pprof/cmdline"} {
			if r := get(s, "GET", path, host); r.StatusCode != want {
				t.Errorf("%s on %s as %q: %d, want %d", path, address, host, r.StatusCode, want)
			}
		}
	}
	for _, host := range []string{"localhost", "LocalHost:9900", "127.0.0.1", "127.0.0.1:9900", "127.0.0.2:1", "[::1]", "[::1]:9900"} {
		f("127.0.0.1:9900", host, 200)
		f("[::1]:9900", host, 200)
		f("localhost:9900", host, 200)
	}
	for _, host := range []string{"evil.test", "evil.test:9900", "127.0.0.1.evil.test", "localhost.evil.test", "10.0.0.1", "", ":9900"} {
		f("127.0.0.1:9900", host, 421)
	}
	f(":9900", "evil.test", 200) // not on loopback: validation demands a token there
	wantRefusal(t, get(server(t, DefaultConfig(), deps()), "GET", "/", "evil.test"), 421)
}

// A browser can't send a token before a page has asked for it.
func TestThePageIsShownWithoutTheTokenButNotToAStranger(t *testing.T) {
	s := server(t, Config{Address: "127.0.0.1:9900", TokenFile: tokenFile(t, token)}, deps())
	if r := get(s, "GET", "/", "localhost"); r.StatusCode != 200 || text(t, r) != "page" || r.Header.Get("X-Admin-Token") != "required" {
		t.Errorf("the page: %d %v", r.StatusCode, r.Header)
	}
	if r := get(server(t, DefaultConfig(), deps()), "GET", "/", "localhost"); r.Header.Get("X-Admin-Token") != "" {
		t.Error("no token is needed, but the page is told to ask for one")
	}
	wantRefusal(t, get(s, "GET", "/", "evil.test"), 421)
	wantRefusal(t, get(s, "GET", "/admin/v1/seen", "localhost"), 401)
	wantRefusal(t, get(s, "POST", "/", "localhost"), 405)
}

// A page of another site can read no answer, and here it gets none either.
func TestAPageOfAnotherSiteSeesNothing(t *testing.T) {
	s := server(t, DefaultConfig(), deps())
	f := func(want int, headers ...string) {
		t.Helper()
		if r := get(s, "GET", "/admin/v1/seen", "localhost:9900", headers...); r.StatusCode != want {
			t.Errorf("%q: %d, want %d", headers, r.StatusCode, want)
		}
	}
	f(200)
	f(200, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")
	f(200, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate")
	f(200, "Origin: http://localhost:9900")
	f(200, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate") // a link in a runbook
	f(403, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
	f(403, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")
	f(403, "Origin: https://evil.test")
	f(403, "Origin: http://localhost:1")
	f(403, "Origin: null")
}
