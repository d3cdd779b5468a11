package proxy

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	otlpcollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/chatshipper/gateway/internal/trace"
)

const (
	theirID  = "4bf92f3577b34da6a3ce929d0e0e4736"
	theirs   = "00-" + theirID + "-00f067aa0ba902b7-01"
	unmarked = "00-" + theirID + "-00f067aa0ba902b7-00"
)

// collected is a collector of traces; its spans are to be read after the flush.
type collected struct {
	*trace.Tracer
	spans []*otlp.Span
}

func (c *collected) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request otlpcollector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err == nil {
		c.spans = append(c.spans, request.ResourceSpans[0].ScopeSpans[0].Spans...)
	}
}

// flush waits until everything was exported.
func (c *collected) flush(t *testing.T) []*otlp.Span {
	t.Helper()
	c.Close(t.Context())
	return c.spans
}

func collect(t testing.TB, ratio float64) *collected {
	t.Helper()
	c := new(collected)
	server := httptest.NewServer(c)
	cfg := trace.DefaultConfig()
	cfg.OTLPEndpoint, cfg.SampleRatio = server.URL, ratio
	var err error
	if c.Tracer, err = trace.New(cfg, trace.Deps{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close(t.Context())
		server.Close()
	})
	return c
}

func tracing(t testing.TB, ratio float64) *trace.Tracer { return collect(t, ratio).Tracer }

func trustLoopback(c *Config) { c.Listen.TrustedProxies = []string{"127.0.0.0/8"} }

// sentOn is what became of trace fields on the way to the upstream.
func sentOn(t *testing.T, tracer *trace.Tracer, change func(*Config), fields string) (traceparent, tracestate []string) {
	t.Helper()
	r := newRecorder(t, ok)
	g := startTraced(t, r, change, tracer)
	g.raw(t, strings.Replace(plainGet, "\r\n\r\n", "\r\n"+fields+"\r\n", 1))
	for _, line := range strings.Split(r.bytes(), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch strings.ToLower(name) {
		case "traceparent":
			traceparent = append(traceparent, value)
		case "tracestate":
			tracestate = append(tracestate, value)
		}
	}
	return traceparent, tracestate
}

func TestTracesPassUntouchedWithoutATracer(t *testing.T) {
	f := func(fields string, parents, states int) {
		t.Helper()
		parent, state := sentOn(t, nil, nil, fields)
		if len(parent) != parents || len(state) != states {
			t.Errorf("%q became %q and %q", fields, parent, state)
		}
		for _, value := range append(parent, state...) {
			if !strings.Contains(fields, ": "+value+"\r\n") {
				t.Errorf("%q is not what came: %q", value, fields)
			}
		}
	}
	f("", 0, 0)
	f("Traceparent: "+theirs+"\r\nTracestate: a=1\r\nTracestate: b=2\r\n", 1, 2)
	f("traceparent: rubbish\r\n", 1, 0)
	f("Traceparent: "+theirs+"\r\nTraceparent: "+theirs+"\r\n", 2, 0)
	f("Tracestate: a=1\r\n", 0, 1)
	f("Connection: traceparent\r\nTraceparent: "+theirs+"\r\n", 0, 0)
}

var begun = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$`)

func TestATraceBeginsWhereNoneCame(t *testing.T) {
	f := func(ratio float64, fields, flags string) {
		t.Helper()
		parent, state := sentOn(t, tracing(t, ratio), nil, fields)
		if len(parent) != 1 || len(state) != 0 || !begun.MatchString(parent[0]) || strings.Contains(parent[0], theirID) || !strings.HasSuffix(parent[0], flags) {
			t.Errorf("%q became %q and %q", fields, parent, state)
		}
	}
	f(0, "", "-00")
	f(1, "", "-01")
	f(0, "Traceparent: rubbish\r\nTracestate: a=1\r\n", "-00") // a state belongs to its trace
	f(0, "Traceparent: "+theirs+"\r\nTraceparent: "+theirs+"\r\n", "-00")
	f(1, "Tracestate: a=1\r\n", "-01")
}

func TestWhoMaySayThatATraceIsSampled(t *testing.T) {
	f := func(who string, ratio float64, change func(*Config), sent string, exported int) {
		t.Helper()
		c := collect(t, ratio)
		parent, state := sentOn(t, c.Tracer, change, "Traceparent: "+sent+"\r\nTracestate: a=1\r\n")
		spans := c.flush(t)
		if len(spans) != exported || len(parent) != 1 || len(state) != 1 || state[0] != "a=1" {
			t.Fatalf("%s: %d spans, upstream got %q and %q", who, len(spans), parent, state)
		}
		if exported == 0 && parent[0] != sent {
			t.Errorf("%s: %q became %q although we take no part", who, sent, parent[0])
		}
		if exported > 0 && (!strings.HasPrefix(parent[0], "00-"+theirID+"-") || !strings.HasSuffix(parent[0], "-01") || parent[0] == sent) {
			t.Errorf("%s: %q became %q", who, sent, parent[0])
		}
	}
	f("a stranger who wants it", 0, nil, theirs, 0)
	f("a stranger who does not care", 1, nil, unmarked, 2)
	f("a trusted proxy that wants it", 0, trustLoopback, theirs, 2)
	f("a trusted proxy that does not", 1, trustLoopback, unmarked, 0)
}

// A stranger can choose the id of a trace, and could choose one that everybody
// samples by its number. Ours goes by a keyed digest of it instead.
func TestStrangersCannotChooseAnIDThatIsSampled(t *testing.T) {
	c := collect(t, 0.01)
	r := newRecorder(t, ok)
	g := startTraced(t, r, unlimited, c.Tracer)
	for range 50 {
		id := trace.NewTraceID()
		copy(id[8:], make([]byte, 7)) // NumberOf is next to nothing
		parent := trace.Context{TraceID: id, SpanID: trace.NewSpanID(), Flags: trace.Sampled}
		g.do(t, request{method: "GET", path: "/v2/users", header: map[string]string{"Traceparent": string(parent.Append(nil))}})
	}
	if spans := c.flush(t); len(spans) > 2*10 { // of 50 at 1 %, more than 10 come once in 10^14 runs
		t.Errorf("%d spans were exported", len(spans))
	}
}

func TestARefusedRequestHasOneSpan(t *testing.T) {
	c := collect(t, 1)
	g := startTraced(t, newRecorder(t, ok), nil, c.Tracer)
	g.do(t, request{method: "BREW", path: "/v2/users/secret-path?secret=query", token: "secret-token"}).is(t, 405, "method_not_allowed")
	spans := c.flush(t)
	if len(spans) != 1 || spans[0].Name != "HTTP" || spans[0].Status != nil || len(spans[0].ParentSpanId) != 0 {
		t.Fatalf("the spans are %v", spans)
	}
	wantAttributes(t, spans[0], map[string]string{
		"http.request.method": "_OTHER", "gateway.code": "method_not_allowed", "gateway.source": "gateway", "gateway.route": "other", "gateway.decision": "admitted",
	})
	if text := spans[0].String(); strings.Contains(text, "secret") || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "BREW") {
		t.Errorf("the span tells what it must not: %s", text)
	}
}

func TestAFailureIsInBothSpans(t *testing.T) {
	c := collect(t, 1)
	r := newRecorder(t, func(string, string) string { return "rubbish\r\n\r\n" })
	g := startTraced(t, r, nil, c.Tracer)
	g.do(t, request{method: "POST", path: "/v2/conversations/65aa0e00aabbccddeeff0011/messages", body: `{"text":"secret"}`}).is(t, 502, "upstream_invalid")
	spans := c.flush(t)
	if len(spans) != 2 || spans[0].Name != "POST /v2/conversations/{id}/messages" || spans[1].Name != "POST" {
		t.Fatalf("the spans are %v", spans)
	}
	wantAttributes(t, spans[0], map[string]string{"http.route": "/v2/conversations/{id}/messages", "error.type": "upstream_invalid", "gateway.code": "upstream_invalid"})
	wantAttributes(t, spans[1], map[string]string{"error.type": "invalid", "server.address": "127.0.0.1"})
	for _, s := range spans {
		if s.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || strings.Contains(s.String(), "65aa0e00") || strings.Contains(s.String(), "secret") {
			t.Errorf("the span is %v", s)
		}
	}
}

func wantAttributes(t *testing.T, s *otlp.Span, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, a := range s.Attributes {
		got[a.Key] = a.Value.GetStringValue()
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}
