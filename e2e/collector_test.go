package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	otlpcollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans by OTLP/HTTP as an OpenTelemetry Collector does, by the
// types that it uses itself.
type collector struct {
	url     string
	refuses atomic.Bool

	mu      sync.Mutex
	spans   []*otlp.Span
	headers []http.Header
	faults  []string
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request otlpcollector.ExportTraceServiceRequest
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.faults = append(c.faults, fmt.Sprintf("%s %s with %v: %v", r.Method, r.URL, r.Header, err))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if c.refuses.Load() {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	c.headers = append(c.headers, r.Header)
	for _, of := range request.ResourceSpans {
		for _, in := range of.ScopeSpans {
			c.spans = append(c.spans, in.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// await waits for so many spans.
func (c *collector) await(t *testing.T, n int) []*otlp.Span {
	t.Helper()
	var got []*otlp.Span
	eventually(t, fmt.Sprintf("%d spans have come", n), func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if got = c.spans; len(got) < n {
			return fmt.Errorf("there are %d; %q", len(got), c.faults)
		}
		return nil
	})
	if len(got) > n || len(c.faults) > 0 {
		t.Errorf("%d spans have come, want %d; %q", len(got), n, c.faults)
	}
	return got
}

func attribute(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if text := a.Value.GetStringValue(); text != "" {
				return text
			}
			return fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return ""
}

func inHex(id []byte) string { return hex.EncodeToString(id) }
