package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/chatshipper/gateway/internal/config"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const metricsPage = "../../docs/metrics.md"

// TestTheMetricsPageIsWhatTheRegistryHolds keeps docs/metrics.md true. After a
// change: go test ./cmd/gateway -run MetricsPage -update
func TestTheMetricsPageIsWhatTheRegistryHolds(t *testing.T) {
	page := metricsPageOf(t, gathered(t))
	if *update {
		if err := os.WriteFile(metricsPage, page, 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page) {
		t.Errorf("docs/metrics.md is not what the registry holds: run go test ./cmd/gateway -run MetricsPage -update\nwant:\n%s", page)
	}
}

func TestEveryMetricSaysWhatIsNormal(t *testing.T) {
	known := map[string]bool{}
	for _, family := range gathered(t) {
		name := strings.TrimPrefix(family.GetName(), "gateway_")
		known[name] = true
		if !slices.ContainsFunc(groups, func(g group) bool { return g.of(family.GetName()) }) {
			t.Errorf("%s is in no group, so the page leaves it out", name)
		}
		if notes[name].unit == "" || notes[name].normal == "" {
			t.Errorf("nothing is written about %s: add its unit and what is normal to notes", name)
		}
	}
	for name := range notes {
		if !known[name] {
			t.Errorf("notes has the metric %s, which does not exist", name)
		}
	}
}

// An alert sees the first increase only of a series that was there before, at 0.
func TestWhatIsCountedBeginsAtZero(t *testing.T) {
	series := 0
	for _, family := range gathered(t) {
		for _, m := range family.GetMetric() {
			if c := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()); c != 0 {
				t.Errorf("%s %v begins at %v", family.GetName(), m.GetLabel(), c)
			}
			series++
		}
	}
	if series < 1000 {
		t.Errorf("only %d series are there at the start", series)
	}
}

// gathered is what a gateway just started says of itself, in the order of the
// page: its own metrics by name.
func gathered(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	cfg := config.Default()
	cfg.Upstream.URL = "https://api.chatshipper.com"
	cert, key := selfSigned(t)
	cfg.Listen.TLS.CertFile, cfg.Listen.TLS.KeyFile = cert, key
	cfg.Admin.TLS.CertFile, cfg.Admin.TLS.KeyFile = cert, key
	cfg.Upstream.TLS.CertFile, cfg.Upstream.TLS.KeyFile = cert, key
	cfg.Tracing.TLS.CertFile, cfg.Tracing.TLS.KeyFile = cert, key
	n, err := build(&cfg, console{io.Discard, io.Discard}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.access.Close() })
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "gateway_") })
}

func metricsPageOf(t *testing.T, families []*dto.MetricFamily) []byte {
	t.Helper()
	intro, err := os.ReadFile(filepath.Join("testdata", "metrics.intro.md"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(intro)
	for _, group := range groups {
		fmt.Fprintf(&b, "\n## %s\n", group.title)
		for _, family := range families {
			if group.of(family.GetName()) {
				describe(&b, family)
			}
		}
	}
	return b.Bytes()
}

// describe writes the paragraph of one metric.
func describe(b *bytes.Buffer, family *dto.MetricFamily) {
	note := notes[strings.TrimPrefix(family.GetName(), "gateway_")]
	kind := strings.ToLower(family.GetType().String())
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n- type: %s, in %s\n", family.GetName(), family.GetHelp(), kind, note.unit)
	labels := labelsOf(family)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(b, "- `%s`: %s\n", name, valuesOf(name, labels[name]))
	}
	if bounds := boundsOf(family); bounds != "" {
		fmt.Fprintf(b, "- buckets: %s\n", bounds)
	}
	fmt.Fprintf(b, "- normal: %s\n", note.normal)
}

// openLabels have values that no list can hold.
var openLabels = map[string]string{
	"version": "of the release", "commit": "of the source", "goversion": "of the compiler",
}

func valuesOf(name string, values []string) string {
	if text, open := openLabels[name]; open {
		return text
	}
	text := "`" + strings.Join(values, "`, `") + "`"
	if name == "code" {
		text += "; another one appears when the upstream first answers with it"
	}
	return text
}

func labelsOf(family *dto.MetricFamily) map[string][]string {
	labels := map[string][]string{}
	for _, metric := range family.GetMetric() {
		for _, pair := range metric.GetLabel() {
			if !slices.Contains(labels[pair.GetName()], pair.GetValue()) {
				labels[pair.GetName()] = append(labels[pair.GetName()], pair.GetValue())
			}
		}
	}
	for _, values := range labels {
		slices.SortFunc(values, cmp.Compare[string])
	}
	return labels
}

func boundsOf(family *dto.MetricFamily) string {
	var bounds []string
	for _, bucket := range family.GetMetric()[0].GetHistogram().GetBucket() {
		bounds = append(bounds, strconv.FormatFloat(bucket.GetUpperBound(), 'f', -1, 64))
	}
	return strings.Join(bounds, ", ")
}
