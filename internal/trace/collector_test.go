package trace

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	otlpcollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/chatshipper/gateway/internal/unit"
)

// receiver is an OTLP/HTTP collector that hands over what it gets.
func receiver(t *testing.T, answer http.HandlerFunc) (endpoint string, got <-chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		requests <- r
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func fine(http.ResponseWriter, *http.Request) {}

func configured(endpoint string) Config {
	c := DefaultConfig()
	c.OTLPEndpoint, c.SampleRatio = endpoint, 1
	return c
}

// export sends spans to a collector and closes.
func export(t *testing.T, c Config, spans ...*Span) *Tracer {
	t.Helper()
	tr, err := New(c, Deps{Version: "v1", Instance: "this", Host: "here", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		tr.End(s)
	}
	tr.Close(t.Context())
	tr.exporter.send = nil
	return tr
}

func TestACollectorUnderstandsEveryPartOfASpan(t *testing.T) {
	endpoint, got := receiver(t, fine)
	c := configured(endpoint)
	c.Headers = "X-Scope-OrgID=shop, Authorization=Basic%20dTpw%3D"
	s := &Span{
		TraceID: NewTraceID(), ID: NewSpanID(), Parent: NewSpanID(), Remote: true, State: "a=1", Kind: Server, Name: "GET /v2/messages",
		Start: 1_700_000_000_000_000_001, End: 1_700_000_000_000_000_009, Failed: true,
		Attributes: []Attribute{Text("text", "déjà"), Number("minus", -3), Number("large", 1<<62)},
	}
	child := &Span{TraceID: s.TraceID, ID: NewSpanID(), Parent: s.ID, Kind: Client, Name: "GET"}
	if tr := export(t, c, s, child); tr.Exported() != 2 {
		t.Errorf("%d spans were exported", tr.Exported())
	}
	r := <-got
	if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("User-Agent") != "chatshipper-gateway/v1" ||
		r.Header.Get("X-Scope-OrgID") != "shop" || r.Header.Get("Authorization") != "Basic dTpw=" {
		t.Errorf("the request is %s with %v", r.URL, r.Header)
	}
	body, _ := io.ReadAll(r.Body)
	var request otlpcollector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		t.Fatal(err)
	}
	if unknown := request.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("there are unknown fields: %x", unknown)
	}
	wantSpans(t, &request, s, child)
}

func wantSpans(t *testing.T, request *otlpcollector.ExportTraceServiceRequest, s, child *Span) {
	t.Helper()
	of := request.ResourceSpans[0]
	resource := map[string]string{}
	for _, a := range of.Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if resource["service.name"] != "chatshipper-gateway" || resource["service.version"] != "v1" || resource["service.instance.id"] != "this" || resource["host.name"] != "here" {
		t.Errorf("the resource is %v", resource)
	}
	if of.SchemaUrl != schema || of.ScopeSpans[0].Scope.Name != scope {
		t.Errorf("schema %q, scope %q", of.SchemaUrl, of.ScopeSpans[0].Scope.Name)
	}
	first, second := of.ScopeSpans[0].Spans[0], of.ScopeSpans[0].Spans[1]
	if !bytes.Equal(first.TraceId, s.TraceID[:]) || !bytes.Equal(first.SpanId, s.ID[:]) || !bytes.Equal(first.ParentSpanId, s.Parent[:]) ||
		first.TraceState != "a=1" || first.Name != s.Name || first.Kind != otlp.Span_SPAN_KIND_SERVER ||
		first.StartTimeUnixNano != uint64(s.Start) || first.EndTimeUnixNano != uint64(s.End) || first.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("the span is %v", first)
	}
	if want := uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | otlp.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK | 1); first.Flags != want {
		t.Errorf("flags are %#x, want %#x", first.Flags, want)
	}
	if a := first.Attributes; len(a) != 3 || a[0].Value.GetStringValue() != "déjà" || a[1].Value.GetIntValue() != -3 || a[2].Value.GetIntValue() != 1<<62 {
		t.Errorf("the attributes are %v", a)
	}
	if !bytes.Equal(second.SpanId, child.ID[:]) || !bytes.Equal(second.ParentSpanId, s.ID[:]) || second.Kind != otlp.Span_SPAN_KIND_CLIENT || second.Status != nil ||
		second.Flags != uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK|1) {
		t.Errorf("the child is %v", second)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	f := func(handler http.HandlerFunc, want answer) {
		t.Helper()
		endpoint, _ := receiver(t, handler)
		c, err := newCollector(configured(endpoint), "v1")
		if err != nil {
			t.Fatal(err)
		}
		got := c.send(t.Context(), nil)
		c.client.CloseIdleConnections()
		if got.err == nil != (want.err == nil) || got.again != want.again || got.after != want.after || got.rejected != want.rejected {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	failed := io.EOF // some error
	f(fine, answer{})
	for status, again := range map[int]bool{302: false, 400: false, 401: false, 404: false, 429: true, 500: false, 502: true, 503: true, 504: true} {
		f(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}, answer{err: failed, again: again})
	}
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
	}, answer{err: failed, again: true, after: 7 * time.Second})
	f(func(w http.ResponseWriter, _ *http.Request) {
		body, err := proto.Marshal(&otlpcollector.ExportTraceServiceResponse{PartialSuccess: &otlpcollector.ExportTracePartialSuccess{RejectedSpans: 300, ErrorMessage: "too old"}})
		if err == nil {
			_, _ = w.Write(body)
		}
	}, answer{rejected: 300})
	f(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>fine</html>") }, answer{})
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	f := func(value string, want time.Duration) {
		t.Helper()
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
	f("", 0)
	f("soon", 0)
	f("-1", 0)
	f("12", 12*time.Second)
	f("99999999999999999999", 0)
	f("Mon, 23 Nov 2026 01:00:30 GMT", 30*time.Second)
	f("Mon, 23 Nov 2026 00:00:30 GMT", 0)
}

func TestAnErrorShowsNoSecret(t *testing.T) {
	c := configured("https://127.0.0.1:1")
	c.Headers = "Authorization=hunter2"
	err := Check(t.Context(), c, "v1")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestWhereSpansArePosted(t *testing.T) {
	f := func(endpoint, want string) {
		t.Helper()
		c := configured(endpoint)
		got, err := c.url()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", endpoint, got, err, want)
		}
	}
	f("http://collector:4318", "http://collector:4318/v1/traces")
	f("http://collector:4318/", "http://collector:4318/v1/traces")
	f("https://otlp.example/otlp", "https://otlp.example/otlp/v1/traces")
	f("https://tempo.example/v1/traces", "https://tempo.example/v1/traces")
	f("HTTP://[::1]:4318", "HTTP://[::1]:4318/v1/traces")
	for _, bad := range []string{"collector:4318", "grpc://collector:4317", "http://", "http://u:p@collector:4318", "http://c/?a=b", "http://c/#x", "http://collector:4317", "http://%zz"} {
		f(bad, "")
	}
}

func TestHeadersAreThoseOfTheEnvironmentVariable(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		h, err := parseHeaders(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for i := 0; i+1 < len(want); i += 2 {
			if got := h.Get(want[i]); got != want[i+1] {
				t.Errorf("%q: %s is %q, want %q", text, want[i], got, want[i+1])
			}
		}
		if len(h) != len(want)/2 {
			t.Errorf("%q: got %d headers", text, len(h))
		}
	}
	f("")
	f("a=b", "A", "b")
	f(" a = b , c=d%2Ce,", "A", "b", "C", "d,e")
	f("Authorization=Basic%20dTpw==", "Authorization", "Basic dTpw==")
	for _, bad := range []string{"hunter2", "=hunter2", "a b=hunter2", "a=hunter2%", "a=hunter2%0d%0aX: y", "Host=hunter2"} {
		if _, err := parseHeaders(bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestTheFilesOfTheCollectorsTLS(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := configured("https://collector:4318")
		change(&c)
		if _, err := New(c, Deps{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.TLS.CAFile = "/nowhere" }, "cannot read tracing.tls.ca_file: ")
	f(func(c *Config) { c.TLS.CAFile = "trace.go" }, "cannot use tracing.tls.ca_file: ")
	f(func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = "trace.go", "trace.go" }, "cannot use tracing.tls: ")
	f(func(c *Config) { c.Headers = unit.Secret("wrong") }, "cannot use tracing.headers: ")
}

func TestACollectorBehindItsOwnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(fine))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	defer server.Close()
	c := configured(server.URL)
	if err := Check(t.Context(), c, "v1"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a collector that nobody vouches for: %v", err)
	}
	c.TLS.CAFile = authorityOf(t, server)
	if err := Check(t.Context(), c, "v1"); err != nil {
		t.Error(err)
	}
	c.TLS.ServerName = "other.test"
	if err := Check(t.Context(), c, "v1"); err == nil || !strings.Contains(err.Error(), "other.test") {
		t.Errorf("a collector of another name: %v", err)
	}
}
