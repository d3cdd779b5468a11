package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deps(reasons ...string) Deps {
	registry := prometheus.NewRegistry()
	draining := prometheus.NewGauge(prometheus.GaugeOpts{Name: "gateway_draining", Help: "1 while draining."})
	registry.MustRegister(draining)
	return Deps{
		Registry: registry,
		Ready:    func() []string { return reasons },
		Console:  Console{Shell: map[string]http.Handler{"/": said("page")}, Data: map[string]http.Handler{"/admin/v1/seen": said("data")}},
	}
}

// said answers with a word.
func said(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, word) })
}

func server(t *testing.T, cfg Config, d Deps) *Server {
	t.Helper()
	s, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks s without a network. Headers are "Name: value".
func get(s *Server, method, path, host string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
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

// wantRefusal checks that r is a JSON refusal with a message.
func wantRefusal(t *testing.T, r *http.Response, status int) {
	t.Helper()
	var got struct {
		Message string
		Status  int
	}
	body := text(t, r)
	err := json.Unmarshal([]byte(body), &got)
	if err != nil || r.StatusCode != status || got.Status != status || got.Message == "" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %q %s (%v), want a JSON %d with a message", r.StatusCode, r.Header.Get("Content-Type"), body, err, status)
	}
}

func TestProbesAndMetricsNeedNeitherTokenNorHost(t *testing.T) {
	s := server(t, Config{Address: "127.0.0.1:0", TokenFile: tokenFile(t, token)}, deps())
	f := func(path, contentType, want string) {
		t.Helper()
		r := get(s, "GET", path, "10.0.0.7:9900")
		body := text(t, r)
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), contentType) || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s %q, want %q", path, r.StatusCode, r.Header.Get("Content-Type"), body, want)
		}
	}
	f("/healthz", "text/plain", "ok")
	f("/readyz", "application/json", `{"message":"ready","status":200,"ready":true}`)
	f("/metrics", "text/plain", "gateway_draining 0\n")
	f("/metrics?a=b", "text/plain", "gateway_draining 0\n")
}

func TestMetricsSpeakOpenMetrics(t *testing.T) {
	r := get(server(t, DefaultConfig(), deps()), "GET", "/metrics", "", "Accept: application/openmetrics-text;version=1.0.0")
	if got := text(t, r); !strings.HasPrefix(r.Header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(got, "# EOF\n") {
		t.Errorf("got %s %q", r.Header.Get("Content-Type"), got)
	}
}

func TestReadinessSaysWhyNot(t *testing.T) {
	r := get(server(t, DefaultConfig(), deps("draining", "upstream down")), "GET", "/readyz", "")
	want := `{"message":"not ready: draining, upstream down","status":503,"ready":false,"reasons":["draining","upstream down"]}` + "\n"
	if got := text(t, r); r.StatusCode != http.StatusServiceUnavailable || got != want {
		t.Errorf("got %d %s", r.StatusCode, got)
	}
}

func TestEveryAnswerIsUncachedAndNotGuessedAt(t *testing.T) {
	s := server(t, DefaultConfig(), deps())
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/nothing"} {
		h := get(s, "GET", path, "localhost").Header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestEverythingElseIs404InJSON(t *testing.T) {
	s := server(t, DefaultConfig(), deps())
	for _, path := range []string{"/nothing", "/metrics/", "/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "//healthz", "/index.html"} {
		wantRefusal(t, get(s, "GET", path, "localhost"), 404)
	}
}

func TestOnlyGetAndHead(t *testing.T) {
	s := server(t, Config{Address: "127.0.0.1:0", Pprof: true}, deps())
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/debug/pprof/symbol"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY"} {
			r := get(s, method, path, "localhost")
			wantRefusal(t, r, 405)
			if r.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", r.Header.Get("Allow"))
			}
		}
		if r := get(s, "HEAD", path, "localhost"); r.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, r.StatusCode)
		}
	}
}

func TestNewWithoutItsDepsIsABug(t *testing.T) {
	defer func() {
		if got, _ := recover().(string); !strings.HasPrefix(got, "BUG: ") {
			t.Errorf("got %q", got)
		}
	}()
	_, _ = New(DefaultConfig(), Deps{})
}

func TestAFailingCollectorHidesNoOtherMetric(t *testing.T) {
	d := deps()
	d.Registry.MustRegister(broken{})
	if got := text(t, get(server(t, DefaultConfig(), d), "GET", "/metrics", "")); !strings.Contains(got, "gateway_draining 0\n") {
		t.Errorf("got %q", got)
	}
}

type broken struct{}

var brokenDesc = prometheus.NewDesc("gateway_broken", "Never works.", nil, nil)

func (broken) Describe(c chan<- *prometheus.Desc) { c <- brokenDesc }
func (broken) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.NewInvalidMetric(brokenDesc, errors.New("broken"))
}
