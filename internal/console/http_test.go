package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func get(h http.Handler, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryTableIsAlsoJSON(t *testing.T) {
	live(t, func(t *testing.T, s *stage, c *Console) {
		s.set(func() { s.entries = []uint64{3} })
		doors := c.Data()
		f := func(path, want string) {
			t.Helper()
			r := get(doors[strings.SplitN(path, "?", 2)[0]], path)
			if got := text(t, r); got != want+"\n" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s %s, want %s", path, r.Header.Get("Content-Type"), got, want)
			}
		}
		f("/admin/v1/steady", `"as ever"`)
		f("/admin/v1/reads", `1`)
		f("/admin/v1/log", `[3]`)
		pass(2 * interval)
		s.set(func() { s.entries = nil })
		f("/admin/v1/log", `[]`)
		at := time.Now().UTC().Format(time.RFC3339Nano)
		f("/admin/v1/overview?points=1", `{"at":"`+at+`","points":[2],"tables":{"reads":2,"steady":"as ever"},"logs":{"log":[]}}`)
		f("/admin/v1/overview", `{"at":"`+at+`","points":[1,2],"tables":{"reads":2,"steady":"as ever"},"logs":{"log":[]}}`)
		f("/admin/v1/overview?points=0", `{"at":"`+at+`","points":[],"tables":{"reads":2,"steady":"as ever"},"logs":{"log":[]}}`)
		for _, wrong := range []string{"301", "-1", "x"} {
			if r := get(doors["/admin/v1/overview"], "/admin/v1/overview?points="+wrong); r.StatusCode != 400 {
				t.Errorf("points=%s: %d", wrong, r.StatusCode)
			}
		}
	})
}

// Over a real connection, on a server whose limits are meant for short requests.
func TestTheStreamOutlivesTheListenersLimits(t *testing.T) {
	s := &stage{steady: "as ever"}
	c := New(s.source())
	server := httptest.NewUnstartedServer(c.Data()["/admin/v1/stream"])
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Start()
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	r, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if kind := r.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("it is %s", kind)
	}
	events := bufio.NewScanner(r.Body)
	read := func(want string) {
		t.Helper()
		var lines []string
		for events.Scan() && events.Text() != "" {
			lines = append(lines, events.Text())
		}
		if len(lines) != 2 || lines[0] != "event: "+want || !json.Valid([]byte(strings.TrimPrefix(lines[1], "data: "))) {
			t.Fatalf("got %q, want the event %s", lines, want)
		}
	}
	read("overview")
	for range 3 {
		c.tick(time.Now())
		read("frame")
	}
	time.AfterFunc(150*time.Millisecond, func() { c.tick(time.Now()) }) // beyond both limits
	read("frame")
	c.Close()
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
	if r, err = server.Client().Get(server.URL); err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("after the end: %v %v", r, err)
	}
	_ = r.Body.Close()
}

func TestAViewerThatGoesLeavesItsPlace(t *testing.T) {
	c := New((&stage{}).source())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		c.serveStream(httptest.NewRecorder(), r)
		close(done)
	}()
	cancel()
	<-done
	if len(c.viewers) != 0 {
		t.Errorf("%d viewers are left", len(c.viewers))
	}
}

// broken is a connection that takes nothing any more.
type broken struct{ httptest.ResponseRecorder }

func (b *broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestAStreamThatCannotBeWrittenEnds(t *testing.T) {
	c := New((&stage{}).source())
	c.serveStream(&broken{}, httptest.NewRequest(http.MethodGet, "/", nil))
	if len(c.viewers) != 0 {
		t.Errorf("%d viewers are left", len(c.viewers))
	}
}

func TestThePageLoadsOnlyWhatIsServed(t *testing.T) {
	shell := New((&stage{}).source()).Shell()
	r := get(shell["/"], "/")
	page := text(t, r)
	csp := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy %q lacks %s", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.Header.Get("Cache-Control") != "" {
		t.Errorf("got %v", r.Header)
	}
	if regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]|https?://`).MatchString(page) {
		t.Errorf("inline or foreign: %s", page)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) != 5 {
		t.Errorf("the page loads %v", links)
	}
	for _, link := range links {
		if shell[link[1]] == nil {
			t.Errorf("%s is not served", link[1])
		}
	}
}

// A module that imports one that is missing would leave the page empty.
func TestEveryImportOfAModuleIsServed(t *testing.T) {
	shell := New((&stage{}).source()).Shell()
	modules := 0
	for at := range shell {
		if !strings.HasSuffix(at, ".js") || strings.Contains(at, "/vendor/") {
			continue
		}
		modules++
		for _, m := range regexp.MustCompile(`(?m)^import .* from '\./([^']+)'`).FindAllStringSubmatch(text(t, get(shell[at], at)), -1) {
			if shell["/assets/"+m[1]] == nil {
				t.Errorf("%s imports %s, which is not served", at, m[1])
			}
		}
	}
	if modules < 10 {
		t.Errorf("only %d modules", modules)
	}
}

func TestAssetsAreAskedForAgainByTheirTag(t *testing.T) {
	shell := New((&stage{}).source()).Shell()
	for at, kind := range map[string]string{"/assets/app.js": "text/javascript; charset=utf-8", "/assets/style.css": "text/css; charset=utf-8", "/assets/icon.svg": "image/svg+xml"} {
		r := get(shell[at], at)
		tag := r.Header.Get("ETag")
		if r.Header.Get("Content-Type") != kind || r.Header.Get("Cache-Control") != "no-cache" || tag == "" || text(t, r) == "" {
			t.Errorf("%s: %v", at, r.Header)
		}
		if again := get(shell[at], at, "If-None-Match: "+tag); again.StatusCode != http.StatusNotModified || text(t, again) != "" {
			t.Errorf("%s again: %d", at, again.StatusCode)
		}
	}
	for at := range shell {
		if strings.Contains(at, "LICENSE") {
			t.Errorf("%s is served", at)
		}
	}
}

// What others wrote stands beside its licence.
func TestEveryLicenceIsKept(t *testing.T) {
	for file, words := range map[string]string{"htm": "Apache License", "preact": "The MIT License", "uplot": "The MIT License"} {
		licence, err := os.ReadFile("assets/vendor/" + file + ".LICENSE")
		if err != nil || !strings.Contains(string(licence), words) {
			t.Errorf("%s: %v, %q is not in it", file, err, words)
		}
	}
}
