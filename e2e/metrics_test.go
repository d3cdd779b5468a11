package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metrics is one scrape: series, labels sorted by name, to value.
type metrics map[string]float64

var labelPair = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"`)

func (g *gateway) metrics(t *testing.T) metrics {
	t.Helper()
	status, text, err := fetch("http://" + g.admin + "/metrics")
	if err != nil || status != 200 {
		t.Fatalf("cannot scrape /metrics: status %d, %v", status, err)
	}
	m := metrics{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			t.Fatalf("cannot read the metric %q: %v", line, err)
		}
		m[sortLabels(line[:space])] = value
	}
	return m
}

func sortLabels(series string) string {
	name, labels, found := strings.Cut(series, "{")
	if !found {
		return series
	}
	pairs := labelPair.FindAllString(labels, -1)
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

func (m metrics) value(t *testing.T, series string) float64 {
	t.Helper()
	v, ok := m[sortLabels(series)]
	if !ok {
		t.Errorf("there is no series %s", series)
	}
	return v
}

// names are the metric names, without the suffixes of histograms.
func (m metrics) names() map[string]bool {
	names := map[string]bool{}
	for series := range m {
		name, _, _ := strings.Cut(series, "{")
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, cut := strings.CutSuffix(name, suffix); cut {
				names[base] = true
			}
		}
		names[name] = true
	}
	return names
}

// sum adds up all series of a name whose labels contain every given pair.
func (m metrics) sum(name string, pairs ...string) float64 {
	total := 0.0
next:
	for series, v := range m {
		n, labels, _ := strings.Cut(series, "{")
		if n != name {
			continue
		}
		for _, pair := range pairs {
			if !strings.Contains(labels, pair) {
				continue next
			}
		}
		total += v
	}
	return total
}

var documentedMetrics = []string{
	"requests_total", "request_duration_seconds", "overhead_seconds", "requests_in_flight", "open_connections",
	"upstream_requests_total", "upstream_request_duration_seconds", "upstream_errors_total", "upstream_up",
	"limit_decisions_total", "limit_near_total", "loopguard_detections_total", "loopguard_resets_total",
	"loopguard_uninspected_total", "store_entries", "store_capacity", "store_bytes", "store_evicted_live_total",
	"store_errors_total", "store_degraded", "store_capacity_bytes", "upstream_connections", "upstream_connections_capacity",
	"access_log_dropped_total", "connections_refused_total", "webhook_events_total", "config_last_reload_successful",
	"config_last_reload_success_timestamp_seconds", "panics_total", "draining", "build_info",
}

func TestEveryDocumentedMetricExistsFromTheStart(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	m := g.metrics(t)
	names := m.names()
	for _, name := range documentedMetrics {
		if !names["gateway_"+name] {
			t.Errorf("there is no metric gateway_%s before the first request", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if !names[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
	for _, rule := range []string{"per_ip", "per_key", "identical", "consecutive"} {
		for _, decision := range []string{"admitted", "refused", "would_refuse"} {
			wantValue(t, m, fmt.Sprintf(`gateway_limit_decisions_total{rule=%q,decision=%q}`, rule, decision), 0)
		}
		wantValue(t, m, fmt.Sprintf(`gateway_limit_near_total{rule=%q}`, rule), 0)
		wantValue(t, m, fmt.Sprintf(`gateway_store_entries{rule=%q}`, rule), 0)
		wantValue(t, m, fmt.Sprintf(`gateway_store_evicted_live_total{rule=%q}`, rule), 0)
		if m.value(t, fmt.Sprintf(`gateway_store_capacity{rule=%q}`, rule)) <= 0 {
			t.Errorf("the capacity for the rule %s is not positive", rule)
		}
	}
	for _, rule := range []string{"identical", "consecutive"} {
		wantValue(t, m, fmt.Sprintf(`gateway_loopguard_detections_total{rule=%q}`, rule), 0)
	}
	// The sign that our limits leak: an alert on its increase needs the 0.
	wantValue(t, m, `gateway_upstream_requests_total{code="429"}`, 0)
	wantValue(t, m, "gateway_panics_total", 0)
	wantValue(t, m, "gateway_draining", 0)
	wantValue(t, m, "gateway_config_last_reload_successful", 1)
}

func wantValue(t *testing.T, m metrics, series string, want float64) {
	t.Helper()
	if got := m.value(t, series); got != want {
		t.Errorf("%s = %v, want %v", series, got, want)
	}
}

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: "limits: {per_ip: {mode: off}, per_key: {window: 1m}}\n"})
	agent := mint(agentUser, agentScope)
	for range 25 {
		g.do(t, call{path: "/v2/users", token: agent})
	}
	g.do(t, call{method: "PUT", path: "/v2/users"})
	m := g.metrics(t)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_key",decision="refused"}`, 5)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_key",decision="admitted"}`, 20)
	wantValue(t, m, `gateway_limit_decisions_total{rule="identical",decision="admitted"}`, 0)
	wantValue(t, m, `gateway_upstream_requests_total{code="200"}`, 20)
	wantValue(t, m, `gateway_limit_near_total{rule="per_key"}`, 5) // the 16th to the 20th: 80 % and more
	wantValue(t, m, `gateway_store_entries{rule="per_key"}`, 1)
	for code, want := range map[string]float64{`code="200",`: 20, `code="429",`: 5, `code="405",`: 1} {
		if got := m.sum("gateway_requests_total", code); got != want {
			t.Errorf("requests_total with %s = %v, want %v", code, got, want)
		}
	}
	if got := m.sum("gateway_requests_total", `source="gateway"`); got != 6 {
		t.Errorf("the gateway answered %v itself, want 6", got)
	}
	if got := m.sum("gateway_request_duration_seconds_count"); got != 26 {
		t.Errorf("request_duration_seconds has seen %v requests, want 26", got)
	}
}

func TestWhatClientAndUpstreamTakeIsNotTheGatewaysTime(t *testing.T) {
	t.Parallel()
	const pause = 400 * time.Millisecond
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(pause)
		_, _ = io.WriteString(w, "data: 2\n\n")
	})
	g := startGateway(t, up.URL, setup{})
	wantStatus(t, g.do(t, call{path: "/v2/events"}), 200)

	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /v2/messages HTTP/1.1\r\nHost: gateway\r\nContent-Length: 13\r\n\r\n")
	time.Sleep(pause)
	_, _ = io.WriteString(conn, `{"text":"x"}}`) // refused: no JSON
	a, err := readResponse(readUntilSilent(conn, pause/4))
	if err != nil || a.status != 400 {
		t.Fatalf("got %v, %v", a, err)
	}
	if own, ok := g.line(t, a)["overhead_ms"].(float64); !ok || own <= 0 || own > pause.Seconds()*500 {
		t.Errorf("the access log says that %v ms were the gateway's (%v)", own, ok)
	}
	m := g.metrics(t)
	if got := m.sum("gateway_request_duration_seconds_sum"); got < 2*pause.Seconds() {
		t.Errorf("the requests took %v s, want both pauses in it", got)
	}
	if got := m.value(t, "gateway_overhead_seconds_sum"); got > pause.Seconds()/2 {
		t.Errorf("%v s were the gateway's, want neither pause in it", got)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body, err := fetch("http://" + g.admin + path); err != nil || status != 200 {
			t.Errorf("%s: status %d %q, %v", path, status, body, err)
		}
	}
	if status, _, _ := fetch("http://" + g.admin + "/debug/pprof/"); status == 200 {
		t.Error("/debug/pprof/ is served although admin.pprof is not set")
	}
}

func TestReadinessFollowsTheUpstreamCheck(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{upstream: "health_check: {path: /v2/ping, interval: 100ms}"})
	wantValue(t, g.metrics(t), "gateway_upstream_up", 1)

	gone := freeAddress(t)
	lost := &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: "http://" + gone, config: g.config + ".lost"}
	lost.writeConfig(t, setup{upstream: "health_check: {path: /v2/ping, interval: 100ms}"})
	lost.process = launch(t, "run", "--config", lost.config)
	eventually(t, "a gateway without its upstream says that it is not ready", func() error {
		status, _, err := fetch("http://" + lost.admin + "/readyz")
		if err == nil && status != 503 {
			err = fmt.Errorf("/readyz answers %d", status)
		}
		return err
	})
	if status, _, err := fetch("http://" + lost.admin + "/healthz"); err != nil || status != 200 {
		t.Errorf("/healthz answers %d, %v: the process lives all the same", status, err)
	}
	wantValue(t, lost.metrics(t), "gateway_upstream_up", 0)
}
