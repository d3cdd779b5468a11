package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sample(peer string, cpu float64, discarded string) Sample {
	return Sample{Scenario: "get", Peer: peer, CPU: cpu, P99: 10 * cpu, Discarded: discarded}
}

func TestMedianTakesTheMiddleOfWhatCounts(t *testing.T) {
	f := func(want float64, n int, cpus ...float64) {
		t.Helper()
		samples := []Sample{sample("other", 1, ""), sample("a", 99, "unexpected status")}
		for _, c := range cpus {
			samples = append(samples, sample("a", c, ""))
		}
		if got, count := Median(samples, "get", "a", cpu); got != want || count != n {
			t.Errorf("%v: %v of %d, want %v of %d", cpus, got, count, want, n)
		}
	}
	f(0, 0)
	f(5, 1, 5)
	f(6, 2, 7, 5)
	f(5, 3, 7, 5, 1)
	f(4, 4, 9, 3, 1, 5)
}

func TestRatioIsOfMediansAndNeedsBoth(t *testing.T) {
	samples := []Sample{sample("a", 1, ""), sample("a", 3, ""), sample("a", 100, ""), sample("b", 2, ""), sample("c", 2, "lost")}
	if r := Ratio(samples, "get", "a", "b"); r != 1.5 {
		t.Errorf("a ÷ b = %v, want 1.5", r)
	}
	if r := Ratio(samples, "get", "a", "c"); r != 0 {
		t.Errorf("a ÷ c = %v, but nothing of c counts", r)
	}
}

func TestTheDocumentNamesWhatDoesNotCountAndEveryTarget(t *testing.T) {
	d := Document{
		Samples: []Sample{
			{Scenario: "get", Peer: "gateway", CPU: 9},
			{Scenario: "get", Peer: "HAProxy bare", CPU: 10},
			{Scenario: "get", Peer: "HAProxy, layer-4 copy", CPU: 5, P99: 1234},
			{Scenario: "get", Peer: "Caddy bare", Round: 7, Discarded: "3 connections failed"},
			{Scenario: "alone", Peer: "gateway", CPU: 9},
		},
		Scenarios: []Scenario{{"get", "Small answers"}, {"alone", "What nobody else does"}}, Subject: "gateway", Command: "go run .", Date: "2026-01-02",
		Peers: []string{"gateway", "HAProxy bare", "HAProxy, layer-4 copy", "Caddy bare"},
		About: []string{"Machine: some"}, Checked: []string{"all refuse"},
	}
	text := d.Markdown()
	for _, want := range []string{
		"2026-01-02", "`go run .`", "- Machine: some", "- all refuse.",
		"| Small answers | **0.90** (≤ 0.95) | 1.80 (≤ 1.50: missed) | – |",
		"| HAProxy, layer-4 copy | 5.0 | 0 | 0 | 1234 | 0 | 0.0 | 1 |",
		"- get, Caddy bare, round 7: 3 connections failed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("cannot find %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "| What nobody else does | –") || !strings.Contains(text, "### What nobody else does") {
		t.Errorf("what cannot be compared needs figures and no ratios:\n%s", text)
	}
}

func TestReplaceKeepsWhatWasWrittenByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	f := func(old, want string, ok bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Replace(path, "new\n")
		got, errRead := os.ReadFile(path)
		if string(got) != want || (err == nil) != ok || errRead != nil {
			t.Errorf("%q became %q (%v), want %q", old, got, err, want)
		}
	}
	f("# Title\n"+begin+"old\n"+end+"tried\n", "# Title\n"+begin+"new\n"+end+"tried\n", true)
	f("# No marks\n", "# No marks\n", false)
	f(begin+"no end", begin+"no end", false)
	if Replace(path+".missing", "") == nil {
		t.Error("a document was made")
	}
}
