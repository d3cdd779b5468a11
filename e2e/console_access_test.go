package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every path that docs/console.md names is guarded: by the token, by the name that
// it is asked for under, and against pages of other sites.
func TestEveryPathOfTheConsoleIsGuarded(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile("(?m)^\\| `(/admin/v1/[a-z]+)").FindAllStringSubmatch(string(page), -1)
	if len(paths) != 9 {
		t.Fatalf("docs/console.md names %v", paths)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the admin token"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{address: freeAddress(t), admin: freeAddress(t)}
	g.config = configFile(t, fmt.Sprintf("listen: {address: %q}\nadmin: {address: %q, token_file: %q}\nupstream: {url: %q}\n", g.address, g.admin, token, startStub(t, nil).URL))
	g.process = launch(t, "run", "--config", g.config)
	g.awaitReady(t)
	f := func(path string, want int, method, host string, header ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.admin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req) // a stream has no end: its head is enough
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s as %s %q: %d %v, want %d", method, path, host, header, resp.StatusCode, resp.Header, want)
		}
	}
	const right = "Bearer the admin token"
	for _, m := range paths {
		f(m[1], 200, "GET", g.admin, "Authorization", right)
		f(m[1], 401, "GET", g.admin)
		f(m[1], 401, "GET", g.admin, "Authorization", "Bearer wrong")
		f(m[1], 421, "GET", "evil.test", "Authorization", right)
		f(m[1], 403, "GET", g.admin, "Authorization", right, "Sec-Fetch-Site", "cross-site")
		f(m[1], 403, "GET", g.admin, "Authorization", right, "Origin", "https://evil.test")
		f(m[1], 405, "POST", g.admin, "Authorization", right)
	}
	f("/", 200, "GET", g.admin)
	f("/", 421, "GET", "evil.test")
	f("/admin/v1/nothing", 401, "GET", g.admin)
	f("/assets/vendor/uplot.LICENSE", 401, "GET", g.admin)
}
