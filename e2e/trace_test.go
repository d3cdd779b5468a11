package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
)

// A client's trace and its span.
const (
	traceOfClient = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanOfClient  = "00f067aa0ba902b7"
)

// traced is a gateway that exports every span to a collector.
func traced(t *testing.T, upstream, endpoint, more string) *gateway {
	t.Helper()
	return startGateway(t, upstream, setup{rest: noRequestLimits + fmt.Sprintf("tracing: {otlp_endpoint: %q, sample_ratio: 1%s}\n", endpoint, more)})
}

// fieldOf returns the only value of a field of the requests that arrived.
func fieldOf(t *testing.T, up *stub, name string) string {
	t.Helper()
	up.mu.Lock()
	defer up.mu.Unlock()
	last := up.arrivals[len(up.arrivals)-1].header[http.CanonicalHeaderKey(name)]
	if len(last) != 1 {
		t.Fatalf("the upstream got %s %q", name, last)
	}
	return last[0]
}

func TestOneTraceInTheLogTheExemplarTheUpstreamAndTheSpans(t *testing.T) {
	t.Parallel()
	up, c := startStub(t, nil), startCollector(t)
	g := traced(t, up.URL, c.url, ", headers: \"X-Scope-OrgID=shop,Authorization=Basic%20dTpw\"")
	wantStatus(t, g.do(t, call{
		path: "/v2/messages", token: mint(botUser, botScope), body: `{"conversation":"` + conversation(3) + `","text":"canary-text"}`,
		header: map[string]string{"Traceparent": "00-" + traceOfClient + "-" + spanOfClient + "-00", "Tracestate": "vendor=1"},
	}), 201)
	spans := c.await(t, 2)
	server, client := spans[0], spans[1]
	if server.Kind != otlp.Span_SPAN_KIND_SERVER || client.Kind != otlp.Span_SPAN_KIND_CLIENT {
		t.Fatalf("the spans are %v", spans)
	}
	for i, got := range []string{
		inHex(server.TraceId), inHex(client.TraceId), inHex(server.ParentSpanId), inHex(client.ParentSpanId),
		fieldOf(t, up, "Traceparent"), fieldOf(t, up, "Tracestate"), server.TraceState,
	} {
		want := []string{
			traceOfClient, traceOfClient, spanOfClient, inHex(server.SpanId),
			"00-" + traceOfClient + "-" + inHex(client.SpanId) + "-01", "vendor=1", "vendor=1",
		}[i]
		if got != want {
			t.Errorf("number %d is %q, want %q", i, got, want)
		}
	}
	if server.StartTimeUnixNano > client.StartTimeUnixNano || client.StartTimeUnixNano >= client.EndTimeUnixNano || client.EndTimeUnixNano > server.EndTimeUnixNano {
		t.Errorf("the call is not within the request: %v", spans)
	}
	wantOfSpans(t, g, server, client)
	eventually(t, "the access log has the trace", func() error {
		if !strings.Contains(g.stdout.String(), `"trace_id":"`+traceOfClient+`"`) {
			return errors.New(g.stdout.String())
		}
		return nil
	})
	wantExemplar(t, g)
	if h := c.headers[0]; h.Get("X-Scope-OrgID") != "shop" || h.Get("Authorization") != "Basic dTpw" {
		t.Errorf("the collector got %v", h)
	}
}

// wantOfSpans checks what spans say, and what they must not.
func wantOfSpans(t *testing.T, g *gateway, server, client *otlp.Span) {
	t.Helper()
	f := func(s *otlp.Span, key, want string) {
		t.Helper()
		if got := attribute(s, key); got != want {
			t.Errorf("%s of %q is %q, want %q", key, s.Name, got, want)
		}
	}
	f(server, "http.request.method", "POST")
	f(server, "http.route", "/v2/messages")
	f(server, "url.scheme", "http")
	f(server, "http.response.status_code", "201")
	f(server, "gateway.source", "upstream")
	f(server, "gateway.decision", "admitted")
	f(client, "http.request.method", "POST")
	f(client, "http.response.status_code", "201")
	f(client, "server.address", "127.0.0.1")
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(g.upstream, "http://"))
	f(client, "server.port", port)
	if server.Name != "POST /v2/messages" || client.Name != "POST" {
		t.Errorf("the spans are called %q and %q", server.Name, client.Name)
	}
	for _, canary := range []string{"canary-text", conversation(3), botUser, strings.Split(mint(botUser, botScope), ".")[2]} {
		if strings.Contains(server.String()+client.String(), canary) {
			t.Errorf("the spans show %q", canary)
		}
	}
}

// wantExemplar looks for the trace in the histogram, in the format that has
// exemplars, and that the others have none.
func wantExemplar(t *testing.T, g *gateway) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.admin+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	a, err := exchange(http.DefaultClient, req)
	if err != nil {
		t.Fatal(err)
	}
	exemplars := 0
	for line := range strings.Lines(string(a.body)) {
		if _, exemplar, found := strings.Cut(line, " # "); found && strings.HasPrefix(line, "gateway_") {
			exemplars++
			if !strings.HasPrefix(line, `gateway_request_duration_seconds_bucket{route="messages"`) || !strings.HasPrefix(exemplar, `{trace_id="`+traceOfClient+`"} 0.`) {
				t.Errorf("there is an exemplar on %s", line)
			}
		}
	}
	if exemplars != 1 {
		t.Errorf("there are %d exemplars, want 1", exemplars)
	}
}

func TestWithoutACollectorATracePassesAsItCame(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	parent := "00-" + traceOfClient + "-" + spanOfClient + "-01"
	wantStatus(t, g.do(t, call{path: "/v2/users", header: map[string]string{"Traceparent": parent, "Tracestate": "vendor=1"}}), 200)
	if got, state := fieldOf(t, up, "Traceparent"), fieldOf(t, up, "Tracestate"); got != parent || state != "vendor=1" {
		t.Errorf("the upstream got %q and %q", got, state)
	}
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
	if got := up.arrivals[1].header["Traceparent"]; got != nil {
		t.Errorf("a trace was started: %q", got)
	}
	eventually(t, "the access log has the trace of the first", func() error {
		log := g.stdout.String()
		if strings.Count(log, "\n") != 2 || strings.Count(log, "trace_id") != 1 || !strings.Contains(log, `"trace_id":"`+traceOfClient+`"`) {
			return errors.New(log)
		}
		return nil
	})
}

// A collector that takes connections and never answers costs no request anything:
// the queue fills up, and what finds no room is counted.
func TestACollectorThatHangsHoldsNoRequestUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	g := traced(t, startStub(t, nil).URL, "http://"+silent.Addr().String(), "")
	for range 25 {
		for _, a := range g.together(t, 100, func(int) call { return call{path: "/v2/users"} }) {
			wantStatus(t, a, 200)
			if took := a.received.Sub(a.sent); took > 5*time.Second {
				t.Errorf("an answer took %v", took)
			}
		}
	}
	m := g.metrics(t)
	// One batch of 512 hangs, 4096 wait; the rest of 2500 requests with two spans.
	if lost := m.value(t, `gateway_tracing_spans_dropped_total{reason="queue_full"}`); lost < 5000-4096-512-1 || lost > 5000 {
		t.Errorf("%v spans found no room", lost)
	}
	wantValue(t, m, "gateway_tracing_spans_exported_total", 0)
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 { // within patience: a drain waits 5 s for a collector
		t.Errorf("exit code %d", code)
	}
}

func TestWhatBecameOfSpansIsCounted(t *testing.T) {
	t.Parallel()
	f := func(endpoint, reason, said string) {
		t.Helper()
		g := traced(t, startStub(t, nil).URL, endpoint, "")
		wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
		eventually(t, "the log says that spans are not exported", func() error {
			if !strings.Contains(g.stderr.String(), said) {
				return errors.New(g.stderr.String())
			}
			return nil
		})
		if reason != "" {
			eventually(t, "they are counted", func() error {
				if n := g.metrics(t).value(t, `gateway_tracing_spans_dropped_total{reason="`+reason+`"}`); n != 2 {
					return fmt.Errorf("there are %v", n)
				}
				return nil
			})
		}
	}
	f("http://"+freeAddress(t), "", "connection refused") // it is tried again for a minute
	f(startStub(t, reply(401, "text/plain", "who are you?")).URL, "refused", "the collector answered 401")
}

func TestADrainSendsTheSpansThatWait(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	g := traced(t, startStub(t, nil).URL, c.url, "")
	const requests = 300
	for range 3 {
		g.together(t, requests/3, func(int) call { return call{path: "/v2/users"} })
	}
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	traces := map[string]int{}
	for _, s := range c.await(t, 2*requests) {
		traces[inHex(s.TraceId)]++
	}
	if len(traces) != requests {
		t.Errorf("the spans are of %d traces, want %d", len(traces), requests)
	}
}

func TestTheShareOfTracesIsReloaded(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	g := traced(t, startStub(t, nil).URL, c.url, "")
	block := func(ratio string) setup {
		return setup{rest: noRequestLimits + fmt.Sprintf("tracing: {otlp_endpoint: %q, sample_ratio: %s}\n", c.url, ratio)}
	}
	g.writeConfig(t, block("0"))
	g.signal(t, syscall.SIGHUP)
	eventually(t, "the configuration is reloaded", func() error {
		if !strings.Contains(g.stderr.String(), `"changed":["tracing.sample_ratio"],"needs_restart":[]`) {
			return errors.New(g.stderr.String())
		}
		return nil
	})
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
	g.signal(t, syscall.SIGTERM)
	g.wait(t)
	c.await(t, 0)
}

// What is no trace is not passed on in the place of one.
func TestTheUpstreamGetsOneWellFormedTraceparent(t *testing.T) {
	t.Parallel()
	up, c := startStub(t, nil), startCollector(t)
	g := traced(t, up.URL, c.url, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, header := range []string{"", "rubbish", "00-" + strings.ToUpper(traceOfClient) + "-" + spanOfClient + "-01"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url()+"/v2/users", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Traceparent", header)
		}
		if _, err := exchange(http.DefaultClient, req); err != nil {
			t.Fatal(err)
		}
		if got := fieldOf(t, up, "Traceparent"); len(got) != 55 || strings.ToLower(got) != got || strings.Contains(got, traceOfClient) {
			t.Errorf("%q became %q", header, got)
		}
	}
}
